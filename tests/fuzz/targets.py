"""What is fuzzed: everything that makes sense of bytes from the network, the config file, and the kernels."""

from fuzz import around, hub, kernels, node, pool

TARGETS = pool.TARGETS | hub.TARGETS | node.TARGETS | around.TARGETS | kernels.TARGETS

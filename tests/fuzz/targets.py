"""What is fuzzed: everything that makes sense of bytes from the network, and the config file."""

from fuzz import around, hub, node, pool

TARGETS = pool.TARGETS | hub.TARGETS | node.TARGETS | around.TARGETS

"""The engine: threads and their CPUs, the choice of a kernel, the memory that it takes, and benchmarks.

Start with `threads.Engine`. Nothing here knows a network or a protocol.
"""

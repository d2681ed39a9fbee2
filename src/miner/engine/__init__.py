"""The engine room: threads and their CPUs, the choice of a kernel, the memory it takes, and how fast it all is.

Start with `threads.Engine`. Nothing here knows a network or a protocol.
"""

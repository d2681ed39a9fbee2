"""What mining is about, and nothing else: no sockets, clocks, threads or native code."""

"""The pure part: what mining is about, without sockets, clocks, threads or native code."""

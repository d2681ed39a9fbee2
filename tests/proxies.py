"""A real proxy on loopback, of every kind at once: the PyPI package pproxy."""

import contextlib
import socket
from collections.abc import AsyncIterator

import pproxy


@contextlib.asynccontextmanager
async def proxy(login: str = "") -> AsyncIterator[int]:
    """A real proxy that speaks everything; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    auth = f"#{login}" if login else ""
    server = await pproxy.Server(f"http+socks4+socks5://127.0.0.1:{port}{auth}").start_server(
        {"rserver": [pproxy.DIRECT], "verbose": lambda text: None, "authtime": -1})  # asks each connection anew
    try:
        yield port
    finally:
        server.close()

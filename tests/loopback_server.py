"""A server in this process, for tests to say what it does."""

import asyncio
import contextlib
import ssl
from types import TracebackType
from typing import Self


class LoopbackServer:
    """Runs `serve` for each connection, and closes the connection when that returns. Leaving the context ends the
    connections that are left, and raises what failed in any of them: a server that failed is a test that failed."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, port: int = 0, backlog: int = 100) -> None:
        self.tls = tls
        self._wanted_port, self._backlog = port, backlog
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.Server

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._wanted_port, ssl=self.tls,
                                                  backlog=self._backlog)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.append(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(EOFError, OSError):  # the peer has gone
                await self.serve(reader, writer)
        finally:
            writer.close()

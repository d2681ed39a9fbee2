"""The server's end of HTTP, as far as nodes speak it."""

import asyncio
import re

from loopback_server import LoopbackServer


class HttpServer(LoopbackServer):
    """One request a connection. `respond` gives the whole answer; b"" closes the connection without a word."""

    async def respond(self, head: str, body: bytes) -> bytes:
        raise NotImplementedError

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        size = re.search(r"(?i)content-length: *(\d+)", head)
        writer.write(await self.respond(head, await reader.readexactly(int(size[1]) if size else 0)))
        await writer.drain()

"""The server's end of HTTP, as far as nodes speak it."""

import asyncio
import re

from loopback_server import LoopbackServer


class HttpServer(LoopbackServer):
    """An HTTP server. `respond` gives the whole answer to a request: b"" closes the connection without a word, and an
    answer with `Connection: close` closes it afterwards. `connections` counts the connections so far."""

    connections = 0

    async def respond(self, head: str, body: bytes) -> bytes:
        raise NotImplementedError

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        answer = b"x"
        while answer and b"Connection: close" not in answer:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            size = re.search(r"(?i)content-length: *(\d+)", head)
            answer = await self.respond(head, await reader.readexactly(int(size[1]) if size else 0))
            writer.write(answer)
            await writer.drain()

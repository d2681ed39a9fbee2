"""Viewers of a status page, as browsers are that show it: each follows the stream, and loads what the page loads.

    python tests/viewers.py http://127.0.0.1:8080/ 50       # until it is ended

What comes is counted and thrown away, so that this process takes as little of the machine as it can."""

import asyncio
import contextlib
import random
import sys
from urllib.parse import urlsplit

_PIECE = 1 << 18  # bytes
_PAGE = ("/", "/static/page.css", "/static/page.js", "/static/charts.js", "/static/table.js", "/static/words.js")
_FIRST = ("/api/v1/summary", "/api/v1/history", "/api/v1/miners")


class Viewer:
    """One browser: a connection for the stream, and one for what is asked for, which is kept as long as the server
    keeps it."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._asking: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.received = self.answers = self.pushes = 0

    async def look(self) -> None:
        """Look at the page for ever."""
        for path in _PAGE:
            await self._ask(path)
        reader, writer = await asyncio.open_connection(self._host, self._port)
        writer.write(self._request("/api/v1/stream"))
        for path in _FIRST:
            await self._ask(path)
        news = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(reader, news))
            tasks.create_task(self._load_rows(news))

    async def _follow(self, reader: asyncio.StreamReader, news: asyncio.Event) -> None:
        while line := await reader.readline():
            self.received += len(line)
            self.pushes += line.startswith(b"event: summary")
            if line.startswith((b"event: miners", b"event: reload")):
                news.set()
        raise ConnectionError("the stream has ended")

    async def _load_rows(self, news: asyncio.Event) -> None:
        while True:
            await news.wait()
            news.clear()
            await asyncio.sleep(0.3 * random.random())
            await self._ask("/api/v1/miners")

    async def _ask(self, path: str) -> None:
        if self._asking is None or self._asking[0].at_eof() or self._asking[1].is_closing():
            self._asking = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._asking
        writer.write(self._request(path))
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        left = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
        self.received += left
        while left:
            left -= len(await reader.read(min(left, _PIECE)))
        self.answers += 1

    def _request(self, path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nAccept-Encoding: gzip\r\n\r\n".encode()


async def main(url: str, count: int) -> None:
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    viewers = [Viewer(parts.hostname, parts.port) for _ in range(count)]
    tasks = [asyncio.create_task(viewer.look()) for viewer in viewers]
    try:
        while True:
            await asyncio.sleep(1)
            if failed := [task for task in tasks if task.done()]:
                await failed[0]
            print(f"{count} viewers: {sum(viewer.pushes for viewer in viewers)} pushes, "
                  f"{sum(viewer.answers for viewer in viewers)} answers, "
                  f"{sum(viewer.received for viewer in viewers) / 1e6:.1f} MB", flush=True)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1], int(sys.argv[2])))

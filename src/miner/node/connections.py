"""HTTP connections to one server, kept open between requests: a server that is asked every second should not have to
make a new one each time."""

import asyncio
import contextlib
from dataclasses import dataclass, field

from miner.net import Route
from miner.node.http_answer import Answer, AnswerParser

_CHUNK = 1 << 16  # bytes that are sent or received in one step of the event loop
_MAX_RESTING = 4


@dataclass(eq=False, slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    watch: asyncio.Task[None] | None = field(default=None, repr=False)  # while it rests


class Connections:
    """At most four rest at a time; requests that run at once have a connection each. Each can be dropped at any moment
    by cancelling its request, even one that has been silent for minutes."""

    def __init__(self, route: Route, host: str, port: int, *, tls: bool) -> None:
        self._route = route
        self.host, self.port, self.tls = host, port, tls
        self._resting: list[_Connection] = []
        self._closed = False

    async def ask(self, request: bytes) -> tuple[Answer, bool]:
        """The answer to a whole HTTP request, and whether the server may have got the request twice: on a connection
        that it closed while it rested, and again on a new one. Raises OSError, or ProtocolError for what is no HTTP."""
        connection = await self._take()
        if connection is not None:
            parser = AnswerParser()
            try:
                return await self._exchange(connection, request, parser), False
            except ConnectionError:
                if parser.begun:
                    raise
        reader, writer = await self._route.open(self.host, self.port, tls=self.tls)
        answer = await self._exchange(_Connection(reader, writer), request, AnswerParser())
        return answer, connection is not None

    def close(self) -> None:
        """Let go of those that rest, and of each other one when its answer is there."""
        self._closed = True
        for connection in self._resting:
            assert connection.watch is not None
            connection.watch.cancel()
            connection.writer.transport.abort()
        self._resting.clear()

    async def _take(self) -> _Connection | None:
        while self._resting:
            connection = self._resting.pop()
            assert connection.watch is not None
            connection.watch.cancel()
            try:
                await asyncio.wait([connection.watch])
            except asyncio.CancelledError:
                connection.writer.transport.abort()
                raise
            if connection.watch.cancelled():
                return connection
            connection.writer.transport.abort()  # the server has done with it in this moment
        return None

    def _rest(self, connection: _Connection) -> None:
        connection.watch = asyncio.create_task(self._watch(connection))
        self._resting.append(connection)

    async def _watch(self, connection: _Connection) -> None:
        """A server that closes a connection which rests, or says something there unasked, has done with it."""
        with contextlib.suppress(OSError):
            await connection.reader.read(1)
        if connection in self._resting:
            self._resting.remove(connection)
            connection.writer.transport.abort()

    async def _exchange(self, connection: _Connection, request: bytes, parser: AnswerParser) -> Answer:
        answer = None
        try:
            for start in range(0, len(request), _CHUNK):
                connection.writer.write(request[start:start + _CHUNK])
                await connection.writer.drain()
                await asyncio.sleep(0)  # drain goes straight on while the kernel takes what it is given
            while answer is None:
                data = await connection.reader.read(_CHUNK)
                answer = parser.feed(data) if data else parser.end()
            return answer
        finally:
            if answer is not None and answer.kept and not self._closed and len(self._resting) < _MAX_RESTING:
                self._rest(connection)
            else:
                connection.writer.transport.abort()  # nothing is left to say, and nothing to wait for

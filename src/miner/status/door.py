"""The door of the status server: how many come in, how fast, and how long they may stay without asking for anything.

A hub shares this process and Python's lock. So connections are taken in, and requests answered, at a pace that leaves
it its time; who comes faster waits in the system, where that costs nothing.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

MOST = 256  # connections at a time; others wait in the system
IDLE_SECONDS = 10.0  # for a whole request, from its first byte or the last answer on
HANDSHAKE_SECONDS = 10.0
CONNECTIONS_PER_SECOND, CONNECTIONS_AT_ONCE = 50.0, 100.0
_REFUSED_SECONDS = 1.0  # pause after the system has refused a connection
BACKLOG = 128  # connections that wait in the system
_FULL_SECONDS = 0.05  # from one look to the next whether there is room


class Pace:
    """Turns, `per_second` of them in the long run, and up to `at_once` of them where some were saved up."""

    def __init__(self, per_second: float, at_once: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._at_once, self._clock = per_second, at_once, clock
        self._left, self._at = at_once, clock()

    def take(self) -> float:
        """Take a turn. Returns the seconds until it is due."""
        now = self._clock()
        self._left = min(self._at_once, self._left + (now - self._at) * self._per_second) - 1
        self._at = now
        return max(0.0, -self._left / self._per_second)

    def give_back(self) -> None:
        """Leave a turn that was taken to others."""
        self._left += 1


class Guest(asyncio.Protocol):
    """A connection: aiohttp's handler, and the time by which it must have asked for something."""

    def __init__(self, door: "Door", handler: Any) -> None:
        self._door, self._handler = door, handler
        self._transport: asyncio.BaseTransport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def busy(self, is_busy: bool) -> None:
        """A request of it is being answered from now on, or has been."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not is_busy and self._transport is not None and not self._transport.is_closing():
            self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._send_off)

    def _send_off(self) -> None:
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._door.guests[self._handler] = self
        self.busy(False)
        self._handler.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.busy(True)
        del self._door.guests[self._handler]
        self._handler.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._handler.data_received(data)

    def eof_received(self) -> None:
        self._handler.eof_received()

    def pause_writing(self) -> None:
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._handler.resume_writing()


class Door:
    """Takes connections in and hands them to `server`."""

    def __init__(self, server: web.Server, context: ssl.SSLContext | None) -> None:
        self.guests: dict[Any, Guest] = {}  # by aiohttp's handler, which a request knows as its `protocol`
        self._server, self._context = server, context
        self._pace = Pace(CONNECTIONS_PER_SECOND, CONNECTIONS_AT_ONCE)
        self._greeting: set[asyncio.Task[None]] = set()

    async def serve(self, listening: socket.socket) -> None:
        """Take connections in, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._pace.take())
            while len(self.guests) + len(self._greeting) >= MOST:
                await asyncio.sleep(_FULL_SECONDS)
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError:  # too few file descriptors, or it has gone already
                await asyncio.sleep(_REFUSED_SECONDS)
                continue
            task = asyncio.create_task(self._take_in(connection))
            self._greeting.add(task)
            task.add_done_callback(self._greeting.discard)

    async def _take_in(self, connection: socket.socket) -> None:
        seconds = HANDSHAKE_SECONDS if self._context else None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Guest(self, self._server()), connection, ssl=self._context, ssl_handshake_timeout=seconds)
        except OSError:  # no TLS, too slow, gone
            connection.close()

"""The hub's port: takes connections in at the pace at which they can be served, and outlives a lack of descriptors."""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from typing import Protocol

from miner.core.errors import UsageError
from miner.core.source import Notice
from miner.core.text import one_line
from miner.hub.connection import GOODBYE_SECONDS, Connection
from miner.listening import listening_sockets
from miner.loop import files_for
from miner.wrong_door import Speech

BACKLOG = 4096  # connections that wait in the system, as far as it allows (net.core.somaxconn)
UNREAD = 8 << 10  # bytes of a miner's that the system keeps for the hub (it takes this twofold)
AT_ONCE = 64  # that are taken in before the loop is free for others
BUSY_SECONDS = 0.05  # from one look to the next whether there is room
PAUSE_SECONDS = 1.0  # after the system has refused one
TOLD_SECONDS = 60.0
HANDSHAKE_SECONDS = 10.0  # for TLS
RESERVED = 128  # file descriptors for all that is no miner

_NO_TLS = {"WRONG_VERSION_NUMBER": Speech.STRATUM, "HTTP_REQUEST": Speech.HTTP}  # OpenSSL's words


def room_for(miners: int) -> tuple[int, str]:
    """How many of the wanted connections this process may have open, and a line where it is less than all. Raises the
    process's soft limit of file descriptors as far as that takes and the hard limit allows."""
    limit = files_for(miners + RESERVED)
    if limit >= miners + RESERVED:
        return miners, ""
    room = int(max(limit - RESERVED, limit // 2))
    return room, (f"room for {room} miners instead of {miners}: the limit of open files is {limit:g} (ulimit -n; "
                  "LimitNOFILE in a systemd unit)")


class Host(Protocol):
    """Who is told of connections."""

    def connection(self) -> Connection:
        """The protocol for a new one."""

    def lost(self, connection: Connection, speech: Speech | None) -> None:
        """One that was greeted has not come about. `speech`: what is spoken at its other end in place of TLS, where
        that is known."""


class Listener:
    """Listening sockets. Each connection gets a protocol from `host`; while they can't be taken in (`ready`) they wait
    in the system. With `tls` each is greeted before its handshake, so that those that never end one are strangers as
    others are."""

    def __init__(self, sockets: list[socket.socket], host: Host, tell: Callable[[Notice], None],
                 ready: Callable[[], bool], tls: ssl.SSLContext | None) -> None:
        self._sockets, self._host, self._tell, self._ready, self._tls = sockets, host, tell, ready, tls
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._told = float("-inf")
        self._refused = 0  # by the system, since that was told
        for listening in sockets:
            self._loop.add_reader(listening, self._accept, listening)

    @classmethod
    async def open(cls, name: str, port: int, host: Host, tell: Callable[[Notice], None], ready: Callable[[], bool],
                   tls: ssl.SSLContext | None = None) -> "Listener":
        """Listen on all addresses of a host's `name`. Raises UsageError where that can't be done."""
        try:
            sockets = await listening_sockets(name, port, BACKLOG)
        except OSError as error:
            reason = one_line(error.strerror or str(error))
            raise UsageError(f"the hub can't listen on {name} port {port}: {reason}") from None
        for listening in sockets:  # its connections take this over
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNREAD)
        return cls(sockets, host, tell, ready, tls)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens; the first address where there are several."""
        host, port = self._sockets[0].getsockname()[:2]
        return str(host), int(port)

    def close(self) -> None:
        """Take no more connections."""
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            listening.close()
        for task in self._opening:
            task.cancel()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(AT_ONCE):
            if not self._ready():
                self._rest(listening, BUSY_SECONDS)
                return
            try:
                connected, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptors or memory are left; the next one may fare better
                self._rest(listening, PAUSE_SECONDS)
                self._tell_of(error)
                return
            connected.setblocking(False)
            task = self._loop.create_task(self._open(connected, str(address[0])))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self, connected: socket.socket, peer: str) -> None:
        connection = self._host.connection()
        try:
            if self._tls is None:
                await self._loop.connect_accepted_socket(lambda: connection, connected)
            else:
                await self._shake_hands(connection, connected, peer, self._tls)
        except (OSError, asyncio.CancelledError):
            connected.close()

    async def _shake_hands(self, connection: Connection, connected: socket.socket, peer: str,
                           tls: ssl.SSLContext) -> None:
        task = asyncio.current_task()
        assert task is not None
        connection.greet(peer, task.cancel)
        try:
            await self._loop.connect_accepted_socket(lambda: connection, connected, ssl=tls,
                                                     ssl_handshake_timeout=HANDSHAKE_SECONDS,
                                                     ssl_shutdown_timeout=GOODBYE_SECONDS)
        except BaseException as error:
            self._host.lost(connection, _NO_TLS.get(error.reason) if isinstance(error, ssl.SSLError) else None)
            raise

    def _rest(self, listening: socket.socket, seconds: float) -> None:
        self._loop.remove_reader(listening)
        self._loop.call_later(seconds, self._again, listening)

    def _again(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:
            self._loop.add_reader(listening, self._accept, listening)

    def _tell_of(self, error: OSError) -> None:
        self._refused += 1
        if (now := time.monotonic()) - self._told >= TOLD_SECONDS:
            self._told = now
            self._tell(Notice(f"no connection can be taken in just now ({self._refused} times so far): "
                              f"{one_line(error.strerror or type(error).__name__)}"))

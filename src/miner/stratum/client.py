"""A stratum pool, or a hub, as a source of work: one TCP connection at a time, and a new one when it breaks."""

import asyncio
import contextlib
import dataclasses
import random
import socket
from collections.abc import AsyncIterator, Callable

from miner import __version__
from miner.config import SourceConfig
from miner.core.errors import SourceError
from miner.core.model import Job, MinerReport, Share, ShareResult, ShareStatus
from miner.core.source import Connecting, Disconnected, Finished, Notice, SourceEvent, SourceKind, Traffic, WorkSource
from miner.event_queue import EventQueue
from miner.net import CONNECT_SECONDS, Route
from miner.stratum import messages
from miner.stratum.address import PoolAddress
from miner.stratum.client_events import Authorized, ClientEvent, Ignored, LoginLost, LoginRefused, NoHub, Shunned
from miner.stratum.client_protocol import ClientProtocol
from miner.stratum.connection import PoolConnection
from miner.stratum.hand_in import HandIn
from miner.stratum.handshake import State
from miner.stratum.lost import LostError, connect, url_instead
from miner.stratum.pool_jobs import PoolJobs
from miner.stratum.reject import STRANGER

USER_AGENT = f"sparkminer/{__version__}"
CUT_SECONDS = 30.0  # a hub's host is out of reach if it has acknowledged nothing of what it was sent for so long
MAX_PAUSE = 300.0  # between two tries, unless the configured pause is longer
MIN_PAUSE = 0.1


class StratumSource(WorkSource):
    """Work from stratum+tcp://host:port.

    Lost connections are tried again with exponential backoff and full jitter: a pool's thousand miners don't come back
    in the same second. A refused login raises SourceError at once; one that held before is tried again like any other:
    pools refuse everyone while their database is away. `uniform` gives random numbers from 0 to 1.
    """

    def __init__(self, config: SourceConfig, *, uniform: Callable[[], float] = random.random) -> None:
        """Raises UsageError when the URL or the user won't do. Nothing is sent before `events()` is read."""
        self.algorithm = config.algorithm
        self._config = config
        self._address = PoolAddress.of(config)
        self._route = Route.of(config)
        self._home = self._address.host, self._address.port
        self._place = self._home  # where a client.reconnect sent us, until that fails
        self._uniform = uniform
        self._unwelcome: set[str] = set()  # offers that this pool may have hung up on
        self._session = ""
        self._jobs: PoolJobs | None = None  # of the last connection that had some
        self._was_in = False  # the pool has taken our login before
        self._asked = False  # the pool was asked what it speaks: once, lest it takes us for two
        self._took_shares = False
        self._hand_in = HandIn()
        self._connection: PoolConnection | None = None
        self._events: EventQueue[SourceEvent] = EventQueue()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self.label = str(self._address)
        self.kind = SourceKind.HUB if config.hub else SourceKind.POOL
        self._whose = f" of user {self._address.username}" if self._address.username else ""
        named = f"pool user {self._address.username}" if self._address.username else "whom the pool chooses"
        self.payee = "the hub's payee" if config.hub else named

    def events(self) -> AsyncIterator[SourceEvent]:
        return self._follow()

    async def submit(self, share: Share) -> ShareResult:
        answer = await self._hand_in.submit(share)
        self._took_shares = self._took_shares or answer.status is ShareStatus.ACCEPTED
        return ShareResult(share, answer.status, self._address.masked(answer.reason), stranger=answer.kind in STRANGER,
                           no_block=answer.no_block)

    async def report(self, report: MinerReport) -> None:
        if self._connection:
            self._connection.report(report)

    async def aclose(self) -> None:
        self._closed = True
        self._hand_in.end()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._events.close()

    async def _follow(self) -> AsyncIterator[SourceEvent]:
        if self._closed:
            return
        if not self._task:
            self._hand_in.begin()
            self._task = asyncio.create_task(self._connect_again_and_again())
            self._task.add_done_callback(self._on_end)
        while (event := await self._events.get()) is not None:
            yield event
            if isinstance(event, Finished):
                return
        if not self._closed:
            await self._task  # raises what ended it

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._hand_in.end()
        self._events.close()

    async def _connect_again_and_again(self) -> None:
        failures = 0
        while True:
            self._events.put(Connecting("Stratum", self.label))
            try:
                await self._converse()
                return
            except LostError as lost:
                failures = 1 if lost.had_jobs else failures + 1
                if lost.wait is None and not lost.had_jobs:
                    self._place = self._home
                reason = self._address.masked(str(lost))
                if not self._was_in and (lost.speech or not self._asked):
                    self._asked = self._asked or lost.mute or lost.no_tls
                    if words := await url_instead(self._route, self._place, tls=self._address.tls, lost=lost):
                        raise SourceError(f"{self.label}: {words}") from None
                if 0 <= self._config.retries < failures:
                    raise SourceError(f"{self.label}: {reason}; gave up after {self._config.retries} retries") from None
                pause = self._pause(failures) if lost.wait is None else lost.wait + self._pause(0)
            self._events.put(Disconnected(reason, pause))
            await asyncio.sleep(pause)

    def _pause(self, failures: int) -> float:
        """Full jitter: anything from 0 to a ceiling that doubles with each failure. A pool that asked us to come back
        (0 failures) gets us within a few seconds."""
        first = max(self._config.retry_pause, MIN_PAUSE)
        if failures == 0:
            return self._uniform() * min(first, 5.0)
        return self._uniform() * min(first * 2.0 ** min(failures - 1, 32), max(first, MAX_PAUSE))

    async def _converse(self) -> None:
        """One connection, from the first byte to the last. Returns where it was a hub that has ended its job; every
        other end raises LostError, or SourceError where there is no use in coming back."""
        reader, writer = await connect(self._route, self._place, tls=self._address.tls,
                                       timeout=min(CONNECT_SECONDS, self._config.timeout))
        if self._config.hub:
            _notice_a_cut(writer)
        protocol = ClientProtocol(self.algorithm, self._address.username, self._address.password,
                                  user_agent=self._config.user_agent or USER_AGENT, hub=self._config.hub,
                                  session=self._session, earlier=self._jobs, unwelcome=self._unwelcome,
                                  suggest_difficulty=self._config.suggest_difficulty,
                                  difficulty_scale=self._config.difficulty_scale)
        self._connection = connection = PoolConnection(protocol, reader, writer, self._config.timeout,
                                                       self._on_traffic if self._config.protocol_dump else None)
        finished = False  # from then on only the last verdicts come in and a last report goes out, until `aclose`
        try:
            while True:
                for event in await connection.receive():
                    if isinstance(event, messages.Stop) and not finished:
                        finished = True
                        self._events.put(Finished(event.reason))
                    elif not finished:
                        self._on_event(event, connection)
        except LostError as lost:
            lost.had_jobs = connection.had_jobs
            if not finished:
                raise
        finally:
            self._connection = None
            self._hand_in.hold()
            # Some pools close the connection on what they don't know: they don't get it twice.
            self._unwelcome |= protocol.unanswered_offers
            self._session = protocol.session if protocol.state in (State.AUTHORIZING, State.READY) else ""
            self._jobs = protocol.jobs if protocol.jobs else self._jobs
            await connection.aclose()

    def _on_event(self, event: ClientEvent, connection: PoolConnection) -> None:
        match event:
            case Job():
                self._events.put(event)
            case Authorized():
                self._was_in = True
                self._hand_in.use(connection)
            case LoginLost():
                self._hand_in.hold()
                self._notice(f"the pool refuses shares{self._whose} ({event.reason}): logging in again", connection)
            case Shunned():
                connection.had_jobs = False  # none that was any good: the pauses grow
                words = f"{self.label} refuses every share{self._whose}: {self._address.masked(event.reason)}"
                raise LostError(words) if self._took_shares else SourceError(words)
            case LoginRefused():
                reason = self._address.masked(event.reason) or "it gave no reason"
                words = f"{self.label} refused the login{self._whose}: {reason}"
                raise LostError(words) if self._was_in else SourceError(words)
            case NoHub():
                words = (f"{self.label} gives no nonce to log in with, and the token itself is told to nobody: it is "
                         "no hub of this package, or somebody on the way takes the nonce out; a pool is no `hub`")
                raise LostError(words) if self._was_in else SourceError(words)
            case messages.Reconnect():
                self._on_reconnect(event, connection)
            case messages.Pause():
                self._events.put(Disconnected(self._address.masked(event.reason), event.seconds))
            case messages.ShowMessage():
                self._notice(f"message from the pool: {event.text}", connection)
            case Ignored():
                self._notice(f"ignored what the pool sent: {event.reason}", connection)

    def _on_reconnect(self, event: messages.Reconnect, connection: PoolConnection) -> None:
        """Follow to another port of this pool's host, and to other hosts only where the configuration allows it:
        whoever can write into the connection could take the miners away with it. Raises LostError to go there."""
        place = event.host.lower() or self._place[0], event.port or self._place[1]
        if place != self._home and not (self._config.redirect and self._may_go_to(place[0])):
            self._notice(f"the pool would send us to {place[0]}, port {place[1]}: not followed", connection)
            return
        self._place = place
        raise LostError(f"the pool asks to reconnect to {place[0]}, port {place[1]}", event.wait)

    def _may_go_to(self, host: str) -> bool:
        try:
            host.encode("idna")  # as the resolver will want it
        except ValueError:
            return False
        return host == self._address.host or self._config.may_be_sent_to(host)

    def _notice(self, text: str, connection: PoolConnection) -> None:
        if connection.allow_notice(text):
            self._events.put(Notice(self._address.masked(text)))

    def _on_traffic(self, traffic: Traffic) -> None:
        self._events.put(dataclasses.replace(traffic, text=self._address.masked(traffic.text)))


def _notice_a_cut(writer: asyncio.StreamWriter) -> None:
    """Have Linux end a connection to a hub over which nothing gets through any more (TCP_USER_TIMEOUT, tcp(7)). A hub
    may have nothing to say for long, but it is sent a report each second."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        with contextlib.suppress(OSError):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT,
                                                       int(1000 * CUT_SECONDS))

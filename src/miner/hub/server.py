"""The hub: takes jobs from a source and serves them to many miners, one slice of the work each."""

import asyncio
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from miner.core.model import Job
from miner.core.source import Disconnected, Finished, MovedTo, Notice, WorkSource
from miner.hub.config import HubConfig, is_loopback
from miner.hub.connection import Connection
from miner.hub.events import HubEvent, HubSnapshot, HubStopped, HubSummary, MinerStats
from miner.hub.floor import Floor
from miner.hub.judge import Judge
from miner.hub.listener import Listener, room_for
from miner.hub.miner import HubMiner
from miner.hub.tokens import Tokens
from miner.tls import ServerTls
from miner.wrong_door import Speech

RETUNE_SECONDS = 1.0
SUMMARY_SECONDS = 60.0  # from one line on the whole hub to the next
AWAY_SECONDS = 2.0  # that the source may be away before miners which can't be told to rest are sent off
RETUNE_ROUNDS = 4  # in which all miners have their turn, and
RETUNED_LEAST = 100  # miners at least in each; and at most
RETUNED_AT_ONCE = 1000  # miners: what that takes is bounded, however many there are
STEP_CONNECTIONS = 16  # that are served between two looks at the clock
STEP_SECONDS = 0.005  # for which miners are served before the loop is free for others, or, where that is longer,
STEP_SHARE = 2.0  # how many times as long as it was busy with others in between
VERDICT_SECONDS = 2.0  # at the end, for verdicts that are still out


class Hub:
    """Serves a source's jobs as stratum v1.

        async with Hub(source, HubConfig(), print) as hub:
            host, port = await hub.start()
            await hub.finished()

    `on_event` is called in the event loop with each HubEvent, in order; it must not block. With `shares` False it hears
    of no HubShare: under load those are thousands a second. When the source is lost, the miners stay and rest until its
    next job; when it ends for good, they are told to stop, and the hub ends with it.
    """

    def __init__(self, source: WorkSource, config: HubConfig | None = None,
                 on_event: Callable[[HubEvent], None] = lambda event: None, *, shares: bool = True) -> None:
        self.config = config or HubConfig()
        self.source = source
        self._emit = on_event
        self._judge = Judge(source, on_event)
        self._floor = Floor(self.config, self._judge, on_event, shares)
        self._connections: dict[Connection, None] = {}
        self._listener: Listener | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._nobody = asyncio.Event()
        self._nobody.set()
        self._ended: asyncio.Future[str] | None = None  # why; or the error
        self._lost_at: float | None = None  # when the source was lost, where it is away (time.monotonic)
        self._closed = False
        self._tls: ServerTls | None = None
        self._most = self.config.max_miners  # connections, as far as there are file descriptors for them
        self._job_came = asyncio.Event()
        self._clean = self._anew = False  # whether the job that is handed out voids those before; slices were cut anew

    async def start(self) -> tuple[str, int]:
        """Listen, and start the source. Returns the address that miners connect to. Raises UsageError where the address
        can't be had."""
        self._ended = asyncio.get_running_loop().create_future()
        self._most, remark = room_for(self.config.max_miners)
        if remark:
            self._emit(Notice(remark))
        self._tls = self._open_tls()
        self._listener = await Listener.open(self.config.host, self.config.port, self, self._emit,
                                             lambda: self._floor.door.open,
                                             self._tls.context if self._tls else None)
        self._tasks = [asyncio.create_task(self._supervise(work))
                       for work in (self._read_source(), self._hand_out(), self._tick())]
        return self._listener.address

    @property
    def fingerprint(self) -> str:
        """The SHA-256, in hex, of the certificate that miners are shown; "" without TLS, or before the start."""
        return self._tls.fingerprint if self._tls else ""

    def reload(self, tokens: Tokens) -> None:
        """Let miners in by these tokens from now on, and show them the certificate that is in its files now. Those that
        are here stay. May be called from any thread. Raises UsageError, and changes nothing then, where tokens or files
        won't do."""
        tokens.check(public=not is_loopback(self.config.host))
        if self._tls is not None:
            self._tls = self._tls.reload()
        self._floor.tokens = tokens

    def _open_tls(self) -> ServerTls | None:
        tls = self.config.tls
        if not tls:
            return None
        names = [self.config.host, socket.gethostname(), "localhost", "127.0.0.1", "::1"]
        return ServerTls.open(None if tls is True else tls, names)

    async def finished(self) -> str:
        """Wait until the source has ended, and say why. Raises SourceError when it gave up."""
        assert self._ended is not None, "start() first"
        return await asyncio.shield(self._ended)

    def snapshot(self) -> HubSnapshot:
        """How the miners do. May be called from any thread."""
        return self._floor.roster.snapshot()

    def rows(self) -> Iterator[MinerStats]:
        """The miners, one by one: see Roster.rows. May be called from any thread."""
        return self._floor.roster.rows()

    def here(self) -> list[str]:
        """The names of the miners that are connected: see Roster.here. May be called from any thread."""
        return self._floor.roster.here()

    def summary(self) -> HubSummary:
        """The sums over all miners, cheap with thousands of them. May be called from any thread."""
        return self._floor.summary()

    async def stop_miners(self, reason: str, wait: float = 5.0) -> None:
        """Send the miners home: ours are told, and have `wait` seconds to report a last time; others are hung up on.
        Whoever comes later is sent away, too."""
        self._floor.stopping = reason
        await self._have_each(lambda miner: miner.stop(reason))
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._nobody.wait()
        for connection in list(self._connections):
            connection.end(reason)

    async def send_home(self, names: Collection[str], reason: str) -> None:
        """Send the miners of these names home: ours are told, others are hung up on. They may come again."""
        async for some in self._each():
            for connection in some:
                if connection.miner.name in names:
                    with connection.acting():
                        connection.miner.stop(reason)

    async def aclose(self) -> None:
        """Let go of everything, miners included, within a few seconds. May be called twice."""
        if self._closed:
            return
        self._closed = True
        if self._listener is not None:
            self._listener.close()
        await self._let_go()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._judge.close()
        await self.source.aclose()
        failed, reason = False, "the hub was closed"
        if self._ended is not None and self._ended.done():
            error = self._ended.exception()
            failed, reason = (True, str(error)) if error else (False, self._ended.result())
        self._emit(HubStopped(reason, failed))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        await self.aclose()

    async def _let_go(self) -> None:
        """Hang up on the miners. The shares that they brought still count: verdicts get a moment."""
        for connection in list(self._connections):
            connection.end("the hub was closed")
        with suppress(TimeoutError):
            async with asyncio.timeout(VERDICT_SECONDS):
                await self._nobody.wait()
        for connection in list(self._connections):
            connection.abandon()
        await self._nobody.wait()

    # The source

    async def _read_source(self) -> None:
        reason = "the source of work ended"
        async for event in self.source.events():
            self._emit(event)
            match event:
                case Job():
                    self._take(event)
                case Disconnected():
                    await self._lose(event)
                case MovedTo():
                    self._judge.changed()
                case Finished():
                    reason = event.reason
        await self.stop_miners(reason)
        self._end(reason)

    async def _lose(self, event: Disconnected) -> None:
        self._floor.source_lost()
        if self._lost_at is None:
            self._lost_at = time.monotonic()
        await self._have_each(lambda miner: miner.pause(event.reason, event.retry_seconds))

    def _take(self, job: Job) -> None:
        """Serve a new job to everyone. It goes first: who has not been given the one before gets this one."""
        self._clean = self._clean or job.clean or self._lost_at is not None
        self._lost_at = None
        self._anew = self._floor.new_job(job) or self._anew
        self._job_came.set()

    async def _hand_out(self) -> None:
        """Give everyone the newest job, whenever there is one."""
        while True:
            await self._job_came.wait()
            self._job_came.clear()
            clean, anew = self._clean, self._anew
            async for some in self._each():
                for connection in some:
                    connection.hand_out(clean, anew)
                if self._job_came.is_set():
                    break  # and what this one voids is void with the next for all
            else:
                self._clean = self._anew = False

    async def _tick(self) -> None:
        """See to some of the miners each second, and to each of them every few seconds."""
        due: deque[Connection] = deque()
        summary_at = time.monotonic() + SUMMARY_SECONDS
        while True:
            await asyncio.sleep(RETUNE_SECONDS)
            now = asyncio.get_running_loop().time()
            self._floor.door.tick()
            self._floor.sessions.tick()
            if time.monotonic() >= summary_at:
                summary_at += SUMMARY_SECONDS
                self._emit(self._floor.summary())
            if self._lost_at is not None and time.monotonic() - self._lost_at > AWAY_SECONDS:
                await self._have_each(HubMiner.send_off)
            due = due or deque(self._connections)
            for _ in range(min(len(due), max(RETUNED_LEAST, min(len(self._connections) // RETUNE_ROUNDS,
                                                                 RETUNED_AT_ONCE)))):
                _see_to(due.popleft(), now)

    async def _have_each(self, act: Callable[[HubMiner], None]) -> None:
        """Have each miner do something, and send what it has to say then."""
        async for some in self._each():
            for connection in some:
                with connection.acting():
                    act(connection.miner)

    async def _each(self) -> AsyncIterator[list[Connection]]:
        """The connections that there are now, some at a time, with room between them for what else waits for the loop:
        thousands of miners keep it busy for long. Where the others have much to do, this has its part of the time all
        the same."""
        began, step = time.monotonic(), STEP_SECONDS
        everyone = list(self._connections)
        for first in range(0, len(everyone), STEP_CONNECTIONS):
            yield [connection for connection in everyone[first:first + STEP_CONNECTIONS] if not connection.ended]
            if (paused := time.monotonic()) - began > step:
                await asyncio.sleep(0)
                began = time.monotonic()
                step = max(STEP_SECONDS, STEP_SHARE * (began - paused))

    async def _supervise(self, work: Coroutine[Any, Any, None]) -> None:
        """What ends one part of the hub ends it all."""
        try:
            await work
        except Exception as error:  # a SourceError, or our own fault: whoever waits in `finished` gets it
            self._end(error)

    def _end(self, why: str | Exception) -> None:
        if self._ended is None or self._ended.done():
            return
        if isinstance(why, Exception):
            self._ended.set_exception(why)
        else:
            self._ended.set_result(why)

    # The miners

    def connection(self) -> Connection:
        """A new one: see listener.Host."""
        return Connection(self._floor, self)

    def opened(self, connection: Connection) -> None:
        """A connection begins: see connection.Host."""
        door = self._floor.door
        full = len(self._connections) >= self._most and not door.make_room()
        self._connections[connection] = None
        self._nobody.clear()
        if full:
            door.refused("found the hub full", f"the hub is full: {self._most} miners are here")
        if full or self._closed:
            connection.end("the hub is full")
        elif not connection.greeted:
            door.arrive(connection)

    def lost(self, connection: Connection, speech: Speech | None) -> None:
        """A connection has failed before it began: see listener.Host."""
        self._floor.door.forget(connection)
        if speech is not None:
            self._floor.wrong_door(connection.host, speech)

    def closed(self, connection: Connection) -> None:
        """A connection has ended: see connection.Host."""
        del self._connections[connection]
        if not self._connections:
            self._nobody.set()

    def failed(self, error: Exception) -> None:
        """A connection met our own fault: see connection.Host."""
        self._end(error)


def _see_to(connection: Connection, now: float) -> None:
    """What is due every few seconds. Not a part of the loop around it, which would hold the last one for long."""
    if not connection.ended:
        connection.end_if_silent(now)
        with connection.acting():
            connection.miner.retune()

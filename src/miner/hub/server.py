"""The hub: takes jobs from a source and serves them to many miners, one slice of the work each."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from miner.core.errors import UsageError
from miner.core.model import Job
from miner.core.source import Disconnected, Finished, MovedTo, WorkSource
from miner.core.text import one_line
from miner.hub.config import HubConfig
from miner.hub.connection import Connection
from miner.hub.events import HubEvent, HubSnapshot, HubStopped
from miner.hub.floor import Floor
from miner.hub.judge import Judge

RETUNE_SECONDS = 1.0
AWAY_SECONDS = 2.0  # that the source may be away before miners which can't be told to rest are sent off
STEP_SECONDS = 0.002  # for which miners are served before the loop is free for others
VERDICT_SECONDS = 5.0  # at the end, for verdicts that are still out


class Hub:
    """Serves a source's jobs as stratum v1.

        async with Hub(source, HubConfig(), print) as hub:
            host, port = await hub.start()
            await hub.finished()

    `on_event` is called in the event loop with each HubEvent, in order; it must not block. When the source is lost, the
    miners stay and rest until its next job; when it ends for good, they are told to stop, and the hub ends with it.
    """

    def __init__(self, source: WorkSource, config: HubConfig | None = None,
                 on_event: Callable[[HubEvent], None] = lambda event: None) -> None:
        self.config = config or HubConfig()
        self.source = source
        self._emit = on_event
        self._judge = Judge(source, on_event)
        self._floor = Floor(self.config, self._judge, on_event)
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._nobody = asyncio.Event()
        self._nobody.set()
        self._ended: asyncio.Future[str] | None = None  # why; or the error
        self._lost_at: float | None = None  # when the source was lost, where it is away (time.monotonic)
        self._closed = False

    async def start(self) -> tuple[str, int]:
        """Listen, and start the source. Returns the address that miners connect to. Raises UsageError where the address
        can't be had."""
        self._ended = asyncio.get_running_loop().create_future()
        host, port = self.config.host, self.config.port
        try:
            self._server = await asyncio.start_server(self._accept, host, port)
        except OSError as error:
            reason = one_line(error.strerror or str(error))
            raise UsageError(f"the hub can't listen on {host} port {port}: {reason}") from None
        self._tasks = [asyncio.create_task(self._supervise(work)) for work in (self._read_source(), self._tick())]
        bound_host, bound_port = self._server.sockets[0].getsockname()[:2]
        return str(bound_host), int(bound_port)

    async def finished(self) -> str:
        """Wait until the source has ended, and say why. Raises SourceError when it gave up."""
        assert self._ended is not None, "start() first"
        return await asyncio.shield(self._ended)

    def snapshot(self) -> HubSnapshot:
        """How the miners do. May be called from any thread."""
        return self._floor.roster.snapshot()

    async def stop_miners(self, reason: str, wait: float = 5.0) -> None:
        """Send the miners home: ours are told and have so many seconds to report a last time, others are hung up on.
        Whoever comes later is sent away likewise."""
        self._floor.stopping = reason
        async for connection in self._each():
            with connection.acting():
                connection.miner.stop(reason)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._nobody.wait()
        for connection in list(self._connections):
            connection.end(reason)

    async def aclose(self) -> None:
        """Let go of everything, miners included, within a few seconds. May be called twice."""
        if self._closed:
            return
        self._closed = True
        if self._server is not None:
            self._server.close()
        await self._let_go()
        for task in [*self._tasks, *self._connections.values()]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._connections.values(), return_exceptions=True)
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
        if self._connections:
            await asyncio.wait(self._connections.values(), timeout=VERDICT_SECONDS)

    # The source

    async def _read_source(self) -> None:
        reason = "the source of work ended"
        async for event in self.source.events():
            self._emit(event)
            match event:
                case Job():
                    await self._take(event)
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
        async for connection in self._each():
            with connection.acting():
                connection.miner.pause(event.reason, event.retry_seconds)

    async def _take(self, job: Job) -> None:
        """Serve a new job to everyone."""
        clean, self._lost_at = job.clean or self._lost_at is not None, None
        anew = self._floor.new_job(job)
        async for connection in self._each():
            with connection.acting():
                if anew:
                    connection.miner.move()
                connection.miner.admit()
                connection.miner.give(job, clean=clean)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(RETUNE_SECONDS)
            async for connection in self._each():
                with connection.acting():
                    if self._lost_at is not None and time.monotonic() - self._lost_at > AWAY_SECONDS:
                        connection.miner.send_off()
                    connection.miner.retune()

    async def _each(self) -> AsyncIterator[Connection]:
        """The connections that there are now, with room between them for what else waits for the loop: thousands of
        miners keep it busy for long."""
        began = time.monotonic()
        for connection in list(self._connections):
            yield connection
            if time.monotonic() - began > STEP_SECONDS:
                await asyncio.sleep(0)
                began = time.monotonic()

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

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closed or len(self._connections) >= self.config.max_miners:
            writer.close()
            return
        connection = Connection(self._floor, reader, writer)
        self._connections[connection] = asyncio.create_task(self._serve(connection))
        self._nobody.clear()

    async def _serve(self, connection: Connection) -> None:
        try:
            await connection.run()
        except Exception as error:
            self._end(error)
        finally:
            del self._connections[connection]
            if not self._connections:
                self._nobody.set()

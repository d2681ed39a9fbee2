"""A source that another one can take the place of, while miners work on."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator

from miner.core.errors import MinerError
from miner.core.model import Job, MinerReport, Share, ShareResult
from miner.core.source import Finished, MovedTo, Notice, SourceEvent, WorkSource
from miner.core.text import one_line
from miner.event_queue import EventQueue

FAREWELL_SECONDS = 5.0  # for verdicts of a source that has been replaced


class ReplaceableSource(WorkSource):
    """The work of one source, until `replace` names another. That is opened beside it; with its first job it takes its
    place, and the former one is closed once its verdicts are in. One that gives up before it has a job is dropped, and
    a notice says why."""

    def __init__(self, source: WorkSource) -> None:
        self.algorithm = source.algorithm
        self.label, self.payee, self.kind = source.label, source.payee, source.kind
        self._current = source
        self._next: WorkSource | None = None
        self._readers: dict[WorkSource, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._events: EventQueue[SourceEvent] = EventQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._error: Exception | None = None
        self._closed = False

    def replace(self, source: WorkSource) -> None:
        """Let this one take the place, as soon as it has work; one that was named before and has none yet is dropped.
        May be called from any thread, once `events` is read."""
        assert self._loop is not None, "events() first"
        self._loop.call_soon_threadsafe(self._open, source)

    async def events(self) -> AsyncIterator[SourceEvent]:
        if not self._closed and not self._readers:
            self._loop = asyncio.get_running_loop()
            self._read(self._current)
        while (event := await self._events.get()) is not None:
            yield event
            if isinstance(event, Finished):
                return
        if self._error is not None:
            raise self._error

    async def submit(self, share: Share) -> ShareResult:
        return await self._current.submit(share)

    def used_up(self) -> bool:
        return self._current.used_up()

    async def report(self, report: MinerReport) -> None:
        await self._current.report(report)

    async def aclose(self) -> None:
        self._closed = True
        tasks = [*self._readers.values(), *self._leaving]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for source in {self._current, *self._readers, *([self._next] if self._next else [])}:
            await source.aclose()
        self._events.close()

    def _open(self, source: WorkSource) -> None:
        if self._closed:
            return
        if self._next is not None:
            self._leave(self._next, 0.0)
        self._next = source
        self._read(source)

    def _read(self, source: WorkSource) -> None:
        self._readers[source] = asyncio.create_task(self._follow(source))

    async def _follow(self, source: WorkSource) -> None:
        try:
            async for event in source.events():
                self._on_event(source, event)
        except MinerError as error:
            self._give_up(source, error)
        except Exception as error:  # our own fault
            self._end(error)
        else:
            if source is self._current and not self._closed:
                self._events.close()

    def _on_event(self, source: WorkSource, event: SourceEvent) -> None:
        if source is self._next and isinstance(event, Job):
            former, self._current, self._next = self._current, source, None
            self._leave(former, FAREWELL_SECONDS)
            self.label, self.payee, self.kind = source.label, source.payee, source.kind
            self._events.put(MovedTo(source.label, source.payee, source.kind))
            event = dataclasses.replace(event, clean=True)
        if source is not self._current:
            return  # it hasn't got there yet, or is on its way out
        if isinstance(event, MovedTo):
            self.kind = event.kind
        self._events.put(event)

    def _give_up(self, source: WorkSource, error: MinerError) -> None:
        if source is self._current:
            self._end(error)
        elif source is self._next:
            self._next = None
            reason = one_line(str(error))
            self._events.put(Notice(f"the new source gives no work, so that the former one stays: {reason}"))
            self._leave(source, 0.0)

    def _end(self, error: Exception) -> None:
        self._error = error
        self._events.close()

    def _leave(self, source: WorkSource, seconds: float) -> None:
        task = asyncio.create_task(self._close(source, self._readers.pop(source), seconds))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _close(self, source: WorkSource, reader: "asyncio.Task[None]", seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        finally:
            if reader is not asyncio.current_task():
                reader.cancel()
            await source.aclose()

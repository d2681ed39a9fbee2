"""Several sources as one, in order of preference: the first that has work is mined at. A better one that comes back is
mined at again once it has had work for a while."""

import asyncio
import collections
import contextlib
import dataclasses
import itertools
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from miner.core.errors import MinerError, UsageError
from miner.core.model import Job, MinerReport, Share, ShareResult, ShareStatus
from miner.core.source import Connecting, Disconnected, Finished, MovedTo, Notice, SourceEvent, WorkSource
from miner.event_queue import EventQueue

STEADY_SECONDS = 30.0  # that a better source must have work before it is mined at: one that flaps is no better
LATE_SECONDS = 1.0  # for shares that are found just when their source is left, and
FAREWELL_SECONDS = 5.0  # for their verdicts
GIVEN_UP_SECONDS = 300.0  # until a source that gave up is opened again; doubled each time that it gives up once more
MAX_GIVEN_UP_SECONDS = 3600.0


class FailoverSource(WorkSource):
    """Sources in order of preference. Each is opened once all before it are without work, and closed when one of them
    is mined at again. A job's id begins with the number of its source, so that each share is handed in there.

    A source that gives up (SourceError: the login is refused, say) is left alone for minutes and then opened again:
    whatever was wrong there may have been put right. When all have given up, the error of the last one is raised.
    """

    def __init__(self, openers: Sequence[Callable[[], WorkSource]], *, steady_seconds: float = STEADY_SECONDS,
                 given_up_seconds: float = GIVEN_UP_SECONDS) -> None:
        """Each opener gives a source that is not yet connected. All are called once here and raise what they raise, so
        that bad settings of the last backup show at once."""
        if not openers:
            raise UsageError("no source of work given")
        self._openers = openers
        self._steady_seconds, self._given_up_seconds = steady_seconds, given_up_seconds
        self._unused = dict(enumerate(opener() for opener in openers))  # made to see whether they can be
        self.algorithm = self._unused[0].algorithm
        self.label = ", else ".join(source.label for source in self._unused.values())
        self.payee, self.kind = self._unused[0].payee, self._unused[0].kind
        self._named = -1  # rank of the source that people were told of last
        self._numbers = itertools.count(1)
        self._feeds: dict[int, _Feed] = {}  # by rank
        self._numbered: dict[str, _Feed] = {}  # by number: those that still take shares
        self._given_up: dict[int, asyncio.TimerHandle | None] = {}  # by rank: opens it again; None: it has ended
        self._failures: collections.Counter[int] = collections.Counter()  # by rank: times it gave up since its last job
        self._active: _Feed | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._events: EventQueue[SourceEvent] = EventQueue()
        self._error: Exception | None = None  # what ended all sources
        self._closed = False

    async def events(self) -> AsyncIterator[SourceEvent]:
        if not self._closed and not self._feeds:
            self._start(0)
        while (event := await self._events.get()) is not None:
            yield event
            if isinstance(event, Finished):
                return
        if self._error and not self._closed:
            raise self._error

    async def submit(self, share: Share) -> ShareResult:
        number, _, job_id = share.job.job_id.partition(".")
        if (feed := self._numbered.get(number)) is None:
            return ShareResult(share, ShareStatus.STALE, "its source is not in use any more")
        job = dataclasses.replace(share.job, job_id=job_id)
        with feed.busy():
            result = await feed.source.submit(dataclasses.replace(share, work=dataclasses.replace(share.work, job=job)))
        return dataclasses.replace(result, share=share)

    def used_up(self) -> bool:
        return self._active is not None and self._active.source.used_up()

    async def report(self, report: MinerReport) -> None:
        if self._active:
            await self._active.source.report(report)

    async def aclose(self) -> None:
        self._closed = True
        self._events.close()
        for timer in self._given_up.values():
            if timer:
                timer.cancel()
        for task in self._retiring:
            task.cancel()
        feeds, self._feeds, self._active = list(self._feeds.values()), {}, None
        await asyncio.gather(*(feed.aclose() for feed in feeds), *(source.aclose() for source in self._unused.values()),
                             *self._retiring, return_exceptions=True)

    # Coming and going

    def _start(self, rank: int) -> None:
        """Open the source of this rank, unless it is open. Where it has given up, the next one that has not."""
        while rank in self._given_up:
            rank += 1
        if rank in self._feeds or rank >= len(self._openers):
            return
        try:
            source = self._unused.pop(rank, None) or self._openers[rank]()
        except MinerError as error:  # it could be made at the start: a file is gone since
            self._on_given_up(rank, error)
            return
        feed = self._feeds[rank] = _Feed(rank, next(self._numbers), source)
        self._numbered[str(feed.number)] = feed
        feed.task = asyncio.create_task(self._follow(feed))

    async def _follow(self, feed: "_Feed") -> None:
        try:
            async for event in feed.source.events():
                self._on_event(feed, event)
        except MinerError as error:
            self._retire(feed)
            self._on_given_up(feed.rank, error)
        except Exception as error:
            self._end(error)

    def _on_event(self, feed: "_Feed", event: SourceEvent) -> None:
        nobody = self._active is None
        match event:
            case Job():
                self._on_job(feed, event)
            case Disconnected():
                feed.lose_work()
                if nobody or feed is self._active:
                    self._events.put(event)
                    self._go_elsewhere(feed.rank)
            case Finished() if feed is not self._active and len(self._feeds) > 1:
                self._retire(feed)
                self._given_up[feed.rank] = None
            case Connecting() if not nobody:
                pass  # it tries to come back, while another source is mined at
            case MovedTo() if feed is not self._active:  # a source of several itself: told when it is mined at
                self._named = -1 if self._named == feed.rank else self._named
            case MovedTo():
                self.kind = event.kind
                self._events.put(event)
            case _:
                self._events.put(event)

    def _on_job(self, feed: "_Feed", job: Job) -> None:
        del self._failures[feed.rank]
        feed.latest = dataclasses.replace(job, job_id=f"{feed.number}.{job.job_id}")
        if feed is self._active:
            self._events.put(feed.latest)
        elif self._active is None:
            self._go_over(feed)
        elif feed.rank < self._active.rank and feed.timer is None:
            feed.timer = asyncio.get_running_loop().call_later(self._steady_seconds, self._go_over, feed)

    def _go_over(self, feed: "_Feed") -> None:
        assert feed.latest is not None
        feed.forget_timer()
        self._active = feed
        for worse in [other for other in self._feeds.values() if other.rank > feed.rank]:
            self._retire(worse)
        self.kind = feed.source.kind
        if feed.rank != self._named:
            self._named = feed.rank
            self._events.put(MovedTo(feed.source.label, feed.source.payee, feed.source.kind))
        self._events.put(dataclasses.replace(feed.latest, clean=True))

    def _go_elsewhere(self, rank: int) -> None:
        """Mine at another source: the one of this rank has no work, and neither have the better ones."""
        self._active = None
        ready = [feed for feed in self._feeds.values() if feed.latest]
        if ready:
            self._go_over(min(ready, key=lambda feed: feed.rank))
        else:
            self._start(rank + 1)

    def _on_given_up(self, rank: int, error: MinerError) -> None:
        if len(self._given_up) + 1 == len(self._openers):
            self._end(error)
            return
        pause = min(self._given_up_seconds * 2 ** min(self._failures[rank], 16), MAX_GIVEN_UP_SECONDS)
        pause *= random.uniform(1, 1.25)
        self._failures[rank] += 1
        self._given_up[rank] = asyncio.get_running_loop().call_later(pause, self._open_again, rank)
        if self._active and self._active.rank != rank:
            self._events.put(Notice(f"{error}; to be tried again in {pause / 60:.0f} minutes"))
        else:
            self._events.put(Disconnected(str(error), pause))
            self._go_elsewhere(rank)

    def _open_again(self, rank: int) -> None:
        """The source of this rank was left alone for long enough: open it, unless a better one is mined at."""
        del self._given_up[rank]
        if self._active is None or rank < self._active.rank:
            self._start(rank)

    def _end(self, error: Exception) -> None:
        self._error = error
        self._events.close()

    def _retire(self, feed: "_Feed") -> None:
        """Close a source in the background, a few seconds later: shares that are just found there, and verdicts that
        are still out, get that time."""
        del self._feeds[feed.rank]
        feed.lose_work()
        task = asyncio.create_task(self._let_go(feed))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _let_go(self, feed: "_Feed") -> None:
        try:
            await feed.farewell()
        finally:
            del self._numbered[str(feed.number)]
            await feed.aclose()


class _Feed:
    """An open source: its rank, a number that no other source ever has in this run, and its latest job."""

    def __init__(self, rank: int, number: int, source: WorkSource) -> None:
        self.rank, self.number, self.source = rank, number, source
        self.task: asyncio.Task[None] | None = None
        self.latest: Job | None = None
        self.timer: asyncio.TimerHandle | None = None  # until it counts as steady
        self._submits = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """For the time in which a share's verdict is awaited."""
        self._submits += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._submits -= 1
            if not self._submits:
                self._quiet.set()

    def lose_work(self) -> None:
        """Forget the latest job: there is no work here any more."""
        self.latest = None
        self.forget_timer()

    def forget_timer(self) -> None:
        """Wait no longer until this source counts as steady."""
        if self.timer:
            self.timer.cancel()
        self.timer = None

    async def farewell(self) -> None:
        """Wait until the last shares have their verdicts, a few seconds at most."""
        await asyncio.sleep(LATE_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._quiet.wait()

    async def aclose(self) -> None:
        self.lose_work()
        if self.task:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self.source.aclose()

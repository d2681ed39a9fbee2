"""The session: the loop that takes jobs from a source, keeps the engine at work, and hands shares in.

The command line, a Spark task and `miner.mine()` all run this loop. It never prints and parses no arguments: whatever
happens comes out as an event.
"""

import asyncio
import contextlib
import dataclasses
import functools
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from typing import Any

from miner.config import EngineConfig
from miner.core.algorithm import sha256d
from miner.core.events import BlockFound, Hashrate, MinerEvent, NewJob, ShareDone, Started, Totals, Trouble
from miner.core.header import display_hash
from miner.core.model import Job, MinerReport, ShareResult, ShareStatus, Work
from miner.core.offer import Offer, notice
from miner.core.source import Disconnected, Finished, MovedTo, Notice, SourceEvent, WorkSource
from miner.core.target import hash_value
from miner.engine.threads import NONCES, Engine, NonceRange, start_thread
from miner.loop import in_thread
from miner.rest import Found, Rest

_REPORT_SECONDS = 1.0
_FAREWELL_SECONDS = 2.0  # at the end: how long to wait for verdicts that are still out,
_BLOCK_FAREWELL_SECONDS = 5.0  # and where a block is among them
_HIT_SECONDS = 1.0  # how often a thread that waits for the loop to take its hit looks whether the run is over
_MAX_HITS_IN_LINE = 64
_MAX_PENDING = 256  # shares without a verdict; a source that answers none of them gets no more
_MAX_NAMED = 3  # blocks without a verdict that are named at the end


class Session:
    """One run of mining, with one source and one engine, until `stop`, the source's end, `seconds` of wall time or
    `blocks` that the source has taken (0: no limit), or the first error. `emit` is called with each event, on the event
    loop."""

    def __init__(self, source: WorkSource, engine_config: EngineConfig, emit: Callable[[MinerEvent], None],
                 seconds: float = 0.0, blocks: int = 0) -> None:
        self._source = source
        self._engine_config = engine_config
        self._emit = emit
        self._seconds, self._wanted_blocks = seconds, blocks
        self._job: Job | None = None
        self._extranonce2 = 0  # goes on from job to job, so that a job that is sent twice is not hashed twice
        self._rolls_time = True  # until the source refuses a share for its rolled time
        self._offer = Offer.to(source.kind)
        self._rest = Rest(self._assign)
        self._submits: dict[asyncio.Task[None], Found] = {}  # whose verdicts are awaited
        self._late: list[Found] = []  # found when the run had failed already
        self._counts = dict.fromkeys(ShareStatus, 0)
        self._blocks = self._aux_blocks = 0
        self._hits_in_line = threading.Semaphore(_MAX_HITS_IN_LINE)
        self._stopped = asyncio.Event()
        self._error: BaseException | None = None  # raised outside of tasks: in the engine's callbacks, in timers
        self._dropping = self._done = self._over = False

    def stop(self) -> None:
        """End the run soon and in order. To be called on the event loop's thread."""
        self._stopped.set()

    async def run(self) -> Totals:
        """Mine until the end. Returns the totals, which are also the last event. Raises MinerError when the source
        gives up or the engine can't run here, and whatever else source or engine raised: after the totals, if there are
        any."""
        async with self._open_engine() as engine:
            if engine is None:
                totals = self._tell_totals(0, 0.0)
                if self._error is not None:  # a thread failed before the others were ready
                    raise self._error
                return totals
            self._engine = engine
            started = time.monotonic()
            self._emit(Started(self._source.label, self._source.payee, str(self._source.algorithm), engine.kernel,
                               engine.threads, engine.cpus, engine.remarks, self._source.kind))
            try:
                async with self._source:
                    await self._mine(started)
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None
            finally:
                self._over = True
                await in_thread(engine.close)
                self._tell_unanswered()
                await asyncio.sleep(0)  # the threads' last Hashrate events come first
                totals = self._tell_totals(engine.hashes, time.monotonic() - started)
            return totals

    # The engine

    @contextlib.asynccontextmanager
    async def _open_engine(self) -> AsyncIterator[Engine | None]:
        """Open the engine in a thread, since that tries kernels and takes memory, too slowly for the loop that keeps
        connections alive. Gives None where the run is stopped meanwhile. An engine that nobody waits for any more is
        closed as soon as it is open."""
        if self._stopped.is_set():
            yield None
            return
        opening: Future[Engine] = Future()
        opening.set_running_or_notify_cancel()
        stop = threading.Event()
        start_thread(threading.Thread(target=_open_into,
                                      args=(opening, self._new_engine(asyncio.get_running_loop(), stop)),
                                      name="miner-opening", daemon=True))
        opened, stopped = asyncio.wrap_future(opening), asyncio.ensure_future(self._stopped.wait())
        ends: list[asyncio.Future[Any]] = [opened, stopped]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            yield opened.result() if opened.done() else None
        finally:
            stop.set()
            for end in ends:
                end.cancel()
            opening.add_done_callback(_close_opened)

    def _new_engine(self, loop: asyncio.AbstractEventLoop, stop: threading.Event) -> Callable[[], Engine]:
        def call(function: Callable[..., None], *arguments: Any) -> None:  # from the engine's threads
            loop.call_soon_threadsafe(self._call, function, *arguments)

        def on_hit(*hit: Any) -> None:
            # Against targets so easy that hits outrun the loop: the threads wait for it, or nobody could stop them.
            while not self._hits_in_line.acquire(timeout=_HIT_SECONDS):
                if self._over:
                    return
            call(self._on_hit, *hit)

        return functools.partial(
            Engine, self._source.algorithm, self._engine_config, on_hit=on_hit,
            on_hashes=lambda thread, hashes, seconds: call(self._emit, Hashrate(thread, hashes, seconds)),
            on_exhausted=lambda: call(self._on_exhausted), on_failed=lambda error: call(self._fail, error),
            on_notice=lambda text: call(self._emit, Notice(text)), stop=stop)

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self._stopped.set()

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call a function that runs on the loop in no task, such as an engine's callback: its error ends the run."""
        try:
            function(*arguments)
        except Exception as error:
            self._fail(error)

    # The run

    async def _mine(self, started: float) -> None:
        """Run all parts of the session until it ends, however it ends. The first error of a part ends the others, and
        comes out in an ExceptionGroup."""
        async with asyncio.TaskGroup() as self._group:
            parts = [self._group.create_task(self._follow_source()),
                     self._group.create_task(self._report_regularly())]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._seconds or None):
                    await self._stopped.wait()
            self._done = True
            self._rest.close()
            for part in parts:
                part.cancel()
            await in_thread(self._engine.close)  # the last report and the totals count the same hashes
            hashrate = self._engine.hashes / (time.monotonic() - started)
            await self._say_farewell(hashrate)
            if error := self._error or self._engine.error:
                raise error

    async def _say_farewell(self, hashrate: float) -> None:
        """Wait a few seconds for the verdicts on what was found before the stop, which still counts. Then tell the
        source the last figures, with `hashrate` (H/s) over the whole run."""
        await asyncio.sleep(0)
        began = time.monotonic()
        while self._submits:
            block = any(found.block for found in self._submits.values())
            patience = _BLOCK_FAREWELL_SECONDS if block else _FAREWELL_SECONDS
            if (left := began + patience - time.monotonic()) <= 0:
                break
            await asyncio.wait(self._submits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await self._source.report(self._own_report(hashrate))
        for task in self._submits:
            task.cancel()

    async def _follow_source(self) -> None:
        async for event in self._source.events():
            if isinstance(event, Job) and self._job is None:
                # Before anything of it is hashed: a hub then knows a new run under an old name from one that goes on.
                await self._source.report(self._own_report(self._engine.hashrate))
            self._on_source_event(event)
            if isinstance(event, Finished):
                break
        self._stopped.set()

    def _on_source_event(self, event: SourceEvent) -> None:
        if isinstance(event, Job):
            self._take_job(event)
            return
        if isinstance(event, Disconnected):
            self._job = None
            self._engine.pause()
        if isinstance(event, Disconnected | MovedTo):
            self._offer = Offer.to(self._source.kind)
        self._emit(event)

    def _take_job(self, job: Job) -> None:
        moved = self._job is None or job.prev_hash != self._job.prev_hash
        self._job = job
        self._rest.move(job.prev_hash)
        self._assign()
        self._emit(NewJob(job, moved or job.clean, self._offer.target(job)))

    def _assign(self) -> None:
        """Put the threads to work on the newest job, unless they are to rest."""
        if self._job is not None and not self._rest.resting and not self._done:
            self._call(self._engine.assign, self._ranges(self._job))

    def _target(self, job: Job) -> int:
        """The target that a hash of this job must meet to be handed in."""
        return job.share_target if self._rest.in_vain(job.prev_hash) else self._offer.target(job)

    def _ranges(self, job: Job) -> Iterator[NonceRange]:
        """Every header of a job, a work's nonces in equal parts for the threads. Runs under the engine's lock: on the
        loop for each thread's first part, on the threads for all others.

        Headers differ in their extranonce2; where the job has none, in their time, as far as the source permits other
        times and really takes them. With each of these, all versions are gone through that the source leaves free.
        """
        target = self._target(job)
        part = -(-NONCES // self._engine.threads)
        size = job.extranonce2_size
        rounds = 256**size if size else 1 + (job.last_ntime - job.ntime) * self._rolls_time
        for step in range(rounds):
            if size:
                extranonce2, ntime = (self._extranonce2 % rounds).to_bytes(size, "little"), job.ntime
                self._extranonce2 += 1
            else:
                extranonce2, ntime = b"", job.ntime + step
            for version in job.versions():
                work = job.work(extranonce2, ntime, version)
                for first in range(0, NONCES, part):
                    yield NonceRange(work, target, first, min(part, NONCES - first))

    def _on_exhausted(self) -> None:
        if not self._source.used_up():
            self._emit(Trouble("every nonce of this job has been tried: waiting for the source's next job", False))

    # Shares

    def _on_hit(self, work: Work, nonce: int, digest: bytes) -> None:
        self._hits_in_line.release()
        job, value = work.job, hash_value(digest)
        if self._rest.is_solved(job.prev_hash):
            return  # found at the moment of the block that solved this previous hash: was never worth a submit
        found = Found(work.share(nonce), digest, value <= job.network_target)
        if self._job is not None and job.prev_hash != self._job.prev_hash:
            self._settle(ShareResult(found.share, ShareStatus.STALE, "the chain moved on", found.block))
        elif value <= self._target(job) and not (found.block and self._rest.holds(found)):
            self._submit(found)

    def _submit(self, found: Found) -> None:
        if len(self._submits) >= _MAX_PENDING and not found.block:
            if not self._dropping:
                self._emit(Trouble(f"{_MAX_PENDING} shares are without an answer: dropping more of them", False))
            self._dropping = True
            return
        self._dropping = False
        if found.block and self._rest.resting:
            self._engine.pause()
        submitting = self._submit_and_settle(found)
        try:
            self._submits[self._group.create_task(submitting)] = found
        except RuntimeError:  # another part of the run has failed: there is no more to be done
            submitting.close()
            self._late.append(found)

    async def _submit_and_settle(self, found: Found) -> None:
        began = time.monotonic()
        result = await self._source.submit(found.share)
        seconds = time.monotonic() - began
        task = asyncio.current_task()
        assert task is not None
        del self._submits[task]
        self._settle(dataclasses.replace(result, block=found.block and not result.no_block), seconds)
        if self._offer.learn(result, found.digest):
            self._emit(Trouble(notice(result), False))
            self._rest.drop_held()
            self._assign()
            if self._job is not None:
                self._emit(NewJob(self._job, False, self._offer.target(self._job)))
        if (result.status is ShareStatus.REJECTED and found.share.work.ntime != found.share.job.ntime
                and "time" in result.reason.lower()):
            self._leave_time_alone(found.share.job)
        if found.block:
            if following := self._rest.settle(result):
                self._submit(following)
            elif self._rest.resting:
                self._engine.pause()

    def _leave_time_alone(self, job: Job) -> None:
        """Roll no more times, since the source has refused a share for its rolled time. What is left of the job is
        dropped: its times are rolled as well."""
        if not self._rolls_time:
            return
        self._rolls_time = False
        self._emit(Trouble("the source takes no other time than its job's: it is not rolled any more", False))
        if job == self._job and not self._rest.resting:
            self._engine.pause()
            self._on_exhausted()

    def _settle(self, result: ShareResult, seconds: float = 0.0) -> None:
        self._counts[result.status] += 1
        self._aux_blocks += bool(result.aux)
        accepted, rejected, stale = self._counts.values()
        self._emit(ShareDone(result, accepted, rejected, stale, self._engine.hashrate, seconds))
        if result.block and result.status is ShareStatus.ACCEPTED:
            self._blocks += 1
            self._emit(BlockFound(result, display_hash(sha256d(result.share.header))))
            if self._blocks == self._wanted_blocks:
                self._stopped.set()

    def _tell_unanswered(self) -> None:
        """Tell of the shares that have no verdict at the end, so that nobody knows whether they were taken."""
        unanswered = [*self._submits.values(), *self._late]
        if not unanswered:
            return
        blocks = [display_hash(sha256d(found.share.header)) for found in unanswered if found.block]
        named = ", ".join(blocks[:_MAX_NAMED]) + (" and more" if len(blocks) > _MAX_NAMED else "")
        self._emit(Trouble(f"no verdict by the end on {len(unanswered)} of the shares that were found"
                           + (f", which may be lost; blocks among them: {named}" if blocks else ""), False))

    def _tell_totals(self, hashes: int, seconds: float) -> Totals:
        accepted, rejected, stale = self._counts.values()
        totals = Totals(hashes, seconds, hashes / seconds if seconds else 0.0, accepted, rejected, stale, self._blocks,
                        self._aux_blocks)
        self._emit(totals)
        return totals

    def _own_report(self, hashrate: float) -> MinerReport:
        return MinerReport(self._engine.kernel, self._engine.threads, self._engine.hashes, hashrate, _host_name())

    async def _report_regularly(self) -> None:
        while True:
            await self._source.report(self._own_report(self._engine.hashrate))
            await asyncio.sleep(_REPORT_SECONDS)


def _open_into(opening: "Future[Engine]", new_engine: Callable[[], Engine]) -> None:
    try:
        opening.set_result(new_engine())
    except BaseException as error:  # raised where the engine is awaited
        opening.set_exception(error)


def _close_opened(opening: "Future[Engine]") -> None:
    if opening.exception() is None:
        opening.result().close()


@functools.cache
def _host_name() -> str:
    return socket.gethostname()

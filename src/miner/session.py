"""The session: the loop that takes jobs from a source, keeps the engine at work, and hands shares in.

The command line, a Spark partition and a library caller all run this one. It never prints and parses no arguments:
whatever happens comes out as an event.
"""

import asyncio
import collections
import contextlib
import dataclasses
import functools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from miner.config import EngineConfig
from miner.core.algorithm import sha256d
from miner.core.events import BlockFound, Hashrate, MinerEvent, NewJob, ShareDone, Started, Totals, Trouble
from miner.core.header import display_hash
from miner.core.model import Job, MinerReport, Share, ShareResult, ShareStatus, Work
from miner.core.source import Disconnected, Finished, SourceEvent, WorkSource
from miner.core.target import hash_value
from miner.engine.threads import NONCES, Engine, NonceRange

_REPORT_SECONDS = 1.0
_REST_SECONDS = 5.0  # after a block of ours: how long to wait for the next job before hashing on the old one
_FAREWELL_SECONDS = 2.0  # at the end: how long to wait for verdicts that are still out
_MAX_HITS_IN_LINE = 64
_MAX_PENDING = 256  # shares without a verdict; a source that answers none of them gets no more


class Session:
    """One source, one engine, until `stop`, the source's end, or `seconds` of wall time."""

    def __init__(self, source: WorkSource, engine: EngineConfig, emit: Callable[[MinerEvent], None],
                 seconds: float = 0.0) -> None:
        self._source = source
        self._engine_config = engine
        self._emit = emit
        self._seconds = seconds
        self._job: Job | None = None
        self._extranonce2 = 0  # goes on from job to job, so that a job that is sent twice is not hashed twice
        self._rolls_time = True  # until the source refuses a share because of that
        self._pending: set[asyncio.Task[None]] = set()
        self._resting_on: bytes | None = None  # previous hash on which a block of ours is out, or accepted
        self._spent: bytes | None = None  # previous hash on which one was accepted last, or was out when it was over
        self._rest_timer: asyncio.TimerHandle | None = None
        self._held: collections.deque[Share] = collections.deque(maxlen=16)  # more blocks found on that hash
        self._counts = dict.fromkeys(ShareStatus, 0)
        self._blocks = 0
        self._hits_in_line = threading.Semaphore(_MAX_HITS_IN_LINE)
        self._stopped = asyncio.Event()
        self._dropping = self._done = False

    def stop(self) -> None:
        """End the run soon and in order. From the event loop's own thread."""
        self._stopped.set()

    async def run(self) -> Totals:
        """Mine. Returns the totals, which it has also emitted; raises MinerError when the source gives up."""
        loop = asyncio.get_running_loop()

        def call(function: Callable[..., None], *arguments: Any) -> None:  # from the engine's threads
            loop.call_soon_threadsafe(function, *arguments)

        def on_hit(*hit: Any) -> None:
            # Against targets so easy that hits outrun the loop: the threads wait for it, or nobody could stop them.
            if self._hits_in_line.acquire(timeout=_FAREWELL_SECONDS):
                call(self._on_hit, *hit)

        # Opening the engine tries kernels and allocates scratchpads: not on the loop that keeps connections alive.
        self._engine = await asyncio.to_thread(
            Engine, self._source.algorithm, self._engine_config,
            on_hit=on_hit,
            on_hashes=lambda thread, hashes, seconds: call(self._emit, Hashrate(thread, hashes, seconds)),
            on_exhausted=lambda: call(self._on_exhausted))
        started = time.monotonic()
        try:
            self._emit(Started(self._source.label, self._source.payee, str(self._source.algorithm),
                               self._engine.kernel, self._engine.threads, self._engine.cpus, self._engine.remarks,
                               self._source.kind))
            async with self._source:
                await self._mine_until_done()
                await asyncio.to_thread(self._engine.close)  # the last report and the totals count the same hashes
                seconds = time.monotonic() - started
                await self._say_farewell(self._engine.hashes / seconds)
        finally:
            await asyncio.to_thread(self._engine.close)
        accepted, rejected, stale = self._counts.values()
        totals = Totals(self._engine.hashes, seconds, self._engine.hashes / seconds, accepted, rejected, stale,
                        self._blocks)
        await asyncio.sleep(0)  # the threads' last Hashrate events come first
        self._emit(totals)
        return totals

    async def _mine_until_done(self) -> None:
        tasks = [asyncio.create_task(self._follow_source()), asyncio.create_task(self._report_regularly()),
                 asyncio.create_task(self._stopped.wait())]
        try:
            done, _ = await asyncio.wait(tasks, timeout=self._seconds or None,
                                         return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._done = True
            self._engine.pause()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _say_farewell(self, hashrate: float) -> None:
        """Hits that were found before the stop still count: let their verdicts come in, and tell the last figures, with
        the hashrate of the whole run."""
        await asyncio.sleep(0)
        if self._pending:
            await asyncio.wait(self._pending, timeout=_FAREWELL_SECONDS)
        for task in self._pending:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await self._source.report(self._own_report(hashrate))

    async def _follow_source(self) -> None:
        async for event in self._source.events():
            self._on_source_event(event)
            if isinstance(event, Finished):
                return

    def _on_source_event(self, event: SourceEvent) -> None:
        if isinstance(event, Job):
            self._take_job(event)
            return
        if isinstance(event, Disconnected):
            self._job = None
            self._engine.pause()
        self._emit(event)

    def _take_job(self, job: Job) -> None:
        moved = self._job is None or job.prev_hash != self._job.prev_hash
        self._job = job
        if job.prev_hash != self._resting_on:
            if moved:
                self._spent = self._resting_on  # it is over, even if the verdict is still on its way
            self._resume()
        self._emit(NewJob(job, moved or job.clean))

    def _ranges(self, job: Job) -> Iterator[NonceRange]:
        """Every header of a job, a work's nonces in equal parts for the threads. Runs under the engine's lock: on the
        loop for each thread's first part, on the threads for all others. Of the version's bits those are varied that
        the source leaves to us; without an extranonce2 then the time, as far as the source permits and really takes
        it."""
        target = max(job.share_target, job.network_target)
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

    def _on_hit(self, work: Work, nonce: int, digest: bytes) -> None:
        self._hits_in_line.release()
        if work.job.prev_hash == self._spent:
            return  # found in the same moment as the block that ended this height: never was worth a submit
        share = work.share(nonce)
        is_block = hash_value(digest) <= work.job.network_target
        if self._job is None or work.job.prev_hash != self._job.prev_hash:
            self._settle_share(ShareResult(share, ShareStatus.STALE, "the chain moved on", is_block))
        elif is_block and work.job.prev_hash == self._resting_on:
            self._held.append(share)
        else:
            self._submit(share, is_block)

    def _submit(self, share: Share, is_block: bool) -> None:
        if len(self._pending) >= _MAX_PENDING:
            if not self._dropping:
                self._emit(Trouble(f"{_MAX_PENDING} shares are without an answer: dropping more of them", False))
            self._dropping = True
            return
        self._dropping = False
        if is_block:
            self._rest_on(share.job.prev_hash)
        task = asyncio.create_task(self._submit_and_settle(share, is_block))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _submit_and_settle(self, share: Share, is_block: bool) -> None:
        result = await self._source.submit(share)
        if is_block and result.status is ShareStatus.ACCEPTED and share.job.prev_hash == self._resting_on:
            self._spent = share.job.prev_hash
        self._settle_share(dataclasses.replace(result, block=is_block))
        if (result.status is ShareStatus.REJECTED and share.work.ntime != share.job.ntime
                and "time" in result.reason.lower()):
            self._leave_time_alone(share.job)
        if is_block and result.status is not ShareStatus.ACCEPTED and share.job.prev_hash == self._resting_on:
            if self._held:
                self._submit(self._held.popleft(), True)
            else:
                self._resume()

    def _leave_time_alone(self, job: Job) -> None:
        """The source took offence at a time that was rolled: what is left of the job has a time of ours as well."""
        if not self._rolls_time:
            return
        self._rolls_time = False
        self._emit(Trouble("the source takes no other time than its job's: it is not rolled any more", False))
        if job == self._job and job.prev_hash != self._resting_on:
            self._engine.pause()
            self._on_exhausted()

    def _rest_on(self, prev_hash: bytes) -> None:
        """A chain takes one block on each previous hash, so whatever else is found on this one is worthless if ours is
        good: hash nothing until the next job comes, the block is refused, or the source has had time for either."""
        if self._rest_timer is not None:
            self._rest_timer.cancel()
        self._resting_on = prev_hash
        self._rest_timer = asyncio.get_running_loop().call_later(_REST_SECONDS, self._end_rest)
        self._engine.pause()

    def _end_rest(self) -> None:
        self._spent = None  # no new job: the source still takes shares on this hash
        self._resume()

    def _resume(self) -> None:
        if self._rest_timer is not None:
            self._rest_timer.cancel()
        self._rest_timer = self._resting_on = None
        self._held.clear()
        if self._job is not None and not self._done:
            self._engine.assign(self._ranges(self._job))

    def _settle_share(self, result: ShareResult) -> None:
        self._counts[result.status] += 1
        accepted, rejected, stale = self._counts.values()
        self._emit(ShareDone(result, accepted, rejected, stale, self._engine.hashrate))
        if result.block and result.status is ShareStatus.ACCEPTED:
            self._blocks += 1
            self._emit(BlockFound(result, display_hash(sha256d(result.share.header))))

    def _own_report(self, hashrate: float) -> MinerReport:
        return MinerReport(self._engine.kernel, self._engine.threads, self._engine.hashes, hashrate, _host_name())

    async def _report_regularly(self) -> None:
        while True:
            await self._source.report(self._own_report(self._engine.hashrate))
            await asyncio.sleep(_REPORT_SECONDS)


@functools.cache
def _host_name() -> str:
    return socket.gethostname()

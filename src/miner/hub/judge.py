"""What becomes of a share: checked here, with the reference hash, before it goes up to the source."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from miner.core.algorithm import Algorithm
from miner.core.model import Job, Share, ShareStatus
from miner.core.offer import Offer, notice
from miner.core.source import Notice, WorkSource
from miner.core.target import hash_value
from miner.core.tip import Tip
from miner.loop import begin_in_thread
from miner.stratum.reject import Reject
from miner.verify import proof_hash

QUICK_HASHES = 100_000.0  # H/s of a slow CPU thread: such a hash takes less time than to ask another thread for it
CHECK_THREADS = 2
CHECKS_WAITING = 256  # shares that are being checked by threads or wait for one; more are turned away
LIVE_JOBS = 64  # jobs since the last clean one that shares may still be on


class Verdict(NamedTuple):  # quicker to make than a frozen dataclass, and there is one for each share
    """`code` is None for an accepted share. `share` is None where what came was too broken to make one.
    `upstream`: it is the source's own verdict. `busy`: the hub had too much to do to look at it. `aux`: as in
    ShareResult, the id of a block on a chain that is mined along. `wasted`: CPU seconds that its hash took, where that
    turned out to be no share. `no_block`: as in ShareResult."""

    share: Share | None
    status: ShareStatus
    code: Reject | None = None
    reason: str = ""
    block: bool = False
    upstream: bool = False
    busy: bool = False
    aux: str = ""
    wasted: float = 0.0
    no_block: bool = False


def refused(code: Reject, reason: str, share: Share | None = None) -> Verdict:
    """The hub's own no."""
    return Verdict(share, ShareStatus.STALE if code is Reject.STALE else ShareStatus.REJECTED, code, reason)


class Judge:
    """Judges shares on the source's jobs, and hands up those that the source wants to see.

    Blocks go up one by one. Once the source's chain has one, the rest of them, and every other share on that previous
    hash, is stale without being asked about: on a chain where half of all hashes are blocks the source would drown
    otherwise. A pool's yes says nothing of its chain, so there it is the pool that says what is stale.

    `offer`: which blocks the source wants. `tell` is called with what people should know.
    """

    def __init__(self, source: WorkSource, tell: Callable[[Notice], None]) -> None:
        self.offer = Offer.to(source.kind)
        self.algorithm = source.algorithm
        self._source, self._tell = source, tell
        self._live: dict[int, Job] = {}  # by id(): a pool may send a job's name again with a new difficulty
        self._seen: set[int] = set()  # Python's hashes of good shares' headers on the current previous hash
        self._tip = Tip()
        self._one_block = asyncio.Lock()
        self._quick = source.algorithm.first_guess >= QUICK_HASHES
        self._waiting = 0  # checks that are with the threads
        self._pool = ThreadPoolExecutor(CHECK_THREADS, thread_name_prefix="hub-check")

    def new_job(self, job: Job) -> None:
        """The source issued this. A clean one voids all before it, and says that its previous hash needs a block."""
        if job.clean:
            self._live.clear()
            self._tip.reopen()
        if self._tip.move(job.prev_hash):
            self._one_block = asyncio.Lock()  # a block on the hash before may be on its way for long
            self._seen.clear()
        self._live[id(job)] = job
        if len(self._live) > LIVE_JOBS:
            del self._live[next(iter(self._live))]

    def void(self) -> None:
        """The source was lost: its jobs so far are worth nothing."""
        self._live.clear()
        self.changed()

    def changed(self) -> None:
        """It is another source now, or another connection, of which nothing is known."""
        self.offer = Offer.to(self._source.kind)

    def in_vain(self, job: Job, *, block: bool = True) -> str:
        """Why a share on this job is not worth a question, or "". A `block` is while the chain is where it was,
        whatever became of the job: the source knows whether it can still be handed in. With `block` as it is, the
        answer holds for every share, and nothing of it needs to be looked at."""
        if block and self._tip.takes(job.prev_hash):
            return ""
        if not self._live:
            return "the hub has lost its source of work"
        if id(job) not in self._live:
            return "job not found: the chain moved on"
        return "a block on this previous hash was found already" if self._tip.is_solved(job.prev_hash) else ""

    def check(self, share: Share, target: int) -> Verdict | Coroutine[Any, Any, Verdict]:
        """The verdict on a share that is not `in_vain` and was to meet `target` at least; where its hash meets the
        source's too, the source is asked. What takes no time is done at once; what is left to wait for is returned, to
        be awaited."""
        header = share.header
        seen = hash(header)  # 64 bits, keyed at random: half the memory of a header, and nobody can make two alike
        if seen in self._seen:
            return refused(Reject.DUPLICATE, "duplicate share", share)
        if self._quick:
            self._seen.add(seen)
            return self._weigh(share, header, target, proof_hash(share.job.algorithm, header))
        if self._waiting >= CHECKS_WAITING:
            return Verdict(share, ShareStatus.REJECTED, Reject.OTHER, "the hub has more shares than it can check",
                           busy=True)
        self._seen.add(seen)
        self._waiting += 1
        hashing = begin_in_thread(_timed_hash, share.job.algorithm, header, executor=self._pool)
        hashing.add_done_callback(self._hashed)
        return self._check_slowly(share, header, target, hashing)

    def _hashed(self, hashing: "asyncio.Future[tuple[bytes, float]]") -> None:
        self._waiting -= 1

    async def _check_slowly(self, share: Share, header: bytes, target: int,
                            hashing: "asyncio.Future[tuple[bytes, float]]") -> Verdict:
        digest, seconds = await hashing
        verdict = self._weigh(share, header, target, digest)
        if not isinstance(verdict, Verdict):
            return await verdict
        return verdict._replace(wasted=seconds) if verdict.code is Reject.LOW_DIFFICULTY else verdict

    def _weigh(self, share: Share, header: bytes, target: int, digest: bytes) -> Verdict | Coroutine[Any, Any, Verdict]:
        value, job = hash_value(digest), share.work.job
        if value > target:
            self._seen.discard(hash(header))  # such shares cost nothing to make: they must not fill the memory
            return refused(Reject.LOW_DIFFICULTY, "low difficulty share", share)
        block = value <= job.network_target
        if reason := self.in_vain(job, block=block):
            return refused(Reject.STALE, reason, share)
        if value > self.offer.target(job):
            return Verdict(share, ShareStatus.ACCEPTED, no_block=block)
        return self._ask_for_block(share, digest) if block else self._ask(share, digest)

    async def _ask_for_block(self, share: Share, digest: bytes) -> Verdict:
        async with self._one_block:
            if reason := self.in_vain(share.job):
                return refused(Reject.STALE, reason, share)
            if hash_value(digest) > self.offer.target(share.job):  # settled while this one waited
                return Verdict(share, ShareStatus.ACCEPTED, no_block=True)
            verdict = await self._ask(share, digest)
            if verdict.status is ShareStatus.ACCEPTED and verdict.block and self._tip.takes(share.job.prev_hash):
                self._tip.solve(share.job.prev_hash)
            return verdict._replace(block=verdict.upstream and not verdict.no_block)

    async def _ask(self, share: Share, digest: bytes) -> Verdict:
        """The source's verdict; `block`: its chain has it."""
        offer = self.offer
        result = await self._source.submit(share)
        if offer.learn(result, digest) and offer is self.offer:
            self._tell(Notice(notice(result)))
        code = {ShareStatus.ACCEPTED: None, ShareStatus.STALE: Reject.STALE, ShareStatus.REJECTED: Reject.OTHER}
        return Verdict(share, result.status, code[result.status], result.reason, result.block, upstream=True,
                       aux=result.aux, no_block=result.no_block)

    def close(self) -> None:
        """Checks that wait are dropped: whoever awaits them gets a CancelledError."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _timed_hash(algorithm: Algorithm, header: bytes) -> tuple[bytes, float]:
    """The hash, and the CPU seconds that it took this thread."""
    began = time.thread_time()
    return proof_hash(algorithm, header), time.thread_time() - began

"""The pool half of the sandbox: makes jobs of the chain's templates, and judges each share."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from miner.core.algorithm import Algorithm, sha256d
from miner.core.header import build_header, fold_branch, merkle_branch
from miner.core.model import Job, Share, ShareResult, ShareStatus
from miner.core.source import Connecting, SourceEvent, SourceKind, WorkSource
from miner.core.target import MAX_TARGET, hash_value, nbits_to_target
from miner.core.tip import Tip
from miner.loop import in_thread
from miner.sandbox.chain import EXTRANONCE_SIZE, VERSION, Chain, Template
from miner.verify import proof_hash

REFRESH_SECONDS = 30.0
SHARES_PER_BLOCK = 4
EXTRANONCE1_SIZE = 4
KNOWN_JOBS = 64
QUICK = 100_000.0  # H/s: from here on computing a hash takes less time than having another thread do so


@dataclass(frozen=True, slots=True)
class _Issued:
    job: Job
    template: Template


class SandboxSource(WorkSource):
    """A source whose chain lives in this process: no network, and coins that are worth nothing. It gives one block
    every few seconds on any machine, from a Raspberry Pi to a server, after a quick start at a very easy target."""

    label = "sandbox chain (embedded test chain, no value)"
    payee = "nobody (sandbox chain)"
    kind = SourceKind.SANDBOX

    def __init__(self, algorithm: Algorithm, *, clock: Callable[[], float] = time.time,
                 rng: random.Random | None = None, refresh_seconds: float = REFRESH_SECONDS) -> None:
        self.algorithm = algorithm
        self._clock = clock
        self._random = rng or random.SystemRandom()
        self._refresh_seconds = refresh_seconds
        self._chain = Chain(algorithm, clock(), self._random)
        self._tip = Tip()
        self._extranonce1 = self._random.randbytes(EXTRANONCE1_SIZE)
        self._issued: dict[str, _Issued] = {}
        self._count = 0
        self._seen: set[bytes] = set()  # headers of shares on the current tip
        self._news = asyncio.Event()
        self._closed = False

    @property
    def height(self) -> int:
        """Blocks found so far."""
        return self._chain.height

    async def events(self) -> AsyncIterator[SourceEvent]:
        yield Connecting("mining", self.label)
        template = self._chain.template()
        yield self._issue(template, clean=True)
        while True:
            try:
                async with asyncio.timeout(self._refresh_seconds):
                    await self._news.wait()
            except TimeoutError:
                self._chain.ease()
            self._news.clear()
            if self._closed:
                return
            moved = (self._chain.tip, self._chain.nbits) != (template.prev_hash, template.nbits)
            if moved:
                template = self._chain.template()
            yield self._issue(template, clean=moved)  # unmoved: its template again, with a newer time

    def _issue(self, template: Template, clean: bool) -> Job:
        self._count += 1
        network_target = nbits_to_target(template.nbits)
        job = Job(
            job_id=f"{self._count:x}", algorithm=self.algorithm, version=VERSION, prev_hash=template.prev_hash,
            coinbase1=template.coinbase1, extranonce1=self._extranonce1,
            extranonce2_size=EXTRANONCE_SIZE - EXTRANONCE1_SIZE, coinbase2=template.coinbase2,
            merkle_branch=merkle_branch([sha256d(transaction) for transaction in template.transactions]),
            nbits=template.nbits, ntime=max(int(self._clock()), template.min_ntime), clean=clean,
            share_target=min(network_target * SHARES_PER_BLOCK, MAX_TARGET), height=template.height)
        self._tip.move(job.prev_hash)
        self._issued[job.job_id] = _Issued(job, template)
        while len(self._issued) > KNOWN_JOBS:
            del self._issued[next(iter(self._issued))]
        return job

    async def submit(self, share: Share) -> ShareResult:
        def refused(reason: str, status: ShareStatus = ShareStatus.REJECTED) -> ShareResult:
            return ShareResult(share, status, f"sandbox: {reason}")

        # The header is built anew from the issued job and what a stratum submit would carry: no other field is trusted.
        work, issued = share.work, self._issued.get(share.job.job_id)
        if issued is None:
            return refused("job not found", ShareStatus.STALE)
        job = issued.job
        if len(work.extranonce2) != job.extranonce2_size:
            return refused(f"extranonce2 must have {job.extranonce2_size} bytes")
        if not (0 <= share.nonce < 1 << 32 and 0 <= work.ntime < 1 << 32 and 0 <= work.version < 1 << 32):
            return refused("nonce, ntime and version must be 32-bit numbers")
        coinbase = job.coinbase(work.extranonce2)
        root = fold_branch(sha256d(coinbase), job.merkle_branch)
        header = build_header(work.version, job.prev_hash, root, work.ntime, job.nbits, share.nonce)
        if reason := self._stale(job):
            return refused(reason, ShareStatus.STALE)
        if header in self._seen:
            return refused("duplicate share")
        self._seen.add(header)
        pow_hash = await self._hash(header)
        if reason := self._stale(job):  # another share may have been faster meanwhile
            return refused(reason, ShareStatus.STALE)
        if hash_value(pow_hash) > job.share_target:
            self._seen.discard(header)  # anybody can make up such shares: they must not fill the memory
            return refused("low difficulty share")
        block, now = hash_value(pow_hash) <= job.network_target, self._clock()
        if block:
            reason = self._chain.connect(header, pow_hash, (coinbase, *issued.template.transactions), now)
        else:
            reason = self._chain.check_time(work.ntime, now)
        if reason:
            return refused(reason)
        if block:
            self._tip.solve(job.prev_hash)
            self._seen.clear()
            self._news.set()
        return ShareResult(share, ShareStatus.ACCEPTED, block=block)

    def _stale(self, job: Job) -> str:
        if not self._tip.takes(job.prev_hash):
            return f"block {job.height} was found already"
        return "" if job.nbits == self._chain.nbits else f"block {job.height} got another target"

    async def _hash(self, header: bytes) -> bytes:
        if self.algorithm.first_guess >= QUICK:
            return proof_hash(self.algorithm, header)
        return await in_thread(proof_hash, self.algorithm, header)  # a millisecond, far more for a large N

    async def aclose(self) -> None:
        self._closed = True
        self._news.set()

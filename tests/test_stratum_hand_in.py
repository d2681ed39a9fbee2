"""Shares that were on their way when something broke: handed in again where that has sense, and not for ever."""

import asyncio
import contextlib
import dataclasses
from typing import Any

import pytest

from miner.config import SourceConfig
from miner.core.errors import SourceError
from miner.core.model import Job, ShareStatus
from miner.core.source import Disconnected, MovedTo, Notice, SourceEvent
from miner.sources.open import open_source
from miner.stratum import hand_in
from miner.stratum.client_protocol import UNKNOWN_SHARES
from miner.stratum.reject import Reject
from stratum_pool import Miner, Pool, next_of, source_of, within_limit
from stratum_samples import REGTEST_JOB, SCRYPT

FIRST, SECOND = REGTEST_JOB, dataclasses.replace(REGTEST_JOB, job_id="second")


class Breaks:
    """A pool that takes a share and breaks the connection before it answers, `breaks` times. Each connection gets the
    same extranonce, as where a session is resumed."""

    def __init__(self, breaks: int = 1, answer: Any = None, job: Job = SECOND) -> None:
        self.breaks, self.answer, self.job = breaks, answer, job
        self.shares: list[tuple[str, int]] = []
        self.pool = Pool(self.script)

    async def script(self, miner: Miner) -> None:
        await miner.let_in(FIRST if len(self.pool.miners) == 1 else self.job)
        while True:
            share = await miner.next_share()
            self.shares.append((share.job_id, share.nonce))
            if len(self.shares) <= self.breaks:
                return miner.reset()
            if self.answer:
                miner.protocol.refuse(share, *self.answer)
            else:
                miner.protocol.accept(share)


@pytest.mark.parametrize(("answer", "status", "reason"), [
    (None, ShareStatus.ACCEPTED, ""),
    ((Reject.DUPLICATE, "Duplicate share"), ShareStatus.ACCEPTED, ""),  # it had come through the first time
    ((Reject.STALE, "Job not found"), ShareStatus.STALE, "Job not found"),
    ((Reject.LOW_DIFFICULTY, "Low difficulty share"), ShareStatus.REJECTED, "Low difficulty share"),
])
@within_limit
async def test_it_is_handed_in_again_once_the_pool_is_back(answer: Any, status: ShareStatus, reason: str) -> None:
    breaks = Breaks(2, answer)
    async with breaks.pool as pool, source_of(pool) as source:
        events = source.events()
        job = await next_of(Job, events)
        verdict = asyncio.create_task(source.submit(job.work(bytes(4)).share(7)))
        await next_of(Disconnected, events)
        result = await verdict
        assert (result.status, result.reason, result.share.nonce) == (status, reason, 7)
        assert breaks.shares == [(FIRST.job_id, 7)] * 3, "and not once more"


@within_limit
async def test_the_first_duplicate_is_one() -> None:
    breaks = Breaks(0, (Reject.DUPLICATE, "Duplicate share"))
    async with breaks.pool as pool, source_of(pool) as source:
        job = await next_of(Job, source.events())
        assert (await source.submit(job.work(bytes(4)).share(7))).status is ShareStatus.REJECTED


@within_limit
async def test_a_share_that_is_found_while_the_pool_is_away_waits_for_it() -> None:
    breaks = Breaks(1)
    async with breaks.pool as pool, source_of(pool, uniform=1.0, retry_pause=0.3) as source:
        events = source.events()
        job = await next_of(Job, events)
        verdicts = [asyncio.create_task(source.submit(job.work(bytes(4)).share(1)))]
        await next_of(Disconnected, events)
        verdicts.append(asyncio.create_task(source.submit(job.work(bytes(4)).share(2))))
        assert [(await verdict).status for verdict in verdicts] == [ShareStatus.ACCEPTED] * 2


@within_limit
async def test_where_the_pool_counts_its_jobs_from_one_again_nothing_is_handed_in_for_another_block() -> None:
    breaks = Breaks(1, job=dataclasses.replace(FIRST, prev_hash=bytes(32)))
    async with breaks.pool as pool, source_of(pool) as source:
        events = source.events()
        job = await next_of(Job, events)
        verdict = asyncio.create_task(source.submit(job.work(bytes(4)).share(1)))
        other = await next_of(Job, events)
        assert other.job_id == job.job_id
        await verdict
        late = await source.submit(job.work(bytes(4)).share(2))
        assert (late.status, "not issued" in late.reason) == (ShareStatus.STALE, True)


@within_limit
async def test_the_tries_have_an_end() -> None:
    breaks = Breaks(99)
    async with breaks.pool as pool, source_of(pool) as source:
        events = source.events()
        job = await next_of(Job, events)
        verdict = asyncio.create_task(source.submit(job.work(bytes(4)).share(7)))
        while not verdict.done():
            await next_of(Disconnected, events)
        assert (await verdict).reason == "the connection was lost before the answer"
        assert len(breaks.shares) == hand_in.MAX_TRIES


@within_limit
async def test_the_waiting_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_in, "HELD_SECONDS", 0.3)
    breaks = Breaks(1)
    async with breaks.pool as pool, source_of(pool, uniform=1.0, retry_pause=60.0) as source:
        events = source.events()
        job = await next_of(Job, events)
        verdict = asyncio.create_task(source.submit(job.work(bytes(4)).share(7)))
        await next_of(Disconnected, events)
        assert (await verdict).reason == "the connection was lost before the answer"


@within_limit
async def test_no_more_than_some_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_in, "MAX_HELD", 2)
    breaks = Breaks(1)
    async with breaks.pool as pool, source_of(pool, uniform=1.0, retry_pause=60.0) as source:
        events = source.events()
        job = await next_of(Job, events)
        verdicts = [asyncio.create_task(source.submit(job.work(bytes(4)).share(1)))]
        await next_of(Disconnected, events)
        verdicts += [asyncio.create_task(source.submit(job.work(bytes(4)).share(nonce))) for nonce in (2, 3)]
        assert (await verdicts[2]).status is ShareStatus.STALE
        assert not verdicts[1].done()
        await source.aclose()
        assert [(await verdict).status for verdict in verdicts] == [ShareStatus.STALE] * 3


# A pool that no longer knows the worker


class Forgets:
    """A pool that refuses shares with code 24 until the miner has logged in again, `helps`; or whatever it does."""

    def __init__(self, *, helps: bool, first: int = 0) -> None:
        self.helps, self.first = helps, first
        self.logins = self.refused = self.taken = 0
        self.pool = Pool(self.script)

    async def script(self, miner: Miner) -> None:
        await miner.let_in(FIRST)
        self.logins += 1
        knows = self.first
        while True:
            event = await miner.next()
            if type(event).__name__ == "Authorizing":
                self.logins += 1
                knows = 1 << 30 if self.helps else 0
                miner.protocol.accept(event)  # type: ignore[arg-type]
            elif type(event).__name__ == "Submitting" and knows:
                knows -= 1
                self.taken += 1
                miner.protocol.accept(event)  # type: ignore[arg-type]
            elif type(event).__name__ == "Submitting":
                self.refused += 1
                miner.protocol.refuse(event, Reject.UNAUTHORIZED, "Unauthorized worker")  # type: ignore[arg-type]


@within_limit
async def test_after_a_few_refusals_we_log_in_again() -> None:
    forgets = Forgets(helps=True, first=2)
    async with forgets.pool as pool, source_of(pool) as source:
        events = source.events()
        job = await next_of(Job, events)
        results = [await source.submit(job.work(bytes(4)).share(nonce)) for nonce in range(2 + UNKNOWN_SHARES + 5)]
        assert [result.status for result in results] == [
            *[ShareStatus.ACCEPTED] * 2, *[ShareStatus.REJECTED] * UNKNOWN_SHARES, *[ShareStatus.ACCEPTED] * 5]
        notice = await next_of(Notice, events)
        assert notice.text == "the pool refuses shares of user alice (Unauthorized worker): logging in again"
        assert (forgets.logins, len(pool.miners)) == (2, 1)


async def submit_all(source: Any, job: Job) -> None:
    for nonce in range(1000):
        await source.submit(job.work(bytes(4)).share(nonce))


@within_limit
async def test_where_that_does_not_help_it_is_the_end_of_it() -> None:
    forgets = Forgets(helps=False)
    async with forgets.pool as pool, source_of(pool) as source:
        events = source.events()
        submits = asyncio.create_task(submit_all(source, await next_of(Job, events)))
        with pytest.raises(SourceError) as caught:
            await next_of(Disconnected, events)
        assert str(caught.value) == f"{pool.url} refuses every share of user alice: Unauthorized worker"
        await submits
        assert (forgets.logins, forgets.refused) == (2, 2 * UNKNOWN_SHARES)


@within_limit
async def test_a_pool_that_has_taken_shares_of_ours_is_tried_again_later() -> None:
    forgets = Forgets(helps=False, first=1)
    async with forgets.pool as pool, source_of(pool) as source:
        events = source.events()
        submits = asyncio.create_task(submit_all(source, await next_of(Job, events)))
        lost = await next_of(Disconnected, events)
        assert "refuses every share of user alice: Unauthorized worker" in lost.reason
        assert forgets.refused == 2 * UNKNOWN_SHARES
        submits.cancel()
        await asyncio.gather(submits, return_exceptions=True)
        await next_of(Job, events)


@within_limit
async def test_the_next_pool_is_mined_at_then() -> None:
    async def takes_all(miner: Miner) -> None:
        await miner.let_in(SECOND)
        while True:
            miner.protocol.accept(await miner.next_share())

    forgets = Forgets(helps=False)
    async with forgets.pool as pool, Pool(takes_all) as backup:
        here = SourceConfig(url=pool.url, algorithm=SCRYPT, username="alice", retry_pause=0.1, timeout=20.0)
        source = open_source(dataclasses.replace(here, backups=(dataclasses.replace(here, url=backup.url),)))
        async with source:
            events = source.events()
            assert (await next_of(MovedTo, events)).label == pool.url
            submits = asyncio.create_task(submit_all(source, await next_of(Job, events)))
            told: list[SourceEvent] = []
            async for event in events:
                told.append(event)
                if isinstance(event, MovedTo):
                    break
            assert isinstance(told[-1], MovedTo)
            assert told[-1].label == backup.url
            assert any(isinstance(event, Disconnected) and "Unauthorized worker" in event.reason for event in told)
            submits.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await submits
            result = await source.submit((await next_of(Job, events)).work(bytes(4)).share(0))
            assert result.status is ShareStatus.ACCEPTED

"""The loop between a source and the engine, with sources that do what real ones seldom do on demand."""

import asyncio
import dataclasses
import itertools
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import miner
from miner import rest, session
from miner.config import EngineConfig, SourceConfig
from miner.core import offer
from miner.core.algorithm import Algorithm, sha256d
from miner.core.errors import SourceError, UsageError
from miner.core.events import BlockFound, MinerEvent, ShareDone, Started, Totals, Trouble
from miner.core.header import display_hash
from miner.core.model import Job, MinerReport, Share, ShareResult, ShareStatus, Work
from miner.core.source import Connecting, Disconnected, Finished, SourceEvent, SourceKind, WorkSource
from miner.core.target import MAX_TARGET, difficulty_to_target, hash_value
from miner.stratum.client import StratumSource
from stratum_pool import Miner, Pool
from stratum_samples import REGTEST_JOB, SHA256D

SCRYPT = Algorithm.parse("scrypt:16")
HARD, EASY, NEVER = 0x1D00FFFF, 0x207FFFFF, 0x03000001
_ids = itertools.count()


def job(*, nbits: int = NEVER, share_target: int = 1, prev_hash: bytes | None = None, clean: bool = True,
        extranonce2_size: int = 4) -> Job:
    return Job(f"{next(_ids)}", SCRYPT, 1, prev_hash or os.urandom(32), b"in", b"x1", extranonce2_size, b"out", (),
               nbits, 1700000000, clean, share_target)


class Scripted(WorkSource):
    """Plays events in order, pauses, and waits for what must be true first; then stays silent. `verdict` answers
    shares."""

    algorithm, label, payee, kind = SCRYPT, "scripted", "nobody", SourceKind.SANDBOX

    def __init__(self, *script: SourceEvent | float | Exception | Callable[[], bool],
                 verdict: ShareStatus | Callable[[Share], ShareStatus] = ShareStatus.ACCEPTED) -> None:
        self.script, self.verdict = script, verdict
        self.shares: list[Share] = []
        self.reports: list[MinerReport] = []
        self.closed = False
        self.on_submit: Callable[[Share], Job | None] = lambda share: None
        self._more: asyncio.Queue[Job] = asyncio.Queue()

    async def events(self) -> AsyncIterator[SourceEvent]:
        for step in self.script:
            if isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, Exception):
                raise step
            elif callable(step):
                while not step():
                    await asyncio.sleep(0.01)
            else:
                yield step
        while True:
            yield await self._more.get()

    async def submit(self, share: Share) -> ShareResult:
        self.shares.append(share)
        status = self.verdict(share) if callable(self.verdict) else self.verdict
        if (following := self.on_submit(share)) is not None:
            self._more.put_nowait(following)
        return ShareResult(share, status, block=hash_value(SCRYPT.hash(share.header)) <= share.job.network_target)

    async def report(self, report: MinerReport) -> None:
        self.reports.append(report)

    async def aclose(self) -> None:
        self.closed = True


def run(source: WorkSource, *, seconds: float = 60.0, threads: int = 1,
        until: Callable[[MinerEvent], bool] | None = None) -> list[MinerEvent]:
    """Mine until an event for which `until` is true, and fail if none comes; without it, until the source's end."""
    events, reached = [], until is None
    with miner.mine(source, seconds=seconds, threads=threads, pin=False, nice=None) as mining:
        for event in mining:
            events.append(event)
            if until is not None and until(event):
                reached = True
                mining.stop()
    assert reached, f"what the test waits for has not come in {seconds} s: {events[-5:]}"
    return events


def of(kind: type, events: list[MinerEvent]) -> list:
    return [event for event in events if isinstance(event, kind)]


def counter(kind: type, times: int) -> Callable[[MinerEvent], bool]:
    left = itertools.count(1)
    return lambda event: isinstance(event, kind) and next(left) >= times


def test_shares_are_right_and_counted_and_each_is_new() -> None:
    source = Scripted(job(share_target=MAX_TARGET >> 6))
    events = run(source, until=counter(ShareDone, 50))
    assert isinstance(events[0], Started)
    assert isinstance(totals := events[-1], Totals)
    assert totals.accepted == len(source.shares) >= 50
    assert all(hash_value(SCRYPT.hash(share.header)) <= MAX_TARGET >> 6 for share in source.shares)
    assert len({share.header for share in source.shares}) == len(source.shares)
    assert source.closed
    assert source.reports[-1].hashes == totals.hashes > 0


def test_verdicts_are_counted_apart() -> None:
    verdicts = itertools.cycle(ShareStatus)
    source = Scripted(job(share_target=MAX_TARGET >> 6), verdict=lambda share: next(verdicts))
    last = of(ShareDone, run(source, until=counter(ShareDone, 30)))[-1]
    assert min(last.accepted, last.rejected, last.stale) >= 10


def test_when_the_nonces_are_used_up_versions_are_rolled_then_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "NONCES", 8)
    issued = dataclasses.replace(job(share_target=MAX_TARGET, extranonce2_size=0), version=0x20002002,
                                 version_mask=0x6000, max_roll=1)
    source = Scripted(issued)
    run(source, until=lambda event: isinstance(event, Trouble))
    assert [(share.work.ntime - issued.ntime, share.work.version, share.nonce) for share in source.shares] == [
        (later, version, nonce) for later in range(2) for version in (0x20002002, 0x20004002, 0x20006002, 0x20000002)
        for nonce in range(8)]


@pytest.mark.parametrize("reason", ["ntime out of range", "Invalid time rolling"])
def test_a_source_that_refuses_rolled_times_gets_none_any_more(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "NONCES", 8)
    issued = [dataclasses.replace(job(share_target=MAX_TARGET, extranonce2_size=0), max_roll=9) for _ in range(6)]
    rolled: dict[str, list[int]] = {job.job_id: [] for job in issued}
    to_come = iter(issued[1:])

    class Strict(Scripted):
        async def submit(self, share: Share) -> ShareResult:
            late = share.work.ntime - share.job.ntime
            times = rolled[share.job.job_id]
            times.append(late)
            if (times.count(1) == late == 1) if share.job is issued[0] else times == [0] * 8:
                for following in itertools.islice(to_come, 1):
                    self._more.put_nowait(following)
            return ShareResult(share, ShareStatus.REJECTED if late else ShareStatus.ACCEPTED, reason if late else "")

    events = run(Strict(issued[0]), until=lambda event: len(rolled[issued[-1].job_id]) == 8)
    assert sum("takes no other time" in trouble.message for trouble in of(Trouble, events)) == 1
    assert any(rolled[issued[0].job_id])
    assert [rolled[job.job_id] for job in issued[1:]] == [[0] * 8] * 5


def test_the_same_job_sent_again_is_not_hashed_again() -> None:
    again = job(share_target=MAX_TARGET >> 4)
    source = Scripted(again)
    source.on_submit = lambda share: again
    run(source, until=counter(ShareDone, 20))
    assert len({share.header for share in source.shares}) == len(source.shares) > 0


def test_a_job_without_extranonce2_is_scanned_by_all_threads_without_overlap() -> None:
    source = Scripted(job(share_target=MAX_TARGET >> 4, extranonce2_size=0))
    run(source, threads=3, until=counter(ShareDone, 100))
    assert len({share.header for share in source.shares}) == len(source.shares)
    assert len({share.nonce // (2**32 // 3) for share in source.shares}) == 3


def test_one_block_for_each_previous_hash() -> None:
    """Every other hash is a block here, and yet the source gets one, then silence until its next job."""
    source = Scripted(job(nbits=EASY))
    source.on_submit = lambda share: job(nbits=EASY)
    events = run(source, until=counter(BlockFound, 20))
    previous = [share.job.prev_hash for share in source.shares]
    assert len(set(previous)) == len(previous) >= 20
    assert all(hash_value(SCRYPT.hash(share.header)) <= share.job.network_target for share in source.shares)
    assert of(Totals, events)[0].blocks >= 20
    assert of(Totals, events)[0].stale == 0  # what was found in the same moment as a block is no failure


class Eager(Scripted):
    """Tells the next job before the verdict, as a node whose long poll is faster than its submitblock."""

    async def submit(self, share: Share) -> ShareResult:
        result = await super().submit(share)
        await asyncio.sleep(0.02)
        return result


def test_next_job_before_the_verdict_makes_nothing_stale() -> None:
    source = Eager(job(nbits=EASY))
    source.on_submit = lambda share: job(nbits=EASY)
    totals = of(Totals, run(source, until=counter(BlockFound, 20)))[0]
    assert totals.blocks >= 20 and totals.stale == totals.rejected == 0


def test_goes_on_where_the_chain_takes_a_block_of_ours_back() -> None:
    first, second = job(nbits=EASY), job()
    again = dataclasses.replace(first, job_id="again")
    blocks: list[BlockFound] = []

    def two(event: MinerEvent) -> bool:
        if isinstance(event, BlockFound):
            blocks.append(event)
        return len(blocks) == 2

    run(Scripted(first, lambda: len(blocks) == 1, second, 0.1, again), until=two)
    assert [event.result.share.job.job_id for event in blocks] == [first.job_id, "again"]


def test_a_refused_block_does_not_stop_the_search_for_a_better_one() -> None:
    tries = itertools.count(1)
    source = Scripted(job(nbits=EASY, share_target=MAX_TARGET >> 1),
                      verdict=lambda share: ShareStatus.REJECTED if next(tries) < 40 else ShareStatus.ACCEPTED)
    events = run(source, until=counter(BlockFound, 1))
    assert len(of(BlockFound, events)) == 1
    assert len({share.header for share in source.shares}) == len(source.shares) >= 40


def test_a_share_that_a_hub_kept_to_itself_is_no_block_and_nobody_rests_for_it() -> None:
    class Hub(Scripted):
        """Its source refuses blocks that miss its share target, and this miner's shares all do."""

        async def submit(self, share: Share) -> ShareResult:
            return dataclasses.replace(await super().submit(share), block=False, no_block=True)

    source = Hub(job(nbits=EASY, share_target=MAX_TARGET >> 1))
    events = run(source, until=counter(ShareDone, 40), seconds=60.0)
    assert not of(BlockFound, events) and of(Totals, events)[0].blocks == 0
    assert of(Totals, events)[0].accepted >= 40, "all on one previous hash"


def test_contact_lost_means_no_more_hashing_until_a_job_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_REPORT_SECONDS", 0.1)

    def hashing() -> bool:
        return bool(source.reports) and source.reports[-1].hashes > 0

    def quiet() -> bool:
        return hashing() and len({report.hashes for report in source.reports[-5:]}) == 1

    source = Scripted(job(), hashing, Disconnected("gone", 1.0), quiet, Connecting("Stratum", "x"), 0.5,
                      Finished("end"))
    events = run(source)
    assert of(Finished, events) and quiet()


def test_what_is_found_as_contact_is_lost_is_for_the_source_to_judge() -> None:
    source = Scripted(job(share_target=MAX_TARGET >> 4), lambda: len(source.shares) > 8, Disconnected("gone", 1.0), 0.2,
                      Finished("end"))
    assert {event.result.status for event in of(ShareDone, run(source))} == {ShareStatus.ACCEPTED}


def test_finished_ends_the_run_well() -> None:
    source = Scripted(job(), 0.1, Finished("the hub has closed"))
    assert isinstance(run(source)[-1], Totals)


def test_a_source_that_gives_up_raises_where_the_events_are_read() -> None:
    source = Scripted(SourceError("the pool refuses user x"))
    events: list[MinerEvent] = []
    with pytest.raises(SourceError, match="refuses user x"), miner.mine(source, threads=1) as mining:
        events.extend(mining)
    with miner.mine(Scripted(SourceError("no")), threads=1) as mining:  # not reading is no error
        pass
    assert source.closed


def test_fatal_trouble_is_the_last_event() -> None:
    events: list[MinerEvent] = []
    with pytest.raises(SourceError), miner.mine(Scripted(job(), 0.05, SourceError("boom")), threads=1) as mining:
        events.extend(mining)
    assert events[-1] == Trouble("boom", fatal=True)


def test_stop_from_another_thread_ends_a_waiting_iterator() -> None:
    before = threading.active_count()
    with miner.mine(Scripted(), threads=1) as mining:
        timer = threading.Timer(0.2, mining.stop)
        timer.start()
        assert isinstance(list(mining)[-1], Totals)
        timer.join()
    assert threading.active_count() == before


def test_stop_before_the_start() -> None:
    mining = miner.mine(Scripted(job()), threads=1)
    mining.stop()
    assert isinstance(list(mining)[-1], Totals)


def test_leaving_early_leaves_nothing_behind() -> None:
    before = threading.active_count()
    source = Scripted(job(share_target=MAX_TARGET >> 4))
    with miner.mine(source, threads=2) as mining:
        next(iter(mining))
    assert threading.active_count() == before
    assert source.closed


def test_a_source_that_never_answers_shares_does_not_hold_up_the_end() -> None:
    class Deaf(Scripted):
        async def submit(self, share: Share) -> ShareResult:
            self.shares.append(share)
            await asyncio.sleep(3600)
            raise AssertionError

    source = Deaf(job(share_target=MAX_TARGET >> 2))
    began = time.monotonic()
    events = run(source, until=lambda event: isinstance(event, Trouble))
    assert time.monotonic() - began < 30
    assert len(source.shares) <= 256
    dropped, lost = of(Trouble, events)
    assert "without an answer" in dropped.message
    assert lost.message.startswith(f"no verdict by the end on {len(source.shares)} ")


def test_what_submit_raises_ends_the_run_and_what_was_told_before_is_told() -> None:
    class Broken(Scripted):
        async def submit(self, share: Share) -> ShareResult:
            if len(self.shares) == 5:
                raise RuntimeError("the source is broken")
            return await super().submit(share)

    source, events = Broken(job(share_target=MAX_TARGET >> 6)), []
    with (pytest.raises(RuntimeError, match="the source is broken"),
          miner.mine(source, threads=1, seconds=60.0) as mining):
        events.extend(mining)
    assert (totals := of(Totals, events)[0]).accepted == len(of(ShareDone, events)) == 5 and totals.hashes > 0
    assert any("no verdict by the end on" in trouble.message for trouble in of(Trouble, events))
    assert events[-1] == Trouble("the source is broken", fatal=True)
    assert source.closed


def test_what_a_callback_of_the_engine_raises_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(value: Work, nonce: int) -> Share:
        raise OverflowError("no such share")

    monkeypatch.setattr(Work, "share", broken)
    with (pytest.raises(OverflowError, match="no such share"),
          miner.mine(Scripted(job(share_target=MAX_TARGET >> 6)), threads=1, seconds=60.0) as mining):
        assert of(Totals, list(mining))


@pytest.mark.parametrize("late", [False, True])
def test_a_run_that_is_cancelled_while_it_opens_leaves_no_engine(late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    opening, may_open, closed = threading.Event(), threading.Event(), threading.Event()

    class Slow(session.Engine):
        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            opening.set()
            assert may_open.wait(30)
            super().__init__(*arguments, **keywords)

        def close(self) -> None:
            super().close()
            closed.set()

    async def main() -> None:
        monkeypatch.setattr(session, "Engine", Slow)
        running = asyncio.create_task(
            session.Session(Scripted(), EngineConfig(threads=1), lambda event: None).run())
        assert await asyncio.to_thread(opening.wait, 30)
        if not late:
            may_open.set()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        may_open.set()
        assert await asyncio.to_thread(closed.wait, 30)

    asyncio.run(main())


def test_times_at_the_end_of_their_field_kill_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "NONCES", 8)
    last = dataclasses.replace(job(share_target=MAX_TARGET, extranonce2_size=0), ntime=0xFFFFFFFE)
    source = Scripted(last)
    run(source, until=lambda event: isinstance(event, Trouble) and "every nonce" in event.message)
    assert [share.work.ntime for share in source.shares] == [0xFFFFFFFE] * 8 + [0xFFFFFFFF] * 8


def test_a_block_whose_verdict_stays_out_holds_up_no_other_share_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(session, "_BLOCK_FAREWELL_SECONDS", 0.2)
    blocks: list[Share] = []

    class Busy(Scripted):
        async def submit(self, share: Share) -> ShareResult:
            result = await super().submit(share)
            if result.block:
                blocks.append(share)
                await asyncio.sleep(3600)
            return result

    accepted = itertools.count(1)
    events = run(Busy(job(nbits=0x2000FFFF, share_target=MAX_TARGET >> 4)), until=lambda event: (
        isinstance(event, ShareDone) and bool(blocks) and next(accepted) >= 20))
    assert len(blocks) == 1, "more blocks on the same previous hash wait for the first one's verdict"
    lost, = (trouble.message for trouble in of(Trouble, events))
    assert display_hash(sha256d(blocks[0].header)) in lost and lost.startswith("no verdict by the end on 1 ")


def test_where_a_pool_takes_a_block_and_gives_no_new_job_hashing_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its yes says nothing of the chain: its node may have refused the block."""
    monkeypatch.setattr(rest, "JOB_SECONDS", 0.1)

    class OnlyShares(Scripted):
        async def submit(self, share: Share) -> ShareResult:
            return dataclasses.replace(await super().submit(share), block=False)

    events = run(OnlyShares(job(nbits=EASY, share_target=MAX_TARGET >> 10)), until=counter(ShareDone, 30))
    assert {event.result.status for event in of(ShareDone, events)} == {ShareStatus.ACCEPTED}
    missed = [event for event in of(ShareDone, events)
              if hash_value(SCRYPT.hash(event.result.share.header)) > MAX_TARGET >> 10]
    assert len(missed) <= 1, "once it has rested in vain, the pool's own target counts"


@pytest.mark.parametrize("answer", [
    '{"result":false,"error":[23,"Above target",null]}', '{"result":null,"error":[23,"Difficulty too low",null]}'])
def test_a_pool_whose_shares_are_harder_than_blocks_gets_what_it_wants(answer: str) -> None:
    """As ckpool on a young chain."""
    verdicts: list[bool] = []

    async def serve(miner: Miner) -> None:
        await miner.let_in(pool_job, difficulty=0.0001)
        while True:
            asked = await miner.next_share()
            share = pool_job.work(asked.extranonce2, asked.ntime).share(asked.nonce)
            verdicts.append(hash_value(sha256d(share.header)) <= difficulty_to_target(0.0001, SHA256D))
            if verdicts[-1]:
                miner.protocol.accept(asked)
            else:
                miner.say(json.dumps({"id": asked.request_id} | json.loads(answer)).encode() + b"\n")

    pool_job = dataclasses.replace(REGTEST_JOB, algorithm=SHA256D, nbits=0x207FFFFF, version_mask=0)
    events: list[MinerEvent] = []

    async def main() -> None:
        async with Pool(serve) as pool:
            source = StratumSource(SourceConfig(SHA256D, pool.url, "alice", "x"))
            mining = session.Session(source, EngineConfig(threads=1, pin=False, nice=None), tell, 60.0)
            accepted = counter(ShareDone, 12)

            def stop(event: MinerEvent) -> None:
                if accepted(event):
                    mining.stop()

            watchers.append(stop)
            await mining.run()

    watchers: list[Callable[[MinerEvent], None]] = []

    def tell(event: MinerEvent) -> None:
        events.append(event)
        for watch in watchers:
            watch(event)

    asyncio.run(main())
    refused = verdicts.count(False)
    assert offer.REFUSALS <= refused <= offer.REFUSALS + 1 and len(verdicts) >= 12
    assert not any(verdicts[:2]) and all(verdicts[refused + 1:])
    assert ["were refused" in trouble.message for trouble in of(Trouble, events)].count(True) == 1


def test_settings_that_make_no_sense_are_refused_at_once() -> None:
    for settings, words in [({}, "no pool or node"), ({"sandbox": True, "algorithm": "x11"}, "unknown algorithm"),
                            ({"sandbox": True, "url": "http://x"}, "leave one"), ({"url": "ftp://x"}, "ftp"),
                            ({"sandbox": True, "thread": 3}, "no setting thread"),
                            ({"sandbox": True, "threads": -1}, "`threads` -1")]:
        with pytest.raises(UsageError, match=words):
            miner.mine(**settings)


@pytest.fixture(autouse=True)
def nothing_keeps_running() -> Iterator[None]:
    others = set(threading.enumerate())  # what another test gave up fails that test alone
    yield
    for thread in set(threading.enumerate()) - others:
        if thread.name.startswith("miner-"):
            thread.join(30)
            assert not thread.is_alive(), f"{thread.name} keeps running"

"""Several sources as one: who is mined at when, what becomes of shares, and the way back."""

import asyncio
import dataclasses
import functools
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from miner.config import SourceConfig
from miner.core.errors import SourceError, UsageError
from miner.core.model import Job, MinerReport, Share, ShareResult, ShareStatus
from miner.core.source import Connecting, Disconnected, Finished, MovedTo, Notice, SourceEvent, SourceKind, WorkSource
from miner.sources.failover import FailoverSource
from miner.sources.open import open_source
from stratum_pool import Miner, Pool, within_limit
from stratum_samples import REGTEST_JOB, SCRYPT

LOST = Disconnected("lost", 1.0)
JOB = dataclasses.replace(REGTEST_JOB, clean=False)


class Fake(WorkSource):
    """Says what a test puts into `says`. Takes every share, once `verdict` is set."""

    algorithm = SCRYPT

    def __init__(self, name: str) -> None:
        self.label, self.payee = name, f"payee of {name}"
        self.kind = SourceKind.NODE if name == "B" else SourceKind.POOL
        self.says: asyncio.Queue[SourceEvent | Exception] = asyncio.Queue()
        self.shares: list[Share] = []
        self.reports: list[MinerReport] = []
        self.verdict = asyncio.Event()
        self.verdict.set()
        self.opened = self.closed = False
        self.asked = 0  # for another job

    async def events(self) -> AsyncIterator[SourceEvent]:
        self.opened = True
        while True:
            event = await self.says.get()
            if isinstance(event, Exception):
                raise event
            yield event

    async def submit(self, share: Share) -> ShareResult:
        self.shares.append(share)
        await self.verdict.wait()
        return ShareResult(share, ShareStatus.REJECTED, f"said {self.label}")

    def used_up(self) -> bool:
        self.asked += 1
        return True

    async def report(self, report: MinerReport) -> None:
        self.reports.append(report)

    async def aclose(self) -> None:
        self.closed = True


class Several:
    """A FailoverSource over fakes, and all fakes it ever opened, by name."""

    def __init__(self, *names: str, steady_seconds: float = 0.0, given_up_seconds: float = 1e3) -> None:
        self.made: dict[str, list[Fake]] = {name: [] for name in names}
        self.source = FailoverSource([lambda name=name: self.make(name) for name in names],  # type: ignore[misc]
                                     steady_seconds=steady_seconds, given_up_seconds=given_up_seconds)
        self.events = self.source.events()

    def make(self, name: str) -> Fake:
        self.made[name].append(Fake(name))
        return self.made[name][-1]

    def __getitem__(self, name: str) -> Fake:
        return self.made[name][-1]

    async def next(self, kind: type[Any] | None = None) -> Any:
        async for event in self.events:
            if kind is None or isinstance(event, kind):
                return event
        raise AssertionError("the events ended")

    async def until_opened(self, name: str) -> None:
        while not self[name].opened:
            await asyncio.sleep(0.005)

    async def go_to_backup(self) -> Job:
        """A is lost before it has any work, B has some."""
        self["A"].says.put_nowait(LOST)
        await self.next(Disconnected)
        await self.until_opened("B")
        self["B"].says.put_nowait(JOB)
        job: Job = await self.next(Job)
        return job


@within_limit
async def test_the_first_is_mined_at_and_the_others_never_hear_of_us() -> None:
    both = Several("A", "B")
    async with both.source:
        assert (both.source.label, both.source.payee) == ("A, else B", "payee of A")
        assert both.source.kind is SourceKind.POOL
        both["A"].says.put_nowait(Connecting("Stratum", "A"))
        both["A"].says.put_nowait(JOB)
        assert await both.next() == Connecting("Stratum", "A")
        assert await both.next() == MovedTo("A", "payee of A", SourceKind.POOL)
        assert (await both.next()).clean
        assert not both["B"].opened
    assert both["A"].closed
    assert both["B"].closed


@within_limit
async def test_when_the_first_is_lost_the_next_one_takes_over_and_is_named() -> None:
    both = Several("A", "B")
    async with both.source:
        both["A"].says.put_nowait(JOB)
        first = await both.next(Job)
        both["A"].says.put_nowait(LOST)
        assert await both.next() == LOST
        await both.until_opened("B")
        both["B"].says.put_nowait(JOB)
        assert await both.next() == MovedTo("B", "payee of B", SourceKind.NODE)
        second = await both.next()
        assert both.source.kind is SourceKind.NODE
        assert second.clean, "another chain, perhaps"
        assert second.job_id != first.job_id, "the same id at two pools is two jobs"
        assert not both["A"].closed, "it tries to come back"


@within_limit
async def test_the_first_is_gone_back_to_once_it_is_steady() -> None:
    both = Several("A", "B", steady_seconds=0.05)
    async with both.source:
        await both.go_to_backup()
        backup = both["B"]
        for event in (Connecting("Stratum", "A"), JOB, LOST, JOB, dataclasses.replace(JOB, job_id="newest")):
            both["A"].says.put_nowait(event)  # flaps, then stays
        assert await both.next() == MovedTo("A", "payee of A", SourceKind.POOL)
        job = await both.next()
        assert job.job_id.endswith("newest")
        assert job.clean
        while not backup.closed:
            await asyncio.sleep(0.005)
        both["A"].says.put_nowait(LOST)
        await both.next(Disconnected)
        while len(both.made["B"]) < 2:
            await asyncio.sleep(0)  # a new one: a source is opened once


@within_limit
async def test_shares_go_back_to_where_their_job_is_from() -> None:
    both = Several("A", "B", steady_seconds=0.0)
    async with both.source:
        of_backup = (await both.go_to_backup()).work(b"abcd").share(7)
        backup = both["B"]
        backup.verdict.clear()
        waiting = asyncio.create_task(both.source.submit(of_backup))
        while not backup.shares:
            await asyncio.sleep(0.005)
        both["A"].says.put_nowait(JOB)
        of_first = (await both.next(Job)).work(b"abcd").share(8)
        assert await both.source.submit(of_first) == ShareResult(of_first, ShareStatus.REJECTED, "said A")
        assert not backup.closed, "a verdict is out"
        backup.verdict.set()
        assert await waiting == ShareResult(of_backup, ShareStatus.REJECTED, "said B")
        assert backup.shares[0].job.job_id == JOB.job_id == both["A"].shares[0].job.job_id
        assert backup.shares[0].header == of_backup.header
        while not backup.closed:
            await asyncio.sleep(0.005)
        assert (await both.source.submit(of_backup)).status is ShareStatus.STALE


@within_limit
async def test_reports_go_to_the_one_that_is_mined_at() -> None:
    report = MinerReport("portable", 1, 2, 3.0)
    both = Several("A", "B")
    async with both.source:
        await both.source.report(report)
        both["A"].says.put_nowait(JOB)
        await both.next(Job)
        await both.source.report(report)
    assert (both["A"].reports, both["B"].reports) == ([report], [])


@within_limit
async def test_who_is_mined_at_hears_that_its_job_is_used_up() -> None:
    both = Several("A", "B")
    async with both.source:
        assert not both.source.used_up()
        await both.go_to_backup()
        assert both.source.used_up()
    assert (both["A"].asked, both["B"].asked) == (0, 1)


@within_limit
async def test_a_source_that_moves_by_itself_is_named_once_it_is_mined_at() -> None:
    both = Several("A", "B")
    async with both.source:
        for times in (1, 2):
            both["A"].label = f"A{times}"
            both["A"].says.put_nowait(MovedTo(both["A"].label, both["A"].payee, SourceKind.POOL))
            both["A"].says.put_nowait(JOB)
            assert await both.next() == MovedTo(f"A{times}", "payee of A", SourceKind.POOL)
            assert isinstance(await both.next(), Job)
            both["A"].says.put_nowait(LOST)
            await both.next(Disconnected)


@within_limit
async def test_a_source_that_gives_up_is_told_of_and_the_next_one_taken() -> None:
    three = Several("A", "B", "C")
    async with three.source:
        three["A"].says.put_nowait(SourceError("A refused the login"))
        told = await three.next()
        assert (told.reason, 1000 <= told.retry_seconds <= 1250) == ("A refused the login", True)
        await three.until_opened("B")
        three["B"].says.put_nowait(LOST)
        await three.next(Disconnected)
        await three.until_opened("C")
        three["C"].says.put_nowait(JOB)
        await three.next(Job)
        three["B"].says.put_nowait(SourceError("B gave up"))
        told = await three.next(Notice)
        assert re.fullmatch(r"B gave up; to be tried again in (1[7-9]|2[01]) minutes", told.text)
        three["C"].says.put_nowait(SourceError("C gave up"))
        with pytest.raises(SourceError, match="C gave up"):
            await three.next()
        assert [len(made) for made in three.made.values()] == [1, 1, 1]


@within_limit
async def test_a_source_that_gave_up_is_opened_again_after_a_while_and_gone_back_to() -> None:
    both = Several("A", "B", given_up_seconds=0.02)
    async with both.source:
        both["A"].says.put_nowait(SourceError("A refused the login"))
        await both.next(Disconnected)
        await both.until_opened("B")
        both["B"].says.put_nowait(JOB)
        await both.next(Job)
        while len(both.made["A"]) < 2:
            await asyncio.sleep(0.001)
        await both.until_opened("A")
        both["A"].says.put_nowait(JOB)
        assert await both.next() == MovedTo("A", "payee of A", SourceKind.POOL)


@within_limit
async def test_who_gives_up_again_and_again_is_left_alone_for_longer_and_longer(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("miner.sources.failover.MAX_GIVEN_UP_SECONDS", 0.03)
    both = Several("A", "B", given_up_seconds=0.01)
    pauses = []
    async with both.source:
        for times in range(1, 5):
            while len(both.made["A"]) < times:
                await asyncio.sleep(0.001)
            both["A"].says.put_nowait(SourceError("no"))
            pauses.append((await both.next(Disconnected)).retry_seconds)
    for pause, least in zip(pauses, (0.01, 0.02, 0.03, 0.03), strict=True):
        assert least <= pause <= 1.25 * least


@within_limit
async def test_who_gave_up_is_not_asked_while_a_better_one_is_mined_at() -> None:
    both = Several("A", "B", given_up_seconds=0.01)
    async with both.source:
        both["A"].says.put_nowait(LOST)
        await both.next(Disconnected)
        await both.until_opened("B")
        both["B"].says.put_nowait(SourceError("no"))
        await both.next(Disconnected)
        both["A"].says.put_nowait(JOB)
        await both.next(Job)
        while both.source._given_up:
            await asyncio.sleep(0.001)
        assert len(both.made["B"]) == 1
        both["A"].says.put_nowait(LOST)
        await both.next(Disconnected)
        assert len(both.made["B"]) == 2, "but once it is needed"


@within_limit
async def test_a_better_one_that_waits_to_be_steady_is_taken_at_once_in_need() -> None:
    both = Several("A", "B", steady_seconds=1e6)
    async with both.source:
        await both.go_to_backup()
        both["A"].says.put_nowait(JOB)
        await asyncio.sleep(0)
        both["B"].says.put_nowait(LOST)
        assert await both.next() == LOST
        assert await both.next() == MovedTo("A", "payee of A", SourceKind.POOL)


@within_limit
async def test_one_that_was_taken_in_need_is_not_taken_again_when_it_would_be_steady() -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    for lost_again in (False, True):
        both = Several("A", "B", steady_seconds=0.01)
        async with both.source:
            await both.go_to_backup()
            both["A"].says.put_nowait(JOB)
            both["B"].says.put_nowait(LOST)
            await both.next(Job)
            if lost_again:
                both["A"].says.put_nowait(LOST)
                await both.next(Disconnected)
            await asyncio.sleep(0.01)  # begun after A's time to be steady, so over after it
            both["A"].says.put_nowait(Notice("nothing new"))
            assert await both.next() == Notice("nothing new")
    assert not faults


@within_limit
async def test_in_need_the_best_of_those_that_have_work_is_taken() -> None:
    several = Several("A", "B", "C", steady_seconds=1e3, given_up_seconds=0.0)
    async with several.source:
        several["A"].says.put_nowait(SourceError("A: login refused"))
        await several.next(Disconnected)
        while len(several.made["A"]) < 2 or not several["A"].opened:  # opened again, after B
            await asyncio.sleep(0.005)
        several["B"].says.put_nowait(LOST)
        await several.until_opened("C")
        several["C"].says.put_nowait(JOB)
        await several.next(Job)
        several["B"].says.put_nowait(JOB)
        several["A"].says.put_nowait(JOB)
        several["C"].says.put_nowait(LOST)
        assert (await several.next(MovedTo)).label == "A"


@within_limit
async def test_a_hub_that_is_done_ends_it() -> None:
    both = Several("A", "B")
    async with both.source:
        both["A"].says.put_nowait(Finished("done"))
        assert await both.next() == Finished("done")
        with pytest.raises(AssertionError, match="ended"):
            await both.next()


@within_limit
async def test_closing_ends_the_events() -> None:
    both = Several("A", "B")
    reading = asyncio.create_task(both.next())
    await both.until_opened("A")
    await both.source.aclose()
    await both.source.aclose()
    with pytest.raises(AssertionError, match="ended"):
        await reading


def test_bad_settings_of_the_last_backup_show_at_once() -> None:
    backup = SourceConfig(url="stratum+tcp://b:2")
    with pytest.raises(UsageError, match="no user given for the pool b"):
        open_source(SourceConfig(url="stratum+tcp://a:1", username="u", backups=(backup,)))


@within_limit
async def test_two_pools_over_tcp_and_the_way_back() -> None:
    accepted = []

    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        while True:
            share = await miner.next_share()
            accepted.append(share.username)
            miner.protocol.accept(share)

    def config(pool: Pool, name: str) -> SourceConfig:
        return SourceConfig(url=pool.url, username=name, retry_pause=0.1, timeout=20.0)

    async def one_share() -> None:
        async for event in events:
            if isinstance(event, Job):
                assert (await source.submit(event.work(b"abcd").share(0))).status is ShareStatus.ACCEPTED
                return

    async with Pool(script) as backup:
        async with Pool(script) as pool:
            port = pool.port
            configs = config(pool, "first"), config(backup, "second")
            source = FailoverSource([functools.partial(open_source, one) for one in configs], steady_seconds=0.0)
            events = source.events()
            await one_share()
        await one_share()
        async with Pool(script, port=port):
            await one_share()
            await source.aclose()
    assert accepted == ["first", "second", "first"]

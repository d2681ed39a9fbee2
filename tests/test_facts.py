"""The figures that every face of a run shows: made of events, in bounded memory, at the same small cost for each."""

import dataclasses
import itertools

import pytest

from hub_players import make_job
from miner.core.average import MINUTE, QUARTER, Averages
from miner.core.events import BlockFound, Hashrate, NewJob, ShareDone, Started, Totals, Trouble
from miner.core.model import MinerReport, ShareResult, ShareStatus
from miner.core.source import Disconnected, Notice, SourceKind
from miner.core.target import MAX_TARGET, expected_hashes
from miner.front.facts import BLOCKS_KEPT, EVENTS_KEPT, MESSAGES_KEPT, SHARES_KEPT, Facts
from miner.front.history import COARSE_SAMPLES, FINE_SAMPLES
from miner.front.snapshot import LATENCY_BOUNDS
from miner.hub.events import HubShare, MinerJoined
from miner.hub.roster import Roster

START = 1_000_000.0
STARTED = Started("stratum+tcp://h:1", "pool user u", "scrypt", "avx2", 2, (4, 6), kind=SourceKind.POOL)
JOB = dataclasses.replace(make_job(), share_target=MAX_TARGET // 1000, height=7)
SHARE = JOB.work(bytes(JOB.extranonce2_size)).share(1)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def verdict(accepted: int, status: ShareStatus = ShareStatus.ACCEPTED, seconds: float = 0.02) -> ShareDone:
    return ShareDone(ShareResult(SHARE, status, block=True), accepted, 0, 0, 100.0, seconds)


def hashing(facts: Facts, clock: Clock, seconds: int, rate: int = 100) -> None:
    """Two threads that hash at half of `rate` H/s each, and tell so each second."""
    for _ in range(seconds):
        clock.now += 1
        for thread in range(2):
            facts.take(Hashrate(thread, rate // 2, 1.0))


def test_a_miner_alone_has_one_row_that_says_what_the_totals_say(clock: Clock) -> None:
    facts = Facts("miner", host="here", clock=clock)
    assert not [*facts.rows()] and facts.snapshot().miners == 0
    facts.take(STARTED)
    facts.take(NewJob(JOB, True, JOB.share_target))
    hashing(facts, clock, 10)
    facts.take(verdict(1))
    now = facts.snapshot()
    (row,) = facts.rows()
    assert (now.source, now.payee, now.kind, now.algorithm, now.height) == (
        "stratum+tcp://h:1", "pool user u", SourceKind.POOL, "scrypt", 7)
    assert (row.name, row.threads, row.kernel, row.hashes, row.hashrate) == ("here", 2, "avx2", 1000, 100.0)
    assert (now.hashes, now.hashrate, now.accepted, now.miners) == (1000, 100.0, 1, 1)
    assert now.share_seconds == pytest.approx(expected_hashes(JOB.share_target) / 100)
    assert now.last_share == row.last_share == clock.now
    assert [(thread.cpu, thread.hashrate) for thread in now.threads] == [(4, 50.0), (6, 50.0)]
    facts.take(Totals(1234, 11.0, 112.0, 1, 2, 3, 4, 5))
    done = facts.snapshot()
    assert (done.hashes, done.accepted, done.rejected, done.stale) == (1234, 1, 2, 3)
    assert (done.blocks, done.aux_blocks) == (4, 5)
    assert done.ended and not done.hashrate


def test_a_thread_that_tells_nothing_hashes_nothing(clock: Clock) -> None:
    facts = Facts("miner", clock=clock)
    facts.take(STARTED)
    hashing(facts, clock, 3)
    clock.now += 60
    assert facts.snapshot().hashrate == 0
    hashing(facts, clock, 1)
    facts.take(Disconnected("the pool hung up", 30.0))
    lost = facts.snapshot()
    assert lost.hashrate == 0 and lost.trouble == "the pool hung up" and lost.share_seconds is None
    facts.take(NewJob(JOB, True))
    assert facts.snapshot().trouble == ""


def test_averages_forget_and_are_right_from_the_start() -> None:
    averages = Averages()
    assert averages.over(MINUTE, 5.0) == 0
    averages.set(100.0, 10.0)
    assert averages.over(MINUTE, 10.0) == averages.over(QUARTER, 12.0) == pytest.approx(100.0)
    averages.set(0.0, 1810.0)
    assert averages.over(MINUTE, 1810.0) == pytest.approx(100.0)
    assert averages.over(MINUTE, 1870.0) == pytest.approx(36.8, rel=0.01)
    assert averages.over(QUARTER, 1870.0) > 90


def test_averages_are_the_same_however_often_a_rate_is_set() -> None:
    often, once = Averages(), Averages()
    once.set(50.0, 0.0)
    for step in range(100_000):
        often.set(50.0, step / 1000)
    assert often.over(MINUTE, 100.0) == pytest.approx(once.over(MINUTE, 100.0))


def test_samples_hold_what_was_between_them(clock: Clock) -> None:
    facts = Facts("miner", clock=clock)
    facts.take(STARTED)
    hashing(facts, clock, 61)
    facts.take(verdict(3))
    hashing(facts, clock, 61, rate=200)
    now = facts.snapshot()
    assert [sample.time for sample in now.long] == [START + 60, START + 120]
    assert [sample.accepted for sample in now.long] == [0, 3]
    assert now.long[1].latency == pytest.approx(0.02) and now.long[0].latency is None
    assert now.long[1].hashrate == pytest.approx(200, rel=0.05)
    assert len(now.recent) == 61 and now.recent[-1].hashrate == pytest.approx(200)
    assert sum(sample.accepted for sample in now.recent) == 3


def test_latency_is_counted_in_its_bounds(clock: Clock) -> None:
    facts = Facts("hub", clock=clock)
    for seconds in (0.0005, 0.02, 0.02, 99.0):
        facts.take(HubShare("a", ShareStatus.ACCEPTED, "", False, False, None, 1, 0, 0, 0.0, seconds))
    latency = facts.snapshot().latency
    assert latency.counts[0] == 1 and latency.counts[LATENCY_BOUNDS.index(0.025)] == 2 and latency.counts[-1] == 1
    assert latency.seconds == pytest.approx(99.0405)


def test_memory_is_bounded(clock: Clock) -> None:
    facts = Facts("miner", clock=clock)
    facts.take(STARTED)
    for number in range(5000):
        facts.message(f"line {number}")
        facts.take(verdict(number))
        facts.take(BlockFound(ShareResult(SHARE, ShareStatus.ACCEPTED, block=True), "00" * 32))
        facts.take(Hashrate(0, 1, 1.0))
        facts.take(Notice("talk"))
        clock.now += 1
    clock.now += 1e9
    now = facts.snapshot()
    assert len(now.messages) == MESSAGES_KEPT and now.messages[-1].text == "line 4999"
    assert len(now.found) == BLOCKS_KEPT and now.blocks == 5000
    assert len(now.recent) <= FINE_SAMPLES and len(now.long) <= COARSE_SAMPLES
    log = facts.log()
    assert len(log) == EVENTS_KEPT + SHARES_KEPT
    assert all(one.number < two.number for one, two in itertools.pairwise(log))
    assert facts.log(after=log[-2].number) == log[-1:]


def test_a_hubs_rows_and_sums_are_its_books(clock: Clock) -> None:
    roster, facts = Roster(), Facts("hub", clock=clock)
    facts.attach(roster)
    facts.works_for("stratum+tcp://h:1", "pool user u", SourceKind.POOL, "scrypt")
    rows = [roster.join(f"miner-{number}", "10.0.0.1", "agent", 5.0) for number in range(3)]
    for row in rows:
        roster.report(row, MinerReport("avx2", 2, 1000, 50.0))
    rows[0].difficulty = 0.5
    roster.share(rows[0], ShareStatus.ACCEPTED, MAX_TARGET // 100, True)
    roster.leave(rows[2])
    now, shown = facts.snapshot(), [*facts.rows()]
    assert (now.miners, now.gone, now.hashes, now.hashrate, now.accepted, now.blocks) == (2, 1, 3000, 100.0, 1, 1)
    assert [row.name for row in shown] == ["miner-0", "miner-1", "miner-2"]
    assert shown[0].difficulty == 0.5 and shown[0].last_share > 0 and shown[1].last_share == 0
    assert shown[0].hashrate_1m == pytest.approx(50.0)
    assert sum(row.hashes for row in shown) == now.hashes == roster.snapshot().hashes
    assert now.source == "stratum+tcp://h:1" and now.kind is SourceKind.POOL


def test_averages_of_a_hub_begin_with_its_first_miner(clock: Clock) -> None:
    roster, facts = Roster(), Facts("hub", clock=clock)
    facts.attach(roster)
    clock.now += 600
    assert facts.snapshot().hashrate_15m == 0
    roster.report(roster.join("a", "", "", 1.0), MinerReport("avx2", 1, 10, 50.0))
    facts.snapshot()
    clock.now += 1
    assert facts.snapshot().hashrate_15m == pytest.approx(50.0)


def test_the_seconds_of_a_run_count_from_where_they_do_for_its_command(clock: Clock) -> None:
    joined = MinerJoined(Roster().join("a", "", "", 1.0).stats())
    for command, begin in (("miner", lambda facts: facts.take(STARTED)), ("hub", lambda facts: facts.attach(Roster())),
                           ("spark", lambda facts: facts.take(joined))):
        facts = Facts(command, seconds=10.0, clock=clock)
        if command == "spark":
            facts.attach(Roster())
        assert facts.snapshot().since == 0
        clock.now += 5
        begin(facts)
        began, clock.now = clock.now, clock.now + 5
        facts.take(joined)
        assert facts.snapshot().since == began


def test_what_ends_a_run_is_told(clock: Clock) -> None:
    facts = Facts("miner", clock=clock)
    facts.take(Trouble("a thread failed", fatal=False))
    assert facts.snapshot().ended == ""
    facts.take(Trouble("the pool is gone for good", fatal=True))
    assert facts.snapshot().ended == "the pool is gone for good"


def test_messages_are_one_printable_line(clock: Clock) -> None:
    facts = Facts("miner", clock=clock)
    facts.message("a\x1b[31mred\nline" + "x" * 1000)
    (message,) = facts.snapshot().messages
    assert message.text.isprintable() and len(message.text) <= 500

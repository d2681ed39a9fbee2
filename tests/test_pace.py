"""How long a share takes: told when it is known, and again when it changes."""

import dataclasses

import pytest

from miner.core.algorithm import Algorithm
from miner.core.events import Hashrate, MinerEvent, NewJob, Started
from miner.core.source import MovedTo, SourceKind
from miner.core.target import difficulty_to_target
from miner.front.pace import Pace, duration
from miner.front.report import Report
from stratum_samples import REGTEST_JOB

SCRYPT = Algorithm.parse("scrypt")
POOL = Started("stratum+tcp://h:1", "pool user u", "scrypt", "portable", 2, (), kind=SourceKind.POOL)


def at(difficulty: float, *, block: bool = False) -> NewJob:
    target = difficulty_to_target(difficulty, SCRYPT)
    return NewJob(dataclasses.replace(REGTEST_JOB, nbits=0x1A00FFFF, share_target=0 if block else target), False)


def told(*events: MinerEvent) -> list[str]:
    pace = Pace()
    return [line for event in events for line in pace.lines(event)]  # type: ignore[arg-type]


RATES = Hashrate(0, 32768, 1.0), Hashrate(1, 65536, 2.0)  # 65536 H/s together: a share of difficulty 1 a second


def test_it_is_told_once_every_threads_hashrate_is_known() -> None:
    assert told(POOL, at(16), RATES[0]) == []
    assert told(POOL, at(16), *RATES, *RATES, at(16)) == ["Difficulty 16: a share every 16 seconds on average"]


def test_each_change_is_told_at_once() -> None:
    assert told(POOL, at(16), *RATES, at(0.5), at(0.5), at(16)) == [
        f"Difficulty {difficulty}: a share every {seconds} seconds on average"
        for difficulty, seconds in (("16", "16"), ("0.5", "0.5"), ("16", "16"))]


def test_beyond_a_pools_patience_the_way_out_is_named() -> None:
    assert len(told(POOL, at(590), *RATES)) == 1
    line, warning = told(POOL, at(7200), *RATES)
    assert line == "Difficulty 7200: a share every 2 hours on average"
    assert "10 minutes" in warning
    assert "--suggest-difficulty" in warning
    assert len(told(dataclasses.replace(POOL, kind=SourceKind.HUB), at(7200), *RATES)) == 1  # it sets what suits us


def test_what_is_handed_in_is_told_where_blocks_are_easier_than_shares() -> None:
    harder = dataclasses.replace(at(16).job, nbits=0x207FFFFF)
    offered, line = told(POOL, NewJob(harder, False, harder.network_target), *RATES,
                         NewJob(harder, False, harder.share_target))
    assert ": a block every " in offered
    assert line == "Difficulty 16: a share every 16 seconds on average"


def test_where_each_share_is_a_block_it_is_told_once() -> None:
    node = dataclasses.replace(POOL, source="http://h:1/", kind=SourceKind.NODE)
    line, = told(node, at(1, block=True), *RATES, at(1, block=True), at(2))
    assert ": a block every " in line


def test_another_source_is_told_of_anew() -> None:
    node = dataclasses.replace(POOL, source="http://h:1/", kind=SourceKind.NODE)
    moved = MovedTo("stratum+tcp://h:1", "pool user u", SourceKind.POOL)
    assert told(node, at(1), *RATES, moved, at(1), at(2)) == [
        f"Difficulty {difficulty}: a share every {difficulty} seconds on average" for difficulty in "112"]


def test_threads_that_stand_still_tell_nothing() -> None:
    assert told(POOL, at(16), Hashrate(0, 0, 1.0), Hashrate(1, 0, 1.0)) == []


@pytest.mark.parametrize(("seconds", "text"), [
    (0.04, "0.04 seconds"), (12.3, "12 seconds"), (119, "119 seconds"), (300, "5 minutes"), (7200, "2 hours"),
    (1e6, "12 days"), (1e9, "32 years"), (1e17, "3.2e+09 years"),
])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_report_tells_it_quietly_too() -> None:
    report = Report(quiet=True)
    lines = [line for event in (POOL, at(16), *RATES) for line in report.lines(event)]
    assert lines[-1] == "Difficulty 16: a share every 16 seconds on average"

"""The hub's books."""

import pytest

from miner.core.model import MinerReport, ShareStatus
from miner.core.target import MAX_TARGET
from miner.hub import roster as roster_module
from miner.hub.roster import Roster


def test_sums_are_the_rows_sums() -> None:
    roster = Roster()
    first, second = (roster.join(name, "127.0.0.1", "agent", 1.0) for name in "ab")
    for row, status, block in ((first, ShareStatus.ACCEPTED, True), (first, ShareStatus.ACCEPTED, False),
                               (second, ShareStatus.STALE, False), (second, ShareStatus.REJECTED, True)):
        roster.share(row, status, MAX_TARGET // 100, block)
    sums = roster.snapshot()
    assert (sums.accepted, sums.rejected, sums.stale, sums.blocks) == (2, 1, 1, 1)
    assert [(row.accepted, row.rejected, row.stale, row.blocks) for row in sums.miners] == [(2, 0, 0, 1), (0, 1, 1, 0)]
    roster.share(second, ShareStatus.STALE, MAX_TARGET // 100, True, aux=True)  # the parent's chain had moved on
    assert roster.snapshot().aux_blocks == roster.snapshot().miners[1].aux_blocks == 1
    assert sums.hashes == 200 and sums.miners[0].estimated, "what accepted shares stand for, where nobody reports"


def test_the_miners_own_figures_go_before_estimates() -> None:
    roster = Roster()
    row = roster.join("a", "10.0.0.1", "agent", 1.0)
    roster.share(row, ShareStatus.ACCEPTED, MAX_TARGET // 1000, False)
    row.report(MinerReport("avx2", 3, 77, 5.0, "executor-1"))
    stats = row.stats()
    assert (stats.hashes, stats.hashrate, stats.estimated, stats.host) == (77, 5.0, False, "executor-1")
    row.report(MinerReport("avx2", 3, 99, 5.0))
    assert row.stats().hashes == 99, "sums, not differences"
    row.report(MinerReport("avx2", 3, 1, 5.0))
    assert row.stats().hashes == 100, "started again"


def test_a_host_that_was_reported_outlives_a_lost_connection() -> None:
    roster = Roster()
    row = roster.join("a", "10.0.0.1", "agent", 1.0)
    row.report(MinerReport("avx2", 3, 77, 5.0, "executor-1"))
    hosts = []
    for address in ("10.0.0.1", "10.0.0.2"):
        row.connected = False
        assert roster.join("a", address, "agent", 2.0) is row
        hosts.append(row.stats().host)
    assert hosts == ["executor-1", "10.0.0.2"], "from elsewhere it is another machine, until it says which"


def test_hashrates_count_while_their_miners_are_here() -> None:
    roster = Roster()
    first, second = (roster.join(name, "", "", 1.0) for name in "ab")
    first.report(MinerReport("k", 1, 10, 5.0))
    second.report(MinerReport("k", 1, 10, 7.0))
    assert roster.snapshot().hashrate == 12.0
    first.connected = False
    sums = roster.snapshot()
    assert (sums.hashrate, sums.connected, sums.hashes, len(sums.miners)) == (7.0, 1, 20, 2)


def test_rows_of_the_long_gone_make_room_and_their_work_still_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_module, "MAX_ROWS", 3)
    roster = Roster()
    for number in range(6):
        row = roster.join(f"m{number}", "", "", 1.0)
        row.report(MinerReport("k", 1, 10, 5.0))
        row.connected = number == 0
    sums = roster.snapshot()
    assert [row.name for row in sums.miners] == ["m0", "m4", "m5"]
    assert sums.hashes == 60

"""The hub's books."""

import pytest

from miner.core.model import MinerReport, ShareStatus
from miner.hub import roster as roster_module
from miner.hub.roster import Roster


def test_sums_are_the_rows_sums() -> None:
    roster = Roster()
    first, second = (roster.join(name, "127.0.0.1", "agent", 1.0) for name in "ab")
    for row, status, block in ((first, ShareStatus.ACCEPTED, True), (first, ShareStatus.ACCEPTED, False),
                               (second, ShareStatus.STALE, False), (second, ShareStatus.REJECTED, True)):
        roster.share(row, status, 100.0, block)
    sums = roster.snapshot()
    assert (sums.accepted, sums.rejected, sums.stale, sums.blocks) == (2, 1, 1, 1)
    assert [(row.accepted, row.rejected, row.stale, row.blocks) for row in sums.miners] == [(2, 0, 0, 1), (0, 1, 1, 0)]
    roster.share(second, ShareStatus.STALE, 100.0, True, aux=True)  # the parent's chain had moved on
    assert roster.snapshot().aux_blocks == roster.snapshot().miners[1].aux_blocks == 1
    assert sums.hashes == 200 and sums.miners[0].estimated, "what accepted shares stand for, where nobody reports"


def test_the_miners_own_figures_go_before_estimates() -> None:
    roster = Roster()
    row = roster.join("a", "10.0.0.1", "agent", 1.0)
    roster.share(row, ShareStatus.ACCEPTED, 1000.0, False)
    roster.report(row, MinerReport("avx2", 3, 77, 5.0, "executor-1"))
    stats = row.stats()
    assert (stats.hashes, stats.hashrate, stats.estimated, stats.host) == (77, 5.0, False, "executor-1")
    roster.report(row, MinerReport("avx2", 3, 99, 5.0))
    assert row.stats().hashes == 99, "sums, not differences"
    roster.report(row, MinerReport("avx2", 3, 1, 5.0))
    assert row.stats().hashes == 100, "started again"


def test_a_host_that_was_reported_outlives_a_lost_connection() -> None:
    roster = Roster()
    row = roster.join("a", "10.0.0.1", "agent", 1.0)
    roster.report(row, MinerReport("avx2", 3, 77, 5.0, "executor-1"))
    hosts = []
    for address in ("10.0.0.1", "10.0.0.2"):
        roster.leave(row)
        assert roster.join("a", address, "agent", 2.0) is row
        hosts.append(row.stats().host)
    assert hosts == ["executor-1", "10.0.0.2"], "from elsewhere it is another machine, until it says which"


def test_hashrates_count_while_their_miners_are_here() -> None:
    roster = Roster()
    first, second = (roster.join(name, "", "", 1.0) for name in "ab")
    roster.report(first, MinerReport("k", 1, 10, 5.0))
    roster.report(second, MinerReport("k", 1, 10, 7.0))
    assert roster.snapshot().hashrate == 12.0
    roster.leave(first)
    sums = roster.snapshot()
    assert (sums.hashrate, sums.connected, sums.hashes, len(sums.miners)) == (7.0, 1, 20, 2)


def test_rows_of_the_long_gone_make_room_and_their_work_still_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_module, "MAX_ROWS", 3)
    roster = Roster()
    for number in range(6):
        row = roster.join(f"m{number}", "", "", 1.0)
        roster.report(row, MinerReport("k", 1, 10, 5.0))
        if number:
            roster.leave(row)
    sums = roster.snapshot()
    assert [row.name for row in sums.miners] == ["m0", "m4", "m5"]
    assert sums.hashes == 60


def test_more_miners_than_rows_are_kept_may_be_here_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_module, "MAX_ROWS", 2)
    roster = Roster()
    rows = [roster.join("farm", "", "", 1.0) for _ in range(4)]
    assert [row.name for row in rows] == ["farm", "farm#2", "farm#3", "farm#4"]


def test_the_lowest_free_number_of_a_name_is_given_out() -> None:
    roster = Roster()
    rows = [roster.join("farm", "", "", 1.0) for _ in range(5)]
    for number in (4, 1, 2):
        roster.leave(rows[number])
    assert [roster.join("farm", "", "", 2.0) for _ in range(3)] == [rows[1], rows[2], rows[4]]
    assert roster.join("farm", "", "", 2.0).name == "farm#6"


def test_a_name_that_looks_like_a_numbered_one_is_nobody_elses() -> None:
    roster = Roster()
    chosen = roster.join("farm#2", "", "", 1.0)
    assert [roster.join("farm", "", "", 1.0).name for _ in range(2)] == ["farm", "farm#3"]
    roster.leave(chosen)
    assert roster.join("farm#2", "", "", 2.0) is chosen


def test_the_hubs_hashrate_is_that_of_who_is_here_whatever_came_before() -> None:
    roster = Roster()
    rows = [roster.join("farm", "", "", 1.0) for _ in range(10)]
    for change in range(1000):
        roster.estimate(rows[change % 10], change * 1e9 / 7)
    for row in rows[1:]:
        roster.leave(row)
        roster.estimate(row, 1e15)
    assert roster.hashrate == pytest.approx(990e9 / 7)
    roster.leave(rows[0])
    assert roster.hashrate == 0.0
    roster.join("farm", "", "", 2.0)
    assert roster.hashrate == pytest.approx(990e9 / 7), "its row is as it left it, until it says or shows otherwise"

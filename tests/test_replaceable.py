"""A source that another one takes the place of, while a hub's miner works on."""

import pytest

from hub_players import ScriptedSource, Watched, make_job, solve, with_hub
from miner.core.errors import SourceError
from miner.core.model import ShareStatus
from miner.core.source import MovedTo, Notice
from miner.hub.events import MinerLeft
from miner.sources import replaceable
from miner.sources.replaceable import ReplaceableSource


@pytest.fixture(autouse=True)
def no_long_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaceable, "FAREWELL_SECONDS", 0.1)


def test_another_source_takes_the_place_when_it_has_work_and_no_miner_is_lost() -> None:
    async def play(watched: Watched, source: ReplaceableSource) -> None:
        player = watched.player()
        before = await player.job()
        second = ScriptedSource()
        second.label = "the second"  # type: ignore[misc]
        source.replace(second)
        assert (await player.source.submit(solve(before))).status is ShareStatus.ACCEPTED
        second.push(make_job("b", 7, clean=False))
        job = await player.job(lambda job: job.prev_hash != before.prev_hash)
        assert job.clean
        share = solve(job)
        assert (await player.source.submit(share)).status is ShareStatus.ACCEPTED
        assert [found.header for found in second.submitted] == [share.header]
        assert (await watched.heard(MovedTo)).label == source.label == "the second"
        assert (await player.source.submit(solve(before, 1))).status is ShareStatus.STALE
        second.push(None)  # and its end is the hub's
        await watched.hub.finished()
        assert not [event for event in watched.told if isinstance(event, MinerLeft) and "hub" not in event.reason
                    and "ended" not in event.reason]

    with_hub(lambda: ReplaceableSource(ScriptedSource(make_job())), play)


def test_one_that_gives_no_work_is_told_and_the_former_one_stays() -> None:
    async def play(watched: Watched, source: ReplaceableSource) -> None:
        player = watched.player()
        job = await player.job()
        bad = ScriptedSource()
        source.replace(bad)
        bad.push(SourceError("login refused"))
        notice = await watched.heard(Notice)
        assert notice.text == "the new source gives no work, so that the former one stays: login refused"
        assert (await player.source.submit(solve(job))).status is ShareStatus.ACCEPTED

    with_hub(lambda: ReplaceableSource(ScriptedSource(make_job())), play)

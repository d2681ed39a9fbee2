"""A hub whose source is away, changes its extranonces, or ends."""

import asyncio
from typing import Any

import pytest

from hub_players import (
    ACCEPTED,
    STALE,
    TOKEN,
    WAIT,
    RawMiner,
    ScriptedSource,
    Watched,
    as_slow_miner,
    make_job,
    scripted,
    solve,
)
from miner.core.errors import SourceError
from miner.core.source import Disconnected, Finished
from miner.hub import Hub, HubConfig, server
from miner.hub.events import HubBlock, HubStopped, MinerJoined, MinerLeft
from miner.stratum.fields import swap_words


def test_miners_that_can_not_be_told_to_rest_are_sent_off_and_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """minerd and cpuminer-opt hash on with what they have, and rest while they are not subscribed."""
    monkeypatch.setattr(server, "AWAY_SECONDS", 0.1)

    async def play(watched: Watched, source: ScriptedSource) -> None:
        player, raw = watched.player("ours"), await RawMiner.join(watched.address)
        await player.job()
        await raw.notice("mining.notify")
        source.push(Disconnected("gone", 60.0))
        assert await raw.hung_up()
        assert (await watched.heard(MinerLeft)).reason == "the hub has lost its source of work"
        again = await RawMiner.connect(watched.address)
        subscribing = again.ask("mining.subscribe", "raw/1")
        assert (await player.next(Disconnected)).retry_seconds == 60.0
        joining = asyncio.create_task(watched.player("newcomer").job())
        await watched.heard(MinerJoined, lambda event: event.miner.name == "newcomer")
        assert await again.silent(), "minerd would go on with its old job once it is subscribed"
        source.push(Disconnected("still gone", 60.0), make_job("b", 2))
        await again.hear(lambda message: message["id"] == subscribing)
        assert (await again.call("mining.authorize", "raw", TOKEN))["result"] is True
        assert (await again.notice("mining.notify"))[1] == swap_words(make_job(tip=2).prev_hash).hex()
        for job in (await player.job(), await joining):
            assert job.prev_hash == make_job(tip=2).prev_hash
        assert [event.miner.name for event in watched.told if isinstance(event, MinerLeft)] == ["raw", "other"]

    scripted(play)


def test_a_source_that_is_soon_back_costs_nobody_the_connection() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw = await RawMiner.join(watched.address)
        await raw.notice("mining.notify")
        source.push(Disconnected("gone", 1.0), make_job("b", 2))
        await raw.notice("mining.notify", lambda params: params[1] == swap_words(make_job(tip=2).prev_hash).hex())
        assert not [event for event in watched.told if isinstance(event, MinerLeft)]

    scripted(play)


def test_while_the_source_is_away_shares_are_stale_and_then_all_goes_on() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        player, job = await as_slow_miner(watched, "player", 100)
        source.push(Disconnected("gone", 7.0))
        assert await player.next(Disconnected) == Disconnected("the hub lost its source of work: gone", 7.0)
        result = await player.source.submit(solve(job))
        assert (result.status, source.submitted) == (STALE, [])
        assert "lost its source" in result.reason
        source.push(make_job("b", 1, clean=False, extranonce1=b"\xaa\xbb\xcc"))
        job = await player.job()
        assert job.clean, "whatever the source says: what was before is void"
        share = solve(job)
        assert (await player.source.submit(share)).status is ACCEPTED
        assert source.submitted[0].header == share.header

    scripted(play, make_job(hashes=1 << 40, share_hashes=100))


def test_a_block_that_was_found_as_the_source_was_lost_is_handed_to_it_all_the_same() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        player = watched.player()
        job = await player.job()
        source.push(Disconnected("gone", 7.0))
        await player.next(Disconnected)
        assert (await player.source.submit(solve(job))).status is ACCEPTED
        assert (await watched.heard(HubBlock)).miner == "player"

    scripted(play)


def test_a_new_extranonce1_asks_nothing_of_the_miners() -> None:
    """minerd has no idea of mining.set_extranonce; pools hand out a new extranonce1 at each reconnect."""
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw = await RawMiner.join(watched.address)
        for extranonce1, size in ((b"\x01" * 8, 8), (b"", 8), (b"\x02", 12)):
            source.push(make_job("b", 1, extranonce1=extranonce1, size=size))
            await raw.notice("mining.notify", lambda params, parts=b"begin" + extranonce1: parts.hex() in params[2])
        player = watched.player()
        share = solve(await player.job())
        assert (await player.source.submit(share)).status is ACCEPTED
        assert source.submitted[0].header == share.header, "the longer extranonce2 is filled up"

    scripted(play)


def test_a_shorter_extranonce2_moves_those_who_can_and_calls_back_the_others() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        player, raw = watched.player(), await RawMiner.join(watched.address)
        before = await player.job()
        source.push(make_job("b", 2, size=4))
        job = await player.job(lambda job: job.prev_hash != before.prev_hash)
        assert job.extranonce2_size == 2 < before.extranonce2_size
        share = solve(job)
        assert (await player.source.submit(share)).status is ACCEPTED
        assert source.submitted[0].header == share.header
        await raw.notice("client.reconnect")
        assert await raw.hung_up()

    scripted(play)


def test_the_sources_end_is_the_hubs_end() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        player = watched.player()
        await player.job()
        source.push(Finished("all done"), None)
        assert (await player.next(Finished)).reason == "all done"
        await player.source.aclose()
        assert await asyncio.wait_for(watched.hub.finished(), WAIT) == "all done"

    scripted(play)


def test_a_source_that_gives_up_fails_the_hub() -> None:
    async def main() -> None:
        told: list[Any] = []
        async with Hub(ScriptedSource(make_job(), SourceError("no luck")), HubConfig(), told.append) as hub:
            await hub.start()
            with pytest.raises(SourceError, match="no luck"):
                await asyncio.wait_for(hub.finished(), 10)
        assert told[-1] == HubStopped("no luck", failed=True)

    asyncio.run(main())

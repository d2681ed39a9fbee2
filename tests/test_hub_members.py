"""Who comes to a hub and who goes: tokens, names, slices, and the end of a job."""

import asyncio

import pytest

from hub_players import (
    TOKEN,
    RawMiner,
    ScriptedSource,
    Watched,
    make_job,
    scripted,
)
from miner.core.errors import SourceError
from miner.core.model import MinerReport
from miner.core.source import Finished, Notice
from miner.hub.events import MinerJoined, MinerLeft, MinerReported


def test_without_the_token_nobody_gets_in() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        for token in ("", "wrong", TOKEN + "x", TOKEN[:-1], "tökèn"):
            raw = await RawMiner.connect(watched.address)
            await raw.call("mining.subscribe")
            answer = await raw.call("mining.authorize", "x", token)
            assert answer["error"][0] == 24 and TOKEN not in str(answer)
            assert await raw.hung_up()
        with pytest.raises(SourceError, match="refused the login"):
            await watched.player("y", token="guess").job()
        assert not [event for event in watched.told if isinstance(event, MinerJoined)]
        assert "token" in (await watched.heard(Notice)).text
        assert TOKEN not in repr(watched.told) + repr(watched.hub.config)
        assert watched.hub.snapshot().miners == ()

    scripted(play)


def test_a_lost_miners_slice_is_not_searched_again_on_the_same_block() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        async def slice_of(raw: RawMiner) -> str:
            return str((await raw.call("mining.subscribe"))["result"][1])

        async def stay() -> tuple[RawMiner, str]:
            raw = await RawMiner.connect(watched.address)
            prefix = await slice_of(raw)
            await raw.call("mining.authorize", "x", TOKEN)
            await raw.notice("mining.notify")
            return raw, prefix

        lost, first = await stay()
        lost.close()
        await watched.heard(MinerLeft)
        other, second = await stay()
        assert first != second
        everyone = [await stay() for _ in range(254)]
        source.push(make_job("b", 2, size=2))
        await other.notice("mining.notify")
        assert (await stay())[1] == first, "on the next block it is as good as any"
        assert len({prefix for _, prefix in everyone} | {first, second}) == 256

    scripted(play, make_job(size=2))


def test_a_name_keeps_its_row() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        async def report(hashes: int, name: str) -> None:
            player = watched.player(name)
            await player.job()
            await player.source.report(MinerReport("avx512", 4, hashes, 12.5, "box"))
            await watched.heard(MinerReported, lambda event: event.miner.hashes == hashes and event.miner.name == name)
            await player.source.aclose()
            await watched.heard(MinerLeft, lambda event: event.miner.name == name)

        await report(1000, "worker")
        again = watched.player("worker")
        await again.job()
        await again.source.report(MinerReport("avx512", 4, 10, 12.5, "box"))
        event = await watched.heard(MinerReported, count=2)
        assert event.miner.hashes == 1010, "a new process of the same name counts from 0 again"
        twin = watched.player("worker")
        await twin.job()
        rows = watched.hub.snapshot().miners
        assert [(row.name, row.connected, row.kernel) for row in rows] == [
            ("worker", True, "avx512"), ("worker#2", True, "")]
        assert (rows[0].threads, rows[0].host, rows[0].hashrate, rows[0].estimated) == (4, "box", 12.5, False)
        assert watched.hub.snapshot().hashes == 1010

    scripted(play)


def test_hostile_names_are_bounded_and_printable() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw = await RawMiner.connect(watched.address)
        await raw.call("mining.subscribe", "agent\x1b[31m\n" + "x" * 1000)
        assert (await raw.call("mining.authorize", "x\x1b[2J", TOKEN))["error"][0] == 20
        assert (await raw.call("mining.authorize", "y" * 500, TOKEN))["result"] is True
        row = (await watched.heard(MinerJoined)).miner
        assert len(row.name) == 64 and row.agent.isprintable() and len(row.agent) <= 64

    scripted(play)


def test_stop_sends_everyone_home_with_a_last_report() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        player, raw = watched.player(), await RawMiner.join(watched.address, "stubborn")
        await player.job()

        async def go() -> None:
            assert (await player.next(Finished)).reason == "time is up"
            await player.source.report(MinerReport("test", 1, 4711, 0.0))
            await player.source.aclose()

        leaving = asyncio.create_task(go())
        await watched.hub.stop_miners("time is up", 5)
        await leaving
        assert await raw.hung_up()
        left = {event.miner.name: event.miner.hashes for event in watched.told if isinstance(event, MinerLeft)}
        assert left == {"player": 4711, "stubborn": 0}
        late = watched.player("late")
        assert (await late.next(Finished)).reason == "time is up"
        assert len([event for event in watched.told if isinstance(event, MinerJoined)]) == 2

    scripted(play)


def test_those_who_do_not_leave_are_hung_up_on() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw = await RawMiner.connect(watched.address)
        await raw.call("mining.configure", ["sparkminer"], {})
        await raw.call("mining.subscribe")
        await raw.call("mining.authorize", "deaf", TOKEN)
        await watched.hub.stop_miners("bye", 0.1)
        assert await raw.hung_up()
        assert (await watched.heard(MinerLeft)).reason == "bye"

    scripted(play)

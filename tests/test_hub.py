"""The hub over real TCP on the loopback, with our own client, a hub of a hub, and unmodified minerd."""

import asyncio
import subprocess
import sys

import pytest

import counterparts
from hub_players import (
    ACCEPTED,
    REJECTED,
    SHA256D,
    STALE,
    TOKEN,
    WAIT,
    RawMiner,
    ScriptedSource,
    Watched,
    make_job,
    scripted,
    solve,
    with_hub,
)
from miner.core.algorithm import Algorithm, sha256d
from miner.core.errors import SourceError
from miner.core.source import Finished, Notice
from miner.core.target import hash_value
from miner.hub import HubConfig
from miner.hub.events import HubBlock, HubShare
from miner.sandbox import SandboxSource
from miner.stratum.client import StratumSource


def test_shares_become_the_sources_blocks() -> None:
    async def play(watched: Watched, source: SandboxSource) -> None:
        player = watched.player("alice")
        tip = b""
        for height in (1, 2):
            job = await player.job(lambda job, tip=tip: job.prev_hash != tip)
            tip = job.prev_hash
            share = solve(job, most=job.network_target)
            result = await player.source.submit(share)
            assert (result.status, result.reason) == (ACCEPTED, "")
            assert source.height == height
            block = await watched.heard(HubBlock, count=height)
            assert block.miner == "alice"
            assert block.block_hash == sha256d(share.header)[::-1].hex()
            assert block.result.share.header == share.header
        assert watched.hub.snapshot().blocks == 2

    with_hub(lambda: SandboxSource(SHA256D), play)


def test_two_miners_never_get_the_same_work() -> None:
    """Whatever extranonce2 they try, on whatever job: the coinbases that the source sees are all different."""
    async def play(watched: Watched, source: ScriptedSource) -> None:
        coinbases = []
        tips = range(2, 5)
        players = [watched.player(name) for name in "ab"]
        for tip in (1, *tips):
            if tip > 1:
                source.push(make_job(f"job{tip}", tip))
            for player in players:
                job = await player.job(lambda job, tip=tip: job.height is None
                                       and job.prev_hash == sha256d(tip.to_bytes(4, "big")))
                for extranonce2 in (0, 1, 256**job.extranonce2_size - 1):
                    assert (await player.source.submit(solve(job, extranonce2))).status in (ACCEPTED, STALE)
                    coinbases.append(job.coinbase(extranonce2.to_bytes(job.extranonce2_size, "big")))
        assert len(set(coinbases)) == len(coinbases) == 2 * 3 * (1 + len(tips))
        for share in source.submitted:
            assert share.job.coinbase(share.work.extranonce2) in coinbases, "the source sees what the miner hashed"

    scripted(play)


@pytest.mark.parametrize("size", [2, 3, 4, 5, 8, 16])
def test_every_size_of_extranonce2_can_be_shared(size: int) -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        player = watched.player()
        share = solve(await player.job(), 1)
        assert (await player.source.submit(share)).status is ACCEPTED
        assert source.submitted[0].header == share.header
        assert len(source.submitted[0].work.extranonce2) == size

    scripted(play, make_job(size=size))


@pytest.mark.parametrize("size", [0, 1])
def test_too_little_extranonce2_ends_the_hub_with_the_reason(size: int) -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        with pytest.raises(SourceError, match=f"extranonce2_size is {size}: a hub needs at least 2"):
            await asyncio.wait_for(watched.hub.finished(), 10)

    scripted(play, make_job(size=size))


def test_a_new_job_reaches_everyone() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        players = [watched.player(f"p{number}") for number in range(5)]
        for player in players:
            assert (await player.job()).clean
        refreshed, moved = make_job("b", 1, clean=False, ntime=1_700_000_030), make_job("c", 2)
        source.push(refreshed)
        for player in players:
            job = await player.job(lambda job: job.ntime == refreshed.ntime)
            assert not job.clean and job.prev_hash == refreshed.prev_hash
        source.push(moved)
        for player in players:
            job = await player.job(lambda job: job.prev_hash == moved.prev_hash)
            assert job.clean

    scripted(play)


def test_a_job_that_is_followed_by_another_is_handed_out_to_nobody_any_more() -> None:
    """And what it voids is void all the same."""
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw = await RawMiner.join(watched.address)
        await raw.notice("mining.notify")
        source.push(make_job("b", 2), make_job("c", 2, clean=False, ntime=1_700_000_030))
        notify = await raw.notice("mining.notify")
        assert (notify[7], notify[8]) == (f"{1_700_000_030:08x}", True)

    scripted(play)


def test_miners_may_come_before_the_first_job() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        early = await RawMiner.connect(watched.address)
        subscribed, authorized = early.ask("mining.subscribe"), early.ask("mining.authorize", "x", TOKEN)
        await early.hear(lambda message: message["id"] == authorized)
        stranger = await RawMiner.connect(watched.address)
        assert await stranger.hung_up(), "by now more than login_seconds have passed"
        source.push(make_job())
        answer = await early.hear(lambda message: message["id"] == subscribed)
        assert len(answer["result"]) == 3
        assert await early.notice("mining.notify")

    scripted(play, Notice("nothing yet"), login_seconds=1.0)


def test_a_hub_can_be_a_hubs_source() -> None:
    async def play(outer: Watched, source: ScriptedSource) -> None:
        async def inside(inner: Watched, upstream: StratumSource) -> None:
            player = inner.player("leaf")
            share = solve(await player.job())
            assert (await player.source.submit(share)).status is ACCEPTED
            assert source.submitted[0].header == share.header
            stopping = asyncio.create_task(outer.hub.stop_miners("the end", WAIT))
            assert (await player.next(Finished)).reason == "the end"
            await player.source.aclose()
            await asyncio.wait_for(inner.hub.finished(), WAIT)
            await upstream.aclose()
            await stopping

        upstream = outer.player("inner").source
        made = Watched(upstream, HubConfig(token=TOKEN))
        async with made.hub:
            made.address = await made.hub.start()
            await inside(made, upstream)
            await made.leave()

    scripted(play)


@pytest.mark.minerd
def test_unmodified_minerd_mines_beside_ours() -> None:
    """As processes of their own: minerd, `python -m miner`, and a minerd that does not know the token."""
    program = str(counterparts.require("minerd", counterparts.minerd(), "name a minerd 2.5.1 by MINERD"))

    async def play(watched: Watched, source: SandboxSource) -> None:
        url = "stratum+tcp://{}:{}".format(*watched.address)

        def start(token: str) -> subprocess.Popen[bytes]:
            return subprocess.Popen([program, "-a", "scrypt", "-o", url, "-u", "old", "-p", token, "-t", "1", "-q",
                                     "-r", "0", "-R", "1"], stderr=subprocess.DEVNULL)

        ours = subprocess.Popen([sys.executable, "-m", "miner", "--hub", "-o", url, "-u", "ours", "-p", TOKEN,
                                 "-t", "1", "-q", "--no-pin", "--nice", "0"], stderr=subprocess.DEVNULL)
        stranger, process = start("wrong"), start(TOKEN)
        try:
            async with asyncio.timeout(WAIT):
                while not counterparts.out_of_idle(process.pid):
                    await asyncio.sleep(0.1)
            for name in ("old", "ours"):
                await watched.heard(HubShare, lambda share, name=name: share.miner == name and share.status is ACCEPTED,
                                    5)
            block = await watched.heard(HubBlock, count=3)
            share = block.result.share
            assert hash_value(Algorithm.parse("scrypt").hash(share.header)) <= share.job.network_target
            row, = (row for row in watched.hub.snapshot().miners if row.name == "old")
            assert (row.agent, row.estimated) == ("cpuminer/2.5.1", True) and row.hashes > 0
            await watched.heard(Notice, lambda notice: "doesn't know the hub's token" in notice.text)
            assert not [event for event in watched.told if isinstance(event, HubShare) and event.status is REJECTED]
            headers = [event.share.header for event in watched.told if isinstance(event, HubShare) and event.share]
            assert len(set(headers)) == len(headers), "no share twice"
        finally:
            for running in (stranger, process, ours):
                running.terminate()
                running.wait(10)

    with_hub(lambda: SandboxSource(Algorithm.parse("scrypt")), play)

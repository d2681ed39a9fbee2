"""The hub over real TCP on the loopback: our own client, unmodified minerd, and clients that mean no good."""

import asyncio
import dataclasses
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import counterparts
from hub_players import SHA256D, TOKEN, WAIT, RawMiner, ScriptedSource, Watched, make_job, solve, with_hub
from miner.core.algorithm import Algorithm, sha256d
from miner.core.errors import SourceError, UsageError
from miner.core.model import Job, MinerReport, Share, ShareResult, ShareStatus
from miner.core.offer import REFUSALS
from miner.core.source import Disconnected, Finished, Notice, SourceEvent
from miner.core.target import MAX_TARGET, hash_value
from miner.hub import Hub, HubConfig, judge, server
from miner.hub import connection as connection_module
from miner.hub import miner as miner_module
from miner.hub.events import HubBlock, HubShare, HubStopped, MinerJoined, MinerLeft, MinerReported
from miner.hub.slices import Layout
from miner.sandbox import SandboxSource
from miner.stratum.client import StratumSource
from miner.stratum.fields import swap_words
from miner.stratum.messages import Notify

ACCEPTED, REJECTED, STALE = ShareStatus.ACCEPTED, ShareStatus.REJECTED, ShareStatus.STALE
Play = Callable[[Watched, ScriptedSource], Awaitable[None]]


def scripted(play: Play, *events: SourceEvent, **config: Any) -> None:
    """Play against a hub whose source starts with these events (one easy job unless given)."""
    with_hub(lambda: ScriptedSource(*(events or (make_job(),))), play, **config)


# Mining


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


# Which shares go up


def test_each_refusal_has_its_code() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw, player = await RawMiner.join(watched.address), watched.player()
        job_id = (await raw.notice("mining.notify"))[0]
        job = await player.job()
        good = solve(job)

        async def refusal(name: str, job_id: str, extranonce2: str, ntime: str, nonce: str) -> int:
            answer = await raw.call("mining.submit", name, job_id, extranonce2, ntime, nonce)
            assert answer["result"] is None
            return int(answer["error"][0])

        size = job.extranonce2_size
        time, some = f"{job.ntime:08x}", bytes(size).hex()
        assert await refusal("raw", "nonsense", some, time, "00000000") == 21
        assert await refusal("stranger", job_id, some, time, "00000000") == 24
        assert await refusal("raw", job_id, some + "00", time, "00000000") == 20
        assert await refusal("raw", job_id, some, f"{job.ntime - 1:08x}", "00000000") == 20
        assert await refusal("raw", job_id, some, f"{job.ntime + 7201:08x}", "00000000") == 20
        assert await refusal("raw", job_id, some, "time", "00000000") == 20
        assert (await player.source.submit(solve(job, most=MAX_TARGET, above=job.share_target))).status is REJECTED
        assert source.submitted == []
        first, second = [await player.source.submit(good) for _ in range(2)]
        assert (first.status, second.status) == (ACCEPTED, STALE), "it was a block"
        newcomer = await RawMiner.connect(watched.address)
        answer = await newcomer.call("mining.submit", "raw", job_id, some, time, "00000000")
        assert answer["error"][0] == 25

    scripted(play)


def test_a_late_share_is_refused_whatever_is_in_it() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw = await RawMiner.join(watched.address)
        job_id = (await raw.notice("mining.notify"))[0]
        source.push(make_job("b", 2))
        await raw.notice("mining.notify")
        answer = await raw.call("mining.submit", "raw", job_id, "00", "00000000", "00000000")
        assert answer["error"][:2] == [21, "job not found: the chain moved on"]
        share = await watched.heard(HubShare)
        assert (share.status, share.share) == (STALE, None)

    scripted(play, make_job())


def test_a_share_of_another_slice_is_no_share_on_a_job_of_ones_own() -> None:
    """A miner that comes back on a new connection may still bring what it found on the old one."""
    async def play(watched: Watched, source: ScriptedSource) -> None:
        miners = [await RawMiner.join(watched.address, name) for name in ("one", "two")]
        ids = [(await raw.notice("mining.notify"))[0] for raw in miners]
        assert len(set(ids)) == 2
        answer = await miners[0].call("mining.submit", "one", ids[1], "00" * 5, "00000000", "00000000")
        assert answer["error"][:2] == [21, "job not found"]

    scripted(play, make_job())


def test_a_slice_that_was_searched_on_this_block_is_given_out_with_other_headers(
        monkeypatch: pytest.MonkeyPatch) -> None:
    one_slice = staticmethod(lambda size, miners: Layout(1, 8, 1, 0, size - 2))
    monkeypatch.setattr(Layout, "of", one_slice)

    async def play(watched: Watched, source: ScriptedSource) -> None:
        begun = []
        for number in range(3):
            raw = await RawMiner.join(watched.address)
            begun.append((await raw.notice("mining.notify"))[2])
            raw.close()
            await watched.heard(MinerLeft, count=number + 1)
        assert len(set(begun)) == 3

    scripted(play, make_job())


def test_who_submits_too_fast_gets_harder_shares_though_none_is_good() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw = await RawMiner.join(watched.address)
        first = (await raw.notice("mining.set_difficulty"))[0]
        job_id = (await raw.notice("mining.notify"))[0]
        for number in range(20):
            raw.ask("mining.submit", "raw", job_id, f"{number:010x}", f"{1_700_000_000:08x}", f"{number:08x}")
        assert (await raw.notice("mining.set_difficulty"))[0] > first
        assert watched.hub.snapshot().accepted == 0

    scripted(play, make_job(hashes=1 << 40))


def test_a_share_counts_once() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        player, job = await as_slow_miner(watched, "slow", 100)
        share = solve(job)
        results = [await player.source.submit(share) for _ in range(2)]
        assert [result.status for result in results] == [ACCEPTED, REJECTED]
        assert len(source.submitted) == 1
        assert (await watched.heard(HubShare, count=2)).reason == "duplicate share"

    scripted(play, make_job(hashes=1 << 40, share_hashes=100))


def test_any_stratum_miner_gets_these_answers() -> None:
    """Work put together from nothing but what went over the wire."""
    async def play(watched: Watched, source: ScriptedSource) -> None:
        source.verdict = lambda share: ShareResult(share, REJECTED, "no luck")
        raw = await RawMiner.connect(watched.address)
        _, extranonce1, size = (await raw.call("mining.subscribe", "raw/1"))["result"]
        assert (await raw.call("mining.authorize", "raw", TOKEN))["result"] is True
        difficulty = (await raw.notice("mining.set_difficulty"))[0]
        notify = Notify.parse(await raw.notice("mining.notify"))
        job = notify.to_job(SHA256D, bytes.fromhex(extranonce1), size, difficulty)

        async def code(share: Share) -> int:
            return int((await raw.call("mining.submit", "raw", job.job_id, share.work.extranonce2.hex(),
                                       f"{share.work.ntime:08x}", f"{share.nonce:08x}"))["error"][0])

        good, another = solve(job), solve(job, 1)
        assert await code(solve(job, above=job.share_target, most=MAX_TARGET)) == 23
        assert await code(good) == 20, "the source said no"
        assert await code(good) == 22
        source.verdict = lambda share: ShareResult(share, STALE, "too late")
        assert await code(another) == 21
        assert [share.header for share in source.submitted] == [good.header, another.header]

    scripted(play)


def test_a_job_sent_again_with_another_difficulty_voids_nothing() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        player = watched.player()
        job = await player.job()
        source.push(dataclasses.replace(make_job(), share_target=MAX_TARGET // 20, clean=False))
        again = await player.job()
        assert again.coinbase1 != job.coinbase1, "the miner starts on it anew, so it must not be the same work"
        results = [await player.source.submit(solve(one, above=one.network_target // 2)) for one in (job, again)]
        assert results[0].status is ACCEPTED
        assert len({share.header for share in source.submitted}) == len(source.submitted)

    scripted(play)


def test_a_difficulty_that_hardly_changes_is_not_told_again() -> None:
    """A chain may set its target anew with each block. No share is ever harder than the source wants it."""
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw = await RawMiner.join(watched.address)
        told, = await raw.notice("mining.set_difficulty")
        for tip, hashes in enumerate((70, 80, 64, 63), start=2):  # blocks that need so many hashes
            source.push(make_job(tip=tip, hashes=hashes))
        eased, = await raw.notice("mining.set_difficulty")
        assert eased == pytest.approx(told * 63 / 64, rel=1e-3)
        while (await raw.notice("mining.notify"))[1] != swap_words(make_job(tip=5).prev_hash).hex():
            pass

    scripted(play)


async def as_slow_miner(watched: Watched, name: str, hashes: int) -> tuple[Any, Job]:
    """A player whose reports have made its shares so easy; and its job."""
    player = watched.player(name)
    job = await player.job()
    while job.share_target < MAX_TARGET // hashes:
        await player.source.report(MinerReport("test", 1, 1000, hashes / 4, "slow-host"))
        job = await player.job()
    return player, job


def test_only_what_the_source_asked_for_goes_up() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        source.verdict = lambda share: ShareResult(share, REJECTED, "the source's own words")
        player, job = await as_slow_miner(watched, "slow", 100)
        upstream = MAX_TARGET // 3000
        assert job.share_target > upstream
        kept = await player.source.submit(solve(job, above=upstream))
        assert (kept.status, source.submitted) == (ACCEPTED, [])
        asked = await player.source.submit(solve(job, most=upstream - 1))
        assert (asked.status, asked.reason, len(source.submitted)) == (REJECTED, "the source's own words", 1)
        event = await watched.heard(HubShare, count=2)
        assert (event.upstream, event.accepted, event.rejected, event.stale) == (True, 1, 1, 0)

    scripted(play, make_job(hashes=1 << 40, share_hashes=3000))


def test_no_share_that_the_source_pays_for_is_asked_to_be_harder() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        player, job = await as_slow_miner(watched, "slow", 40)
        await player.source.report(MinerReport("test", 1, 1000, 5000.0))
        await watched.heard(MinerReported, lambda event: event.miner.hashrate == 5000.0)
        source.push(make_job("b", 2, hashes=1 << 40, share_hashes=500))
        job = await player.job(lambda job: job.clean)
        assert job.share_target >= MAX_TARGET // 501, "the hub would like 10000 hashes a share, the source wants 500"

    scripted(play, make_job(hashes=1 << 40, share_hashes=500))


def test_while_there_is_no_work_shares_become_no_easier() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        player = watched.player("p")
        await player.job()
        await player.source.report(MinerReport("test", 1, 1000, 5000.0))
        before = await player.job(lambda job: job.share_target < MAX_TARGET // 9000)
        source.push(Disconnected("gone", 1.0))
        await watched.heard(Disconnected)
        for number in range(3):  # a miner at rest: what it reports sinks
            await player.source.report(MinerReport("test", 1, 1000, 5.0 / (number + 1)))
        await watched.heard(MinerReported, lambda event: event.miner.hashrate == 5.0 / 3)
        source.push(make_job("b", 2, hashes=1 << 40))
        after = await player.job(lambda job: job.prev_hash != before.prev_hash)
        assert after.share_target == before.share_target

    scripted(play, make_job(hashes=1 << 40))


def test_one_block_on_a_previous_hash_is_enough() -> None:
    """On a chain where every hash is nearly a block: the source sees one candidate, the rest is stale at once."""
    async def play(watched: Watched, source: ScriptedSource) -> None:
        source.answer_now.clear()
        players = [watched.player(name) for name in "abc"]
        shares = [(player, solve(job, number)) for player in players for job in [await player.job()]
                  for number in range(8)]
        answers = [asyncio.create_task(player.source.submit(share)) for player, share in shares]
        while not source.submitted:
            await asyncio.sleep(0.01)
        source.answer_now.set()
        results = await asyncio.gather(*answers)
        assert [result.status for result in results].count(ACCEPTED) == 1
        assert [result.status for result in results].count(STALE) == len(shares) - 1
        assert len(source.submitted) == 1
        source.push(make_job("next", 2))
        job = await players[0].job(lambda job: job.prev_hash == make_job(tip=2).prev_hash)
        assert (await players[0].source.submit(solve(job))).status is ACCEPTED

    scripted(play, make_job(hashes=2))


def test_after_a_refused_block_the_next_candidate_goes_up() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        source.verdict = lambda share: ShareResult(share, REJECTED if len(source.submitted) == 1 else ACCEPTED, "no",
                                                   len(source.submitted) > 1)
        player = watched.player()
        job = await player.job()
        results = [await player.source.submit(solve(job, number)) for number in range(3)]
        assert [result.status for result in results] == [REJECTED, ACCEPTED, STALE]
        assert len(source.submitted) == 2

    scripted(play, make_job(hashes=2))


def test_at_a_pool_it_is_the_pool_that_says_what_is_stale() -> None:
    """It took a block as a share, and its node may have refused it: no clean job comes, perhaps for hours."""
    async def play(watched: Watched, source: ScriptedSource) -> None:
        source.verdict = lambda share: ShareResult(share, ACCEPTED)
        player, other = watched.player("a"), watched.player("b")
        jobs = [await player.job(), await other.job()]
        for number in range(4):
            for job, who in zip(jobs, (player, other), strict=True):
                assert (await who.source.submit(solve(job, number))).status is ACCEPTED
        assert len(source.submitted) == watched.hub.snapshot().blocks == 8

    scripted(play, make_job(hashes=2))


def test_blocks_that_miss_the_pools_target_are_offered_until_a_few_were_refused() -> None:
    """A young chain behind ckpool: nearly every hash is a block, and the pool takes none that misses its own target."""
    upstream = MAX_TARGET // 3000
    young = dataclasses.replace(make_job(hashes=2), share_target=upstream)

    async def play(watched: Watched, source: ScriptedSource) -> None:
        def verdict(share: Share) -> ShareResult:
            good = hash_value(sha256d(share.header)) <= upstream
            return ShareResult(share, ACCEPTED if good else REJECTED, "" if good else "Above target")

        source.verdict = verdict
        raw, player = await RawMiner.join(watched.address), watched.player("p")
        told, = await raw.notice("mining.set_difficulty")
        job = await player.job()
        assert job.share_target >= job.network_target
        results = [await player.source.submit(solve(job, number, above=upstream)) for number in range(REFUSALS + 2)]
        assert [result.status for result in results] == [REJECTED] * REFUSALS + [ACCEPTED] * 2
        assert [result.no_block for result in results] == [False] * REFUSALS + [True] * 2
        assert len(source.submitted) == REFUSALS, "what the pool refuses is not offered any more"
        assert (await raw.notice("mining.set_difficulty"))[0] > 2 * told
        harder = await player.job()
        while harder.share_target < upstream:
            await player.source.report(MinerReport("test", 1, 1000, 10.0))
            harder = await player.job()
        assert upstream <= harder.share_target < harder.network_target
        assert (await player.source.submit(solve(harder, most=upstream - 1))).status is ACCEPTED
        assert len(source.submitted) == REFUSALS + 1
        notices = [event.text for event in watched.told if isinstance(event, Notice)]
        assert [f"{REFUSALS} blocks in a row" in text and "Above target" in text for text in notices] == [True]

    scripted(play, young)


def test_a_miner_that_hangs_up_right_after_its_block_loses_nothing() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        source.answer_now.clear()
        raw = await RawMiner.connect(watched.address)
        _, extranonce1, size = (await raw.call("mining.subscribe", "raw/1"))["result"]
        await raw.call("mining.authorize", "raw", TOKEN)
        difficulty = (await raw.notice("mining.set_difficulty"))[0]
        job = Notify.parse(await raw.notice("mining.notify")).to_job(SHA256D, bytes.fromhex(extranonce1), size,
                                                                     difficulty)
        share = solve(job)
        raw.ask("mining.submit", "raw", job.job_id, share.work.extranonce2.hex(), f"{job.ntime:08x}",
                f"{share.nonce:08x}")
        raw.close()
        await watched.heard(MinerLeft)
        source.answer_now.set()
        told = await watched.heard(HubShare)
        assert (told.status, told.upstream, told.block, told.miner) == (ACCEPTED, True, True, "raw")
        assert [handed.header for handed in source.submitted] == [share.header]
        row, = watched.hub.snapshot().miners
        assert (row.accepted, row.blocks, row.connected) == (1, 1, False)

    scripted(play)


def test_a_miner_that_leaves_before_the_verdict_loses_no_share() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        source.answer_now.clear()
        player, job = await as_slow_miner(watched, "brief", 40)
        submitting = asyncio.create_task(player.source.submit(solve(job, most=MAX_TARGET // 50)))
        while not source.submitted:
            await asyncio.sleep(0.01)
        await player.source.aclose()
        await watched.heard(MinerLeft)
        source.answer_now.set()
        told = await watched.heard(HubShare)
        assert (told.status, told.upstream, told.miner) == (ACCEPTED, True, "brief")
        assert watched.hub.snapshot().accepted == 1
        await submitting

    scripted(play, make_job(hashes=1 << 40, share_hashes=50))


def test_a_hub_that_is_closed_waits_for_verdicts() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        source.answer_now.clear()
        player = watched.player()
        submitting = asyncio.create_task(player.source.submit(solve(await player.job())))
        while not source.submitted:
            await asyncio.sleep(0.01)
        closing = asyncio.create_task(watched.hub.aclose())
        await watched.heard(MinerLeft)
        source.answer_now.set()
        await closing
        assert (await watched.heard(HubBlock)).miner == "player"
        assert watched.hub.snapshot().blocks == 1
        await submitting

    scripted(play)


def test_a_source_that_never_answers_keeps_no_hub_from_ending() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        source.answer_now.clear()
        player = watched.player("patient")
        submitting = asyncio.create_task(player.source.submit(solve(await player.job())))
        while not source.submitted:
            await asyncio.sleep(0.01)
        await asyncio.wait_for(watched.hub.aclose(), WAIT)
        await watched.heard(Notice, lambda notice: notice.text == "patient: no verdict by the end on 1 of its shares")
        assert isinstance(watched.told[-1], HubStopped)
        submitting.cancel()

    scripted(play)


def test_what_the_pool_refuses_is_no_fault_of_the_miner() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        source.verdict = lambda share: ShareResult(share, REJECTED, "Unauthorized worker")
        player, job = await as_slow_miner(watched, "honest", 40)
        for number in range(60):
            assert (await player.source.submit(solve(job, number, most=MAX_TARGET // 50))).reason == (
                "Unauthorized worker")
        assert not [event for event in watched.told if isinstance(event, MinerLeft)]

    scripted(play, make_job(hashes=1 << 40, share_hashes=50))


def test_job_ids_are_new_on_each_connection() -> None:
    """A share that comes late must not be taken for one on another job."""
    async def play(watched: Watched, source: ScriptedSource) -> None:
        ids = []
        for _ in range(3):
            raw = await RawMiner.join(watched.address)
            ids.append((await raw.notice("mining.notify"))[0])
            raw.close()
        assert len(set(ids)) == 3

    scripted(play)


# The source's troubles


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


# Who comes and goes


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


# Those who mean no good


@pytest.mark.parametrize("flood", [
    b"x" * (1 << 18), b"not json\n" * 100, b'{"id": 1, "method": "mining.authorize", "params": {"a": 1}}\n' * 100,
    b"[" * 100_000 + b"\n" + b"[]\n" * 100], ids=["endless line", "no json", "bad params", "deep"])
def test_nonsense_ends_the_connection_and_nothing_else(flood: bytes) -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        player = watched.player()
        job = await player.job()
        raw = await RawMiner.connect(watched.address)
        raw.send(flood)
        assert await raw.hung_up()
        assert (await player.source.submit(solve(job))).status is ACCEPTED

    scripted(play)


def test_who_does_not_log_in_is_hung_up_on() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        silent, half = await RawMiner.connect(watched.address), await RawMiner.connect(watched.address)
        await half.call("mining.subscribe")
        assert await silent.hung_up() and await half.hung_up()

    scripted(play, login_seconds=1.0)


def test_who_is_silent_too_long_is_hung_up_on() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw = await RawMiner.join(watched.address)
        assert await raw.hung_up()
        assert (await watched.heard(MinerLeft)).reason == "silent for too long"

    scripted(play, idle_seconds=0.2)


def test_who_does_not_read_is_hung_up_on() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        deaf, player = await RawMiner.join(watched.address, "deaf"), watched.player()
        for number in range(20):  # jobs with a coinbase of half a megabyte
            job = dataclasses.replace(make_job(str(number), number + 2), coinbase2=bytes(200_000))
            source.push(job)
            assert await player.job(lambda given, job=job: given.prev_hash == job.prev_hash)
        left = await watched.heard(MinerLeft)
        assert (left.miner.name, left.reason) == ("deaf", "the miner doesn't read what it is sent")
        assert await deaf.hung_up()

    scripted(play, max_buffer=300_000)


def test_who_brings_only_bad_shares_is_hung_up_on() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw = await RawMiner.join(watched.address)
        job_id = (await raw.notice("mining.notify"))[0]
        for number in range(60):
            raw.ask("mining.submit", "raw", job_id, "00", f"{1_700_000_000:08x}", f"{number:08x}")
        assert await raw.hung_up()
        assert (await watched.heard(MinerLeft)).reason == "50 bad shares and no good one"
        assert source.submitted == []

    scripted(play)


def test_no_more_connections_than_allowed() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        inside = [await RawMiner.join(watched.address, str(number)) for number in range(2)]
        assert await (await RawMiner.connect(watched.address)).hung_up()
        inside[0].close()
        await watched.heard(MinerLeft)
        assert await RawMiner.join(watched.address, "next")

    scripted(play, max_miners=2)


def test_when_no_slice_is_left_the_miner_is_told() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        for number in range(256):
            await RawMiner.join(watched.address, str(number))
        late = await RawMiner.connect(watched.address)
        assert "full" in (await late.call("mining.subscribe"))["error"][1]
        assert await late.hung_up()

    scripted(play, make_job(size=2), login_seconds=120.0)


def test_strangers_take_no_slice_from_a_miner() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        strangers = [await RawMiner.connect(watched.address) for _ in range(256)]
        for stranger in strangers:
            assert (await stranger.call("mining.subscribe"))["result"]
        share = solve(await (player := watched.player()).job())
        assert (await player.source.submit(share)).status is ACCEPTED
        assert await strangers[0].hung_up()
        assert (await strangers[1].call("mining.ping"))["result"] == "pong"

    scripted(play, make_job(size=2), login_seconds=120.0)


@pytest.mark.parametrize("flood", [b'{"id": 1, "method": "mining.ping"}\n' * 30,
                                   b'{"id": 1, "method": "mining.ping", "params": ["%s"]}\n' % (b"x" * 9000) * 2],
                         ids=["messages", "bytes"])
def test_before_a_login_little_may_be_said(flood: bytes) -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        stranger = await RawMiner.connect(watched.address)
        stranger.send(flood)
        assert await stranger.hung_up()
        assert "too much was said before a login" in (await watched.heard(Notice)).text

    scripted(play)


def test_who_says_too_much_is_answered_in_time_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond what has been saved up it is read no faster than is allowed."""
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw = await RawMiner.join(watched.address)
        began = asyncio.get_running_loop().time()
        numbers = [raw.ask("mining.ping") for _ in range(200)]
        for number in numbers:
            await raw.hear(lambda message, number=number: message["id"] == number)
        assert asyncio.get_running_loop().time() - began >= (200 - 100) / 100 - 0.1

    monkeypatch.setattr(connection_module, "BURST_SECONDS", 1.0)
    scripted(play, messages_per_second=100.0)


def test_a_share_that_is_none_costs_its_miner_the_cpu_time_of_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow_hash(algorithm: Algorithm, header: bytes) -> bytes:
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass
        return b"\xff" * 32

    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw = await RawMiner.join(watched.address)
        job_id = (await raw.notice("mining.notify"))[0]
        size = make_job().extranonce2_size - 3
        for nonce in range(9):
            answer = await raw.call("mining.submit", "raw", job_id, "00" * size, f"{1_700_000_000:08x}",
                                    f"{nonce:08x}")
            assert answer["error"][0] == 23
        await raw.call("mining.ping")
        [connection] = watched.hub._connections
        assert connection._tokens < 1000 - 85, "nine hashes took what 90 messages may"

    monkeypatch.setattr(judge, "QUICK_HASHES", float("inf"))
    monkeypatch.setattr(judge, "proof_hash", slow_hash)
    monkeypatch.setattr(connection_module, "BURST_SECONDS", 1e6)  # a thousand messages
    scripted(play, messages_per_second=1e-3)


def test_a_stale_share_among_bad_ones_makes_them_no_better() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw = await RawMiner.join(watched.address)

        def submit(job_id: str, count: int) -> None:
            for number in range(count):
                raw.ask("mining.submit", "raw", job_id, "00", f"{1_700_000_000:08x}", f"{number:08x}")

        old = (await raw.notice("mining.notify"))[0]
        submit(old, 45)
        await watched.heard(HubShare, count=45)
        source.push(make_job("b", 2))
        new = (await raw.notice("mining.notify"))[0]
        submit(old, 1)
        submit(new, 5)
        assert await raw.hung_up()
        assert (await watched.heard(MinerLeft)).reason == "50 bad shares and no good one"
        assert (await watched.heard(Notice)).text.startswith("threw out 127.0.0.1")

    scripted(play)


def test_unknown_jobs_are_bad_shares_but_not_right_after_a_new_job(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw = await RawMiner.join(watched.address)
        for _ in range(60):
            answer = await raw.call("mining.submit", "raw", "none", "00", f"{1_700_000_000:08x}", "00000000")
            assert answer["error"][0] == 21
        monkeypatch.setattr(miner_module, "UNKNOWN_SECONDS", 0.0)
        for _ in range(50):
            raw.ask("mining.submit", "raw", "none", "00", f"{1_700_000_000:08x}", "00000000")
        assert await raw.hung_up()

    scripted(play)


def test_a_port_in_use_is_a_clear_error() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        port = watched.address[1]
        async with Hub(ScriptedSource(), HubConfig(port=port)) as second:
            with pytest.raises(UsageError, match=f"can't listen on 127.0.0.1 port {port}"):
                await second.start()

    scripted(play)


@pytest.mark.parametrize("bad", [
    {"host": ""}, {"port": -1}, {"port": 65536}, {"max_miners": 0}, {"max_miners": 1 << 20}, {"login_seconds": 0},
    {"seconds_per_share": float("nan")}, {"start_difficulty": -1.0}, {"least_difficulty": float("inf")},
    {"token": "two\nlines"}, {"token": "x" * 300}])
def test_senseless_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        HubConfig(**bad)
    assert "\n" not in str(caught.value) and "x" * 300 not in str(caught.value)


def test_tokens_are_made_at_random_and_never_shown() -> None:
    first, second = HubConfig(), HubConfig()
    assert len(first.token) >= 32 and first.token != second.token
    assert first.token not in repr(first)

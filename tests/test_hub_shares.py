"""What becomes of the shares that a hub's miners bring: which are asked about, and what each is told."""

import asyncio
import dataclasses

import pytest

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
    as_slow_miner,
    make_job,
    scripted,
    solve,
)
from miner.core.algorithm import sha256d
from miner.core.model import MinerReport, Share, ShareResult
from miner.core.offer import REFUSALS
from miner.core.source import Disconnected, Notice
from miner.core.target import MAX_TARGET, hash_value
from miner.hub.events import HubBlock, HubShare, HubStopped, MinerLeft, MinerReported
from miner.hub.slices import Layout
from miner.stratum.fields import swap_words
from miner.stratum.messages import Notify


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

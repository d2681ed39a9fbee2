"""A stratum pool as a source of work, over loopback TCP: the good days, and how a run ends."""

import asyncio
import dataclasses
import json
from typing import Any

import pytest

from miner.core.errors import SourceError, UsageError
from miner.core.model import Job, MinerReport, ShareStatus
from miner.core.source import Connecting, Disconnected, Finished
from miner.core.target import difficulty_to_target
from miner.stratum import client
from miner.stratum.reject import Reject
from miner.stratum.server_events import Authorizing, Reported, Subscribing
from stratum_pool import HARD_JOB, PASSWORD, Miner, Pool, next_of, source_of, stay, within_limit
from stratum_samples import REGTEST_JOB, SCRYPT, notify, request

# Good days


@within_limit
async def test_a_pool_from_the_first_word_to_the_verdict() -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(HARD_JOB, difficulty=0.5)
        miner.protocol.accept(await miner.next_share())
        miner.protocol.refuse(await miner.next_share(), Reject.STALE, "job not found")
        miner.protocol.refuse(await miner.next_share(), Reject.DUPLICATE, "duplicate\nshare")
        await miner.next()

    async with Pool(script) as pool, source_of(pool) as source:
        events = source.events()
        assert await anext(events) == Connecting("Stratum", pool.url)
        job = await next_of(Job, events)
        assert job == dataclasses.replace(HARD_JOB, share_target=difficulty_to_target(0.5, SCRYPT))
        results = [await source.submit(job.work(bytes([0, 0, 0, number])).share(number)) for number in range(3)]
        assert [(result.status, result.reason) for result in results] == [
            (ShareStatus.ACCEPTED, ""), (ShareStatus.STALE, "job not found"), (ShareStatus.REJECTED, "duplicate share")]
        lines = [json.loads(line) for line in pool.miners[0].received.splitlines()]
        assert [line["method"] for line in lines] == [
            "mining.subscribe", "mining.authorize", "mining.extranonce.subscribe", *["mining.submit"] * 3]
        assert lines[0]["params"] == [client.USER_AGENT]
        assert lines[1]["params"] == ["alice", PASSWORD]
        assert len({line["id"] for line in lines}) == len(lines)
        assert source.label == pool.url
        assert source.payee == "pool user alice"


@within_limit
async def test_a_pool_that_sets_the_difficulty_by_who_asks() -> None:
    async def script(miner: Miner) -> None:
        subscribing = await miner.next()
        assert isinstance(subscribing, Subscribing)
        miner.protocol.subscribe(subscribing, REGTEST_JOB.extranonce1, REGTEST_JOB.extranonce2_size)
        authorizing = await miner.next()
        assert isinstance(authorizing, Authorizing)
        miner.protocol.accept(authorizing)
        miner.protocol.set_difficulty(0.25 if subscribing.user_agent.startswith("cpuminer") else 4096)
        miner.protocol.notify(HARD_JOB, clean=True)
        miner.flush()
        await miner.until_gone()

    for agent, difficulty in (("", 4096), ("cpuminer/2.5.1", 0.25)):
        async with Pool(script) as pool, source_of(pool, user_agent=agent) as source:
            job = await next_of(Job, source.events())
            assert job.share_target == difficulty_to_target(difficulty, SCRYPT)


@within_limit
async def test_a_pool_that_does_everything_in_its_own_order_and_shape() -> None:
    """Early and changed difficulties, a re-sent job, numbers as strings and the reverse, a new extranonce under way."""
    job_of_pool = ["7", *notify(nbits="1d00ffff")[1:], "more"]
    submitted: list[list[Any]] = []

    async def script(miner: Miner) -> None:
        async def asked(method: str) -> list[Any]:
            while (message := json.loads(await miner.reader.readuntil(b"\n")))["method"] != method:
                pass
            return list(message["params"])

        def say(**message: Any) -> None:
            miner.say(json.dumps(message).encode() + b"\n")

        await asked("mining.subscribe")
        say(method="mining.set_difficulty", params=["4"])
        say(id=None, method="mining.notify", params=[7, *job_of_pool[1:]])
        say(id="1", result=[[], "08000002", 4])
        await asked("mining.authorize")
        say(id=77, method="mining.set_difficulty", params=[0.5])
        say(id="2", result=True)
        submitted.append(await asked("mining.submit"))
        say(id=f"{first_id}", result=True, error=[])
        say(method="mining.set_difficulty", params=[2])  # in force with the same job, once it comes again
        say(method="mining.set_extranonce", params=["0a", "8"])
        submitted.append(await asked("mining.submit"))
        say(id=first_id + 1, result=None, error={"code": 21, "message": "Job not found"})
        say(id=None, method="mining.notify", params=job_of_pool)
        submitted.append(await asked("mining.submit"))
        say(id=first_id + 2, result=False, error=None, **{"reject-reason": "low difficulty"})
        await miner.until_gone()

    first_id = 4  # after subscribe, authorize, extranonce.subscribe
    async with Pool(script) as pool, source_of(pool) as source:
        events = source.events()
        job = await next_of(Job, events)
        assert job.share_target == difficulty_to_target(0.5, SCRYPT)
        verdicts = [(await source.submit(job.work(bytes([number, 0, 0, 0])).share(1))).status for number in (1, 2)]
        moved = await next_of(Job, events)
        assert (moved.extranonce1, moved.extranonce2_size, moved.clean) == (b"\x0a", 8, True)
        assert moved.share_target == difficulty_to_target(2, SCRYPT)
        verdicts.append((await source.submit(moved.work(bytes(8)).share(1))).status)
        assert (await source.submit(job.work(bytes(4)).share(1))).status is ShareStatus.STALE, "and it goes nowhere"
    assert verdicts == [ShareStatus.ACCEPTED, ShareStatus.STALE, ShareStatus.REJECTED]
    assert [(params[1], params[2]) for params in submitted] == [(7, "01000000"), (7, "02000000"), ("7", "00" * 8)]


@within_limit
async def test_verdicts_find_their_shares_in_any_order() -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        shares = [await miner.next_share() for _ in range(20)]
        for share in reversed(shares):
            if share.nonce % 2:
                miner.protocol.accept(share)
            else:
                miner.protocol.refuse(share, Reject.OTHER, f"no {share.nonce}")
        await miner.next()

    async with Pool(script) as pool, source_of(pool) as source:
        work = (await next_of(Job, source.events())).work(b"\0\0\0\1")
        results = await asyncio.gather(*(source.submit(work.share(nonce)) for nonce in range(20)))
        assert [result.share.nonce for result in results] == list(range(20))
        assert [result.reason for result in results] == ["" if nonce % 2 else f"no {nonce}" for nonce in range(20)]


@within_limit
async def test_a_consumer_may_submit_while_it_reads() -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        for number in range(5):
            miner.protocol.accept(await miner.next_share())
            miner.protocol.notify(dataclasses.replace(REGTEST_JOB, job_id=f"next{number}"), True)
        await miner.next()

    async with Pool(script) as pool, source_of(pool) as source:
        accepted = 0
        async for event in source.events():
            if isinstance(event, Job):
                if accepted == 5:
                    break
                accepted += (await source.submit(event.work(bytes(4)).share(0))).status is ShareStatus.ACCEPTED


@within_limit
async def test_of_jobs_that_nobody_read_the_newest_counts() -> None:
    async def script(miner: Miner) -> None:
        jobs = [dataclasses.replace(REGTEST_JOB, job_id=str(number), clean=number == 7) for number in range(500)]
        await miner.let_in(*jobs)
        for number in range(5000):
            miner.say(request("client.show_message", [f"number {number}"]))
        miner.say(request("mining.ping", [], 77))
        await miner.reader.readuntil(b"pong")  # everything before it was read
        flood_is_over.set()
        await miner.until_gone()

    flood_is_over = asyncio.Event()
    async with Pool(script) as pool, source_of(pool) as source:
        events = source.events()
        await anext(events)
        await flood_is_over.wait()
        job = await next_of(Job, events)
        assert (job.job_id, job.clean) == ("499", True)


# The end


@within_limit
async def test_a_hub_that_is_done_ends_the_events() -> None:
    reports = []

    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        while not isinstance(event := await miner.next(), Reported):
            pass
        reports.append(event.report)
        miner.protocol.stop("the job has ended")

    async with Pool(script) as pool, source_of(pool, hub=True) as source:
        events = source.events()
        await next_of(Job, events)
        await source.report(MinerReport("avx2", 2, 1000, 500.5, "host"))
        assert [event async for event in events] == [Finished("the job has ended")]
        assert reports == [MinerReport("avx2", 2, 1000, 500.5, "host")]
        assert len(pool.miners) == 1
        assert [event async for event in source.events()] == []


@within_limit
async def test_plain_pools_get_no_reports() -> None:
    async with Pool(stay) as pool, source_of(pool) as source:
        await source.report(MinerReport("avx2", 2, 1000, 500.5))  # not connected yet
        await next_of(Job, source.events())
        await source.report(MinerReport("avx2", 2, 1000, 500.5))
        await source.aclose()
        assert b"sparkminer." not in pool.miners[0].received


@within_limit
async def test_a_refused_login_is_final_and_the_password_is_nowhere() -> None:
    async def script(miner: Miner) -> None:
        subscribing = await miner.next()
        assert isinstance(subscribing, Subscribing)
        miner.protocol.subscribe(subscribing, b"", 4)
        authorizing = await miner.next()
        assert isinstance(authorizing, Authorizing)
        miner.protocol.refuse(authorizing, Reject.UNAUTHORIZED, f"no user alice with {authorizing.password}")
        await miner.next()

    async with Pool(script) as pool, source_of(pool) as source:
        with pytest.raises(SourceError) as caught:
            [event async for event in source.events()]
        assert str(caught.value) == f"{pool.url} refused the login of user alice: no user alice with ***"
        assert len(pool.miners) == 1
        assert PASSWORD not in repr(vars(source))


@within_limit
async def test_a_login_that_held_before_is_tried_again_when_it_is_refused() -> None:
    async def script(miner: Miner) -> None:
        if len(pool.miners) != 2:
            await miner.let_in(REGTEST_JOB)
            return
        subscribing = await miner.next()
        assert isinstance(subscribing, Subscribing)
        miner.protocol.subscribe(subscribing, b"abcd", 4)
        authorizing = await miner.next()
        assert isinstance(authorizing, Authorizing)
        miner.protocol.refuse(authorizing, Reject.UNAUTHORIZED, "our database is away")
        miner.flush()
        await miner.until_gone()

    async with Pool(script) as pool, source_of(pool) as source:
        events = source.events()
        await next_of(Job, events)
        reasons = [(await next_of(Disconnected, events)).reason for _ in range(2)]
        assert reasons[1] == f"{pool.url} refused the login of user alice: our database is away"
        await next_of(Job, events)


@within_limit
async def test_closing_leaves_nothing_behind_and_may_be_done_twice() -> None:
    tasks = asyncio.all_tasks()
    async with Pool(stay) as pool:
        source = source_of(pool)
        events = source.events()
        job = await next_of(Job, events)
        waiting = asyncio.create_task(source.submit(job.work(bytes(4)).share(0)))
        await asyncio.sleep(0)
        await source.aclose()
        await source.aclose()
        assert (await waiting).status is ShareStatus.STALE
        assert [event async for event in events] == [event async for event in source.events()] == []
        assert (await source.submit(job.work(bytes(4)).share(0))).reason == "not connected"
    assert asyncio.all_tasks() == tasks


@within_limit
async def test_closing_before_anything_was_read() -> None:
    source = source_of("stratum+tcp://127.0.0.1:1")
    await source.aclose()
    assert [event async for event in source.events()] == []


def test_bad_settings_are_refused_before_anything_is_sent() -> None:
    with pytest.raises(UsageError):
        source_of("stratum+tcp://127.0.0.1")
    with pytest.raises(UsageError):
        source_of("stratum+tcp://127.0.0.1:1", username="")

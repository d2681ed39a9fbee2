"""A stratum pool whose connection is lost, silent or sent elsewhere: what a source does about it."""

import asyncio
import collections
import contextlib
import dataclasses
import heapq
import random
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from miner.config import SourceConfig
from miner.core.errors import SourceError
from miner.core.model import Job, ShareStatus
from miner.core.source import Connecting, Disconnected, Notice
from miner.stratum import connection
from miner.stratum.client import StratumSource
from miner.stratum.server_events import Authorizing, Subscribing
from proxies import proxy
from stratum_pool import Miner, Pool, next_of, source_of, stay, within_limit
from stratum_samples import REGTEST_JOB, SHA256D, request

# Lost connections


@within_limit
async def test_a_reset_connection_is_tried_again_and_its_shares_are_stale_with_another_extranonce() -> None:
    async def script(miner: Miner) -> None:
        if len(pool.miners) == 1:
            await miner.let_in(REGTEST_JOB)
            await miner.next_share()
            miner.reset()
        else:
            await miner.let_in(dataclasses.replace(REGTEST_JOB, job_id="second"), extranonce1=b"other")
            miner.protocol.accept(await miner.next_share())
            await miner.next()

    async with Pool(script) as pool, source_of(pool) as source:
        events = source.events()
        old = await next_of(Job, events)
        verdict = asyncio.create_task(source.submit(old.work(bytes(4)).share(0)))
        lost = await next_of(Disconnected, events)
        assert lost.retry_seconds == 0.0
        assert await anext(events) == Connecting("Stratum", pool.url)
        new = await next_of(Job, events)
        assert new.extranonce1 == b"other"
        result = await verdict
        assert (result.status, result.reason) == (ShareStatus.STALE, "the connection was lost before the answer")
        stale = await source.submit(old.work(bytes(4)).share(1))
        assert (stale.status, "not issued" in stale.reason) == (ShareStatus.STALE, True)
        assert (await source.submit(new.work(bytes(4)).share(0))).status is ShareStatus.ACCEPTED


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@within_limit
async def test_nobody_there_and_the_pauses_grow_until_the_retries_are_used_up() -> None:
    url = f"stratum+tcp://127.0.0.1:{free_port()}"
    async with source_of(url, uniform=0.5, retries=3) as source:
        seen = []
        with pytest.raises(SourceError, match="Connection refused; gave up after 3 retries"):
            async for event in source.events():
                seen.append(event)  # noqa: PERF401
    assert [event.retry_seconds for event in seen if isinstance(event, Disconnected)] == [0.05, 0.1, 0.2]
    assert seen.count(Connecting("Stratum", url)) == 4


@within_limit
async def test_without_retries_the_first_failure_is_the_last() -> None:
    async with source_of(f"stratum+tcp://127.0.0.1:{free_port()}", retries=0) as source:
        with pytest.raises(SourceError, match="gave up after 0 retries"):
            await next_of(Job, source.events())


def test_a_thousand_miners_come_back_one_by_one() -> None:
    numbers = random.Random(7)
    source = StratumSource(SourceConfig(url="stratum+tcp://h:1", username="u"), uniform=numbers.random)
    seconds = collections.Counter(int(source._pause(1)) for _ in range(1000))
    assert set(seconds) == set(range(30))
    assert max(seconds.values()) < 60


def test_a_storm_of_a_thousand_dies_down_at_a_pool_that_takes_a_few() -> None:
    """Everyone comes back to a pool that takes ten connections in a second and refuses the others."""
    numbers = random.Random(7)
    source = source_of("stratum+tcp://h:1", retry_pause=30.0)
    source._uniform = numbers.random
    comes = [(source._pause(1), 1) for _ in range(1000)]
    heapq.heapify(comes)
    tries: collections.Counter[int] = collections.Counter()
    taken: collections.Counter[int] = collections.Counter()
    while comes:
        at, failures = heapq.heappop(comes)
        tries[int(at)] += 1
        if taken[int(at)] < 10:
            taken[int(at)] += 1
        else:
            heapq.heappush(comes, (at + source._pause(failures + 1), failures + 1))
    assert max(tries.values()) < 100, "not all at once, at any time"
    assert sum(tries.values()) < 5000, "a few tries each"
    assert max(tries) < 3600, "and nobody is left out"
    quiet = [tries[second] for second in range(max(tries)) if second >= 100]
    assert sum(quiet) / len(quiet) < 10, "by then the pool copes"


def test_many_that_are_thrown_out_at_once_are_all_back_in_the_end() -> None:
    """Over TCP: a pool that restarts hangs up on everybody, and on the first who come back."""
    numbers = random.Random(7)
    tries = taken = 0
    restarting = asyncio.Event()
    back = asyncio.Semaphore(0)

    async def script(miner: Miner) -> None:
        nonlocal tries, taken
        tries += 1
        if restarting.is_set() and tries <= 150:
            return
        taken += 1
        await miner.let_in(REGTEST_JOB)
        if restarting.is_set():
            await miner.until_gone()
        await restarting.wait()

    async def mine(source: StratumSource) -> None:
        events = source.events()
        await next_of(Job, events)
        back.release()
        await next_of(Disconnected, events)
        await next_of(Job, events)
        back.release()

    async def main() -> None:
        nonlocal tries
        async with asyncio.timeout(150), Pool(script, backlog=200) as pool, contextlib.AsyncExitStack() as stack:
            sources = [await stack.enter_async_context(source_of(pool, timeout=100.0, retry_pause=0.1))
                       for _ in range(100)]
            for source in sources:
                source._uniform = numbers.random
            mining = [asyncio.create_task(mine(source)) for source in sources]
            for _ in sources:
                await back.acquire()
            tries = 0
            restarting.set()
            await asyncio.gather(*mining)

    asyncio.run(main())
    assert taken == 200
    assert tries == 250, "nobody comes twice"


def test_pauses_are_bounded_and_jittered() -> None:
    def pauses(uniform: float) -> list[float]:
        source = source_of("stratum+tcp://h:1", uniform=uniform, retry_pause=30.0)
        return [source._pause(failures) for failures in (1, 2, 3, 4, 5, 1000)]

    assert pauses(1.0) == [30.0, 60.0, 120.0, 240.0, 300.0, 300.0]
    assert pauses(0.25) == [7.5, 15.0, 30.0, 60.0, 75.0, 75.0]


@within_limit
async def test_retries_count_anew_after_a_connection_that_worked() -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)  # and hang up

    async with Pool(script) as pool, source_of(pool, retries=1) as source:
        events = source.events()
        for _ in range(4):
            await next_of(Job, events)
            lost = await next_of(Disconnected, events)
            assert lost.reason


@within_limit
async def test_a_pool_that_hangs_up_on_extranonce_subscribe_gets_it_once() -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        if len(pool.miners) == 1:
            await miner.reader.readuntil(b"mining.extranonce.subscribe")
            return
        await miner.until_gone()

    async with Pool(script) as pool, source_of(pool) as source:
        events = source.events()
        await next_of(Disconnected, events)
        await next_of(Job, events)
        await source.aclose()
        assert b"extranonce" not in pool.miners[1].received


@within_limit
async def test_a_pool_that_hangs_up_on_configure_is_mined_at_without() -> None:
    async def script(miner: Miner) -> None:
        if len(pool.miners) == 1:
            await miner.reader.readuntil(b"mining.configure")
            return
        await stay(miner)

    async with Pool(script) as pool, source_of(pool, algorithm=SHA256D) as source:
        await next_of(Job, source.events())
        await source.aclose()
        assert b"configure" not in pool.miners[-1].received


@within_limit
async def test_a_new_connection_asks_for_the_former_session() -> None:
    sessions = []

    async def script(miner: Miner) -> None:
        subscribing = await miner.next()
        assert isinstance(subscribing, Subscribing)
        sessions.append(subscribing.session)
        if len(sessions) == 3:
            return  # not with this session
        miner.protocol.subscribe(subscribing, b"\xaa\xbb", 4, session=f"session {len(sessions)}")
        authorizing = await miner.next()
        assert isinstance(authorizing, Authorizing)
        miner.protocol.accept(authorizing)
        miner.protocol.notify(REGTEST_JOB, True)

    async with Pool(script) as pool, source_of(pool) as source:
        events = source.events()
        for _ in range(4):
            await next_of(Disconnected, events)
    assert sessions == ["", "session 1", "session 2", ""]


@pytest.mark.parametrize("scheme", ["http", "socks4", "socks5", "socks5h"])
@within_limit
async def test_a_pool_behind_a_proxy(scheme: str) -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        miner.protocol.accept(await miner.next_share())
        await miner.next()

    async with Pool(script) as pool, proxy() as port, source_of(pool, proxy=f"{scheme}://127.0.0.1:{port}") as source:
        job = await next_of(Job, source.events())
        assert (await source.submit(job.work(bytes(4)).share(0))).status is ShareStatus.ACCEPTED


@within_limit
async def test_a_proxy_that_is_away_is_tried_again() -> None:
    way = f"socks5://127.0.0.1:{free_port()}"
    async with source_of("stratum+tcp://127.0.0.1:9", proxy=way, retries=1) as source:
        with pytest.raises(SourceError, match=f"the proxy {way}: Connection refused; gave up after 1 retries"):
            await next_of(Job, source.events())


@within_limit
async def test_a_pool_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    async with Pool(stay, tls=tls) as pool:
        async with source_of(pool, cert=str(tmp_path / "ca.pem")) as source:
            assert source.label == pool.url.replace("tcp:", "tcps:")
            await next_of(Job, source.events())
        async with source_of(pool) as stranger:
            lost = await next_of(Disconnected, stranger.events())
        assert "does not verify" in lost.reason
        assert len(pool.miners) == 1, "the stranger never spoke to the pool, nor showed it a password"


# Silence


@within_limit
async def test_a_peer_that_never_answers() -> None:
    async with Pool(Miner.until_gone) as pool, source_of(pool, timeout=0.2) as source:
        lost = await next_of(Disconnected, source.events())
        assert "does not let us in" in lost.reason


@within_limit
async def test_a_pool_that_falls_silent() -> None:
    async with Pool(stay) as pool, source_of(pool, timeout=0.3) as source:
        events = source.events()
        await next_of(Job, events)
        assert "is silent" in (await next_of(Disconnected, events)).reason


@within_limit
async def test_a_pool_that_only_dribbles_is_silent_too() -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        while True:
            miner.say(b"x")
            await asyncio.sleep(0.02)

    async with Pool(script) as pool, source_of(pool, timeout=0.4) as source:
        events = source.events()
        await next_of(Job, events)
        assert "is silent" in (await next_of(Disconnected, events)).reason


@within_limit
async def test_a_pool_that_talks_on_is_not_silent() -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        for _ in range(10):  # longer than the timeout, all together
            miner.say(request("mining.ping", [], 1))
            await asyncio.sleep(0.2)
        miner.protocol.notify(dataclasses.replace(REGTEST_JOB, job_id="late"), False)
        miner.flush()
        await miner.until_gone()

    async with Pool(script) as pool, source_of(pool, timeout=1.5) as source:
        events = source.events()
        await next_of(Job, events)
        assert (await next_of(Job, events)).job_id == "late"
        assert len(pool.miners) == 1


@within_limit
async def test_a_share_without_an_answer_on_a_dead_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.2)
    async with Pool(stay) as pool, source_of(pool) as source:
        events = source.events()
        verdict = asyncio.create_task(source.submit((await next_of(Job, events)).work(bytes(4)).share(0)))
        assert "no answer to a share" in (await next_of(Disconnected, events)).reason
        await source.aclose()
        assert (await verdict).status is ShareStatus.STALE


@within_limit
async def test_a_share_that_a_living_pool_forgot(monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        await miner.next_share()
        miner.protocol.show_message("busy")
        miner.protocol.accept(await miner.next_share())
        await miner.next()

    async with Pool(script) as pool, source_of(pool) as source:
        work = (await next_of(Job, source.events())).work(bytes(4))
        monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.3)
        assert (await source.submit(work.share(0))).status is ShareStatus.STALE
        monkeypatch.setattr(connection, "ANSWER_SECONDS", 20.0)
        assert (await source.submit(work.share(1))).status is ShareStatus.ACCEPTED
        assert len(pool.miners) == 1


# client.reconnect


@within_limit
async def test_reconnect_to_another_port_of_the_same_host_and_back_when_that_fails() -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        if len(pool.miners) == 1:
            miner.say(request("client.reconnect", ["127.0.0.1", second.port, 0]))
        await miner.until_gone()

    async def other(miner: Miner) -> None:
        await miner.let_in(dataclasses.replace(REGTEST_JOB, job_id="other port"))

    async with Pool(script) as pool, Pool(other) as second, source_of(pool) as source:
        events = source.events()
        await next_of(Job, events)
        assert f"port {second.port}" in (await next_of(Disconnected, events)).reason
        assert (await next_of(Job, events)).job_id == "other port"
        second._server.close()  # it hangs up, and nobody is there any more
        assert (await next_of(Job, events)).job_id == REGTEST_JOB.job_id
        assert len(pool.miners) == 2


@within_limit
async def test_reconnect_to_a_port_where_nobody_lets_us_in() -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        if len(pool.miners) == 1:
            miner.say(request("client.reconnect", ["", second.port]))
        await miner.until_gone()

    async def hang_up(miner: Miner) -> None:
        await miner.next()

    async with Pool(script) as pool, Pool(hang_up) as second, source_of(pool) as source:
        events = source.events()
        await next_of(Job, events)
        await next_of(Job, events)
        assert (len(pool.miners), len(second.miners)) == (2, 1)


@within_limit
async def test_reconnect_to_a_host_in_an_allowed_domain_and_home_when_that_fails() -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        if len(pool.miners) == 1:
            miner.say(request("client.reconnect", ["EU.Pool.Invalid", 3333]))
        await miner.until_gone()

    async with Pool(script) as pool, source_of(pool, redirect_to=("pool.invalid",)) as source:
        events = source.events()
        assert "eu.pool.invalid, port 3333" in (await next_of(Disconnected, events)).reason
        assert "reconnect" not in (await next_of(Disconnected, events)).reason, "nobody knows that name"
        await next_of(Job, events)
        assert len(pool.miners) == 2


@within_limit
async def test_reconnect_without_parameters() -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        if len(pool.miners) == 1:
            miner.protocol.reconnect()
            miner.flush()
        await miner.until_gone()

    async with Pool(script) as pool, source_of(pool) as source:
        events = source.events()
        await next_of(Disconnected, events)
        await next_of(Job, events)
        assert len(pool.miners) == 2


@pytest.mark.parametrize(("redirect", "params"), [
    (True, ["evil.example", 3333, 0]), (True, ["127.0.0.2", 3333, 0]), (False, ["127.0.0.1", 3333, 0]),
    (True, ["127.0.0.1.evil.example", 3333]), (True, ["notpool.example", 3333]), (True, ["pool.example.", 3333]),
    (True, ["a..pool.example", 3333]), (False, ["pool.example", 3333]), (True, ["x\u202e", 3333]),
])
@within_limit
async def test_reconnect_is_not_followed_elsewhere(redirect: bool, params: list[Any]) -> None:
    async def script(miner: Miner) -> None:
        await miner.let_in(REGTEST_JOB)
        miner.say(request("client.reconnect", params))
        miner.protocol.accept(await miner.next_share())
        await miner.next()

    async with Pool(script) as pool, source_of(
            pool, redirect=redirect, redirect_to=("pool.example",)) as source:
        events = source.events()
        job = await next_of(Job, events)
        notice = await next_of(Notice, events)
        assert "not followed" in notice.text or "client.reconnect" in notice.text
        assert (await source.submit(job.work(bytes(4)).share(0))).status is ShareStatus.ACCEPTED
        assert len(pool.miners) == 1

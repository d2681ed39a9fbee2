"""Clients that mean no good, and settings that make no sense."""

import asyncio
import dataclasses
import time
from typing import Any

import pytest

from hub_players import (
    ACCEPTED,
    RawMiner,
    ScriptedSource,
    Watched,
    make_job,
    scripted,
    solve,
)
from miner.core.algorithm import Algorithm
from miner.core.errors import UsageError
from miner.core.source import Notice
from miner.hub import Hub, HubConfig, judge
from miner.hub import connection as connection_module
from miner.hub import miner as miner_module
from miner.hub.events import HubShare, MinerLeft


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

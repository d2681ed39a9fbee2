"""The swarm: that its shares are valid, its misbehaviour is what it says, and its figures are those of the server.

Its servers are hubs of this package and, in test_pool.py, a pool of somebody else's."""

import asyncio
import random
import resource
import socket
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commands import run, run_here, running
from hub_players import SHA256D, TOKEN, ScriptedSource, Watched, make_job, proof, with_hub
from miner.config import SourceConfig
from miner.core.errors import UsageError
from miner.core.target import MAX_TARGET
from miner.hub.events import HubSnapshot
from miner.swarm.book import MAX_KINDS, MAX_POINTS, Book
from miner.swarm.histogram import Histogram
from miner.swarm.plan import Plan, Role
from miner.swarm.run import Swarm
from schemas import figures as checked_figures

EASY = 64 / (1 << 32)  # a difficulty: 64 hashes a share
SECRET = "token-of-a-secret"


def plan(address: tuple[str, int] = ("127.0.0.1", 1), token: str = TOKEN, **settings: Any) -> Plan:
    server = SourceConfig(SHA256D, f"stratum+tcp://{address[0]}:{address[1]}", "swarm", token)
    return Plan(server, **{"ramp": 0.2, "miners": 20, "shares": 100.0} | settings)


def against_hub(play: Callable[[Watched, ScriptedSource], Any], *, miners: int = 20, shares: float = 100.0) -> None:
    """A hub all of whose shares its source wants to see, and none of them a block."""
    with_hub(lambda: ScriptedSource(make_job(hashes=1 << 40, share_hashes=64)), play, start_difficulty=EASY,
             least_difficulty=EASY, max_shares_per_second=1e6, seconds_per_share=miners / shares,
             messages_per_second=1e4)


async def until(wanted: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not wanted():
            await asyncio.sleep(0.01)


def test_every_share_that_goes_up_is_good_and_unique_and_the_three_counts_are_equal() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        swarm = Swarm(plan(watched.address, miners=40, shares=400.0, seconds=120.0))
        going = asyncio.create_task(swarm.run())
        for number in range(2, 6):  # the chain moves on meanwhile
            await until(lambda number=number: swarm.book.accepted >= 100 * number)  # type: ignore[misc]
            source.push(make_job(f"{number}", number, hashes=1 << 40, share_hashes=64))
        await until(lambda: swarm.book.accepted >= 700)
        swarm.stop()
        await going
        told: HubSnapshot = watched.hub.snapshot()
        proofs = [proof(share) for share in source.submitted]
        assert len(set(proofs)) == len(proofs)
        assert all(int.from_bytes(value, "little") <= MAX_TARGET // 64 for value in proofs), "what the source wants"
        assert swarm.book.accepted == told.accepted == len(proofs)
        assert swarm.book.sent == swarm.book.accepted + swarm.book.refused
        assert set(swarm.book.refusals) <= {"21 job not found: the chain moved on"}
        assert (swarm.book.errors, swarm.book.hung_up, swarm.book.here) == ({}, 0, 0)
        assert swarm.book.latency.total > 0
        assert swarm.book.job_last.total == 4

    against_hub(play, miners=40, shares=400.0)


def test_misbehaviour_is_what_it_says_and_honest_miners_are_counted_alone() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        swarm = Swarm(plan(watched.address, junk=0.1, stale=0.1, slow_readers=0.1, half_open=0.1, seconds=120.0))
        going = asyncio.create_task(swarm.run())
        await until(lambda: swarm.book.here == 20)
        source.push(make_job("b", 2, hashes=1 << 40, share_hashes=64))

        def told(words: str) -> int:
            return sum(count for name, count in swarm.book.refusals.items() if words in name and "misbehaving" in name)

        for words in ("23 low difficulty", "20 extranonce2 has", "21 job not found (", "21 job not found: the chain"):
            await until(lambda words=words: told(words) > 1)  # type: ignore[misc]
        swarm.stop()
        await going
        assert swarm.book.wrong_sent > 0 == swarm.book.wrong_accepted
        assert swarm.book.sent == swarm.book.accepted + swarm.book.refused
        assert swarm.book.errors == {} or all("junk" in words for words in swarm.book.errors)

    against_hub(play)


def test_a_storm_is_over_when_all_are_back_with_a_job() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        swarm = Swarm(plan(watched.address, storm=1.0, seconds=2.0))
        await swarm.run()
        assert swarm.book.storm_seconds is not None
        assert swarm.book.opened == 40
        assert swarm.book.hung_up == 0, "who leaves in the storm was not hung up on"

    against_hub(play)


def test_a_server_that_hangs_up_is_tried_again_and_counted() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        swarm = Swarm(plan(watched.address, token="wrong", miners=2, seconds=60.0))
        going = asyncio.create_task(swarm.run())
        await until(lambda: swarm.book.errors.total() >= 3)
        swarm.stop()
        await going
        assert all("the login was refused" in words and "token" in words for words in swarm.book.errors)
        assert "wrong token" in str(swarm.book.errors) and swarm.book.sent == 0

    against_hub(play)


def test_connections_come_from_the_addresses_that_were_asked_for() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        swarm = Swarm(plan(watched.address, miners=4, addresses=("127.0.1.1", "127.0.1.2"), seconds=60.0))
        going = asyncio.create_task(swarm.run())
        await until(lambda: swarm.book.here == 4)
        assert sorted(row.host for row in watched.hub.snapshot().miners) == ["127.0.1.1"] * 2 + ["127.0.1.2"] * 2
        swarm.stop()
        await going

    against_hub(play)


@pytest.mark.parametrize(("role", "part"), [(Role.JUNK, "junk"), (Role.STALE, "stale"), (Role.HALF_OPEN, "half_open"),
                                            (Role.SLOW_READER, "slow_readers")])
def test_a_part_of_the_miners_is_that_part_and_at_least_one(role: Role, part: str) -> None:
    for miners, wanted in ((1000, 50), (40, 2), (3, 1)):
        made = plan(miners=miners, **{part: 0.05})
        assert made.roles == dict.fromkeys(Role, 0) | {Role.HONEST: miners - wanted, role: wanted}
        assert list(made.each_role()).count(role) == wanted
    assert list(plan(miners=100, junk=0.5).each_role())[:10].count(Role.JUNK) == 5, "well mixed"


@pytest.mark.parametrize("bad", [{"miners": 0}, {"miners": 1 << 20}, {"shares": -1}, {"shares": 1e9}, {"storm": 2},
                                 {"seconds": float("inf")}, {"junk": 0.6, "stale": 0.6}, {"ramp": float("nan")}])
def test_senseless_plans_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="swarm"):
        plan(**bad)


def test_more_connections_than_files_are_a_clear_error() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard > 65_000:
        pytest.skip("no hard limit on open files that a swarm could go beyond")
    with pytest.raises(UsageError, match="open files"):
        Swarm(plan(miners=hard))
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == hard


def test_percentiles_are_right_to_a_percent() -> None:
    luck = random.Random(5)
    times = [luck.lognormvariate(-6, 2) for _ in range(20_000)]
    histogram, other = Histogram(), Histogram()
    for number, seconds in enumerate(times):
        (histogram if number % 2 else other).add(seconds)
    histogram.merge(other)
    times.sort()
    for part in (0.5, 0.9, 0.99, 0.999, 1.0):
        assert histogram.percentile(part) == pytest.approx(times[int(part * 20_000) - 1], rel=0.011)
    assert (histogram.total, histogram.largest) == (20_000, times[-1])
    assert Histogram().percentile(0.99) == 0.0


def test_a_long_run_takes_no_more_memory_than_a_short_one() -> None:
    book = Book(1, 0.0, 0.0)
    for second in range(1, 10_001):
        book.answer(0.001, float(second))
        book.second(float(second))
        book.error(f"a new way to fail, number {second}")
        book.new_hash(b"%d" % second, b"%d" % (second + 1), float(second))
    assert MAX_POINTS / 3 < len(book.course) <= MAX_POINTS
    assert sum(point.answers for point in book.course) == 10_000
    assert len(book.errors) == MAX_KINDS + 1 and book.errors["other"] == 10_000 - MAX_KINDS
    assert book.job_last.total > 9_900


# The command

@pytest.mark.parametrize(("args", "words"), [
    ([], "--url"), (["-o", "http://127.0.0.1:1/"], "scheme"), (["-o", "stratum+tcp://127.0.0.1:1"], "--user"),
    (["-o", "stratum+tcp://192.0.2.1:1", "-u", "a"], "--yes"), (["--junk", "101%"], "--junk"),
    (["-o", "stratum+tcp://127.0.0.1:1", "-u", "a", "--junk", "60%", "--stale", "0.6"], "more than all"),
    (["-o", "stratum+tcp://a:1", "-o", "stratum+tcp://b:1", "-u", "a"], "twice"), (["--from", "x"], "--from"),
    (["--from", "10.0.0.0/8"], "--from"), (["--seconds", "0"], "--seconds"), (["--miners", "0"], "--miners"),
])
def test_wrong_usage(args: list[str], words: str) -> None:
    done = run_here("swarm", *args)
    assert done.status == 2
    assert words in done.err[-1]


def test_against_the_hub_command(tmp_path: Path) -> None:
    picture = tmp_path / "latency.svg"
    with running("hub", "--sandbox", "-a", "sha256d", "--token", SECRET, "--start-difficulty", "4e-9",
                 "--max-shares-per-second", "10000", "--seconds-per-share", "0.2") as hub:
        assert hub.stdout is not None
        url = hub.stdout.readline().split()[-1]
        done = run("swarm", "-o", url, "-u", "w%d", "-p", SECRET, "--miners", "10", "--shares", "50", "--ramp", "0.5",
                   "--seconds", "3", "--json", "--chart", str(picture))
    assert done.status == 0, done.err
    assert done.lines[0].startswith(f"Swarm: 10 connections to {url} (127.0.0.1) within 0.5 seconds, then 50 shares a")
    (figures,) = checked_figures(done.out)
    assert figures["type"] == "swarm_done"
    assert figures["connected"] == figures["miners"] == 10
    assert figures["accepted"] > 0 == figures["connections_lost"]
    assert figures["sent"] == figures["accepted"] + figures["refused"] + figures["unanswered"]
    assert 0 < figures["times"]["share latency"]["p50"] <= figures["times"]["share latency"]["max"]
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")
    assert SECRET not in "".join(done.out + done.err) + picture.read_text()


def test_a_server_that_is_not_there_is_told_and_ends_in_failure() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        done = run("swarm", "-o", f"stratum+tcp://127.0.0.1:{port}", "-u", "a", "--miners", "3", "--ramp", "0",
                   "--seconds", "1")
    assert done.status == 1
    assert any(line.startswith("Error: can't connect: Connection refused: ") for line in done.out)

"""How much one hub holds: `python -m miner hub` against `python -m miner swarm`, both on this machine.

    make load                                   # the table of docs/scale.md: a round takes a quarter of an hour
    make load ROUNDS=3 MEMORY=600               # medians of three rounds, and ten minutes of memory
    cd tests && ../.venv/bin/python load.py --quick                                     # all of it, small
    cd tests && ../.venv/bin/python load.py --miners 1000 --seconds 10 many connect     # some of it

Rounds are interleaved, and each figure is the median of its rounds. Latencies, rates and times say something on a quiet
machine with two CPUs or more; CPU time does on a busy one as well, though it is then up to twice as high."""

import argparse
import asyncio
import contextlib
import datetime
import os
import signal
import socket
import statistics
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest

import load_echo
from hub_players import SHA256D, TOKEN, ScriptedSource, make_job, proof
from load_players import (
    EASY,
    LIMIT,
    Figures,
    HubProcess,
    StillPool,
    SwarmProcess,
    answers_between,
    cpu_of,
    flood,
    watched,
)
from miner.cli.machine import machine
from miner.core.target import difficulty_to_target
from miner.hub import Hub, HubConfig
from miner.hub.miner import JOBS_KEPT
from node.knots import Knots
from pool.pool import Pool

BLOCK_SECONDS = 10.0  # from one block of the pool's chain to the next: Bitcoin's come every 600, Dogecoin's every 60
SPARE = 60.0  # seconds of a swarm that is ended before: it tells how many are here each sixtieth of its time


class Row(NamedTuple):
    """A line of the table: what was measured, how to show it, the goal in words, and the most or the least that meets
    it."""

    name: str
    text: Callable[[float], str]
    goal: str = ""
    most: float = float("inf")
    least: float = float("-inf")


COUNT, TENTHS, PARTS_OF_1 = "{:.0f}".format, "{:.1f}".format, "{:.2f}".format

ROWS = {
    "many/rate": Row("MANY miners, 2,000 shares/s: accepted/s", COUNT, "2,000", least=1960),
    "many/p99": Row("– p99 of the latency, ms", TENTHS, "≤ 50", most=50),
    "many/own": Row("– p99 of the delay that is the swarm's own, ms", TENTHS),
    "many/cpu": Row("– the hub's CPU, of a core, jobs included", PARTS_OF_1),
    "job/last": Row("– new job, from the first to the last miner, s (p50)", PARTS_OF_1, "≤ 0.3", most=0.3),
    "job/cpu": Row("new job at MANY, while 500 shares/s go on: the hub's CPU time, s", PARTS_OF_1, "≤ 0.3", most=0.3),
    "few/rate": Row("1,000 miners, 5,000 shares/s: accepted/s", COUNT, "5,000", least=4900),
    "few/p99": Row("– p99 of the latency, ms", TENTHS),
    "few/cpu": Row("– the hub's CPU, of a core", PARTS_OF_1),
    "cpu/100": Row("the hub's CPU for a share at 100 miners, all that it does beside counted in, µs", COUNT, "≤ 60",
                   most=60),
    "cpu/many": Row("– at MANY, µs", COUNT, "≤ 60", most=60),
    "cpu/echo": Row("– an echo server on asyncio in the hub's place, 100 connections: its CPU for a line, µs", COUNT),
    "own/cpu": Row("the swarm's own CPU at MANY, 3,000 shares/s, of a core", PARTS_OF_1, "≤ 1", most=1),
    "connect/all": Row("MANY connect in the same second: all have a job after, s", TENTHS, "≤ 6", most=6),
    "connect/cpu": Row("– the hub's CPU time, s", TENTHS),
    "connect/lost": Row("– connections lost or refused", COUNT, "0", most=0),
    "memory/miner": Row("memory for a miner, KiB", TENTHS, "≤ 16", most=16),
    "memory/grows": Row("memory in the last fifth of LONG s of 1,000 miners and 500 shares/s, to that in the second",
                        "{:.3f}".format, "flat", most=1.02),
    "slow/p99": Row("5% slow readers, 1,000 miners, 500 shares/s: p99 of the others, ms", TENTHS, "≤ 50", most=50),
    "storm/back": Row("half of 1,000 miners reconnect at once: all back after, s", TENTHS),
    "ping/times": Row("a stranger floods with mining.ping: p50 to that without, times", PARTS_OF_1, "< 2", most=2),
    "flood/capacity": Row("100 miners at a fixed difficulty, as many shares as are answered: accepted/s", COUNT),
    "flood/goodput": Row("– ten times as many are offered: accepted/s, to that", PARTS_OF_1, "> 0.5", least=0.5),
    "flood/after": Row("– ten seconds later, 1,000 miners, 1,000 shares/s: p99 to that before, times", PARTS_OF_1, "1",
                       most=1.5),
    "flood/work": Row("100 miners that begin with OFFERED shares/s, the difficulty follows: hashes accepted, to those "
                      "handed in", PARTS_OF_1, "> 0.5", least=0.5),
    "flood/shares": Row("– accepted/s meanwhile (100 are wanted)", COUNT),
    "term/seconds": Row("SIGTERM under OFFERED shares/s at a fixed difficulty: ended after, s", TENTHS, "≤ 5", most=5),
    "up/shares": Row("shares that went up under load: good, unique, and the three counts equal", COUNT),
    "away/cpu": Row("the pool is AWAY s away, 1,000 miners: the hub's CPU meanwhile, of a core", PARTS_OF_1),
    "away/found": Row("– from its return until the hub tries again (its pauses double, with jitter), s", TENTHS),
    "away/back": Row("– from then until nine tenths of the shares come again, s", TENTHS),
    "away/memory": Row("– memory after a second such absence, a short one, to that after the first", PARTS_OF_1, "flat",
                       most=1.1),
    "beside/hub": Row("1,000 miners, 500 shares/s: the hub's CPU, of a core", PARTS_OF_1),
    "beside/hub_p99": Row("– p99 of the latency, ms", TENTHS),
    "beside/pool": Row("– foundation-stratum's (a fork of node-stratum-pool) in its place: CPU, of a core", PARTS_OF_1),
    "beside/pool_p99": Row("– p99 of the latency, ms", TENTHS),
}


def ramp_of(miners: int) -> float:
    """Seconds over which so many are let in without a hurry."""
    return max(1.0, miners / 500)


def steady(hub: HubProcess, miners: int, shares: float, seconds: float, *options: str) -> Figures:
    """A load after its ramp: the swarm's figures, with the hub's CPU seconds a second of load, and its memory."""
    before, ramp = hub.memory, ramp_of(miners)
    swarm = SwarmProcess(hub.url, miners, shares, ramp, seconds, *options)
    swarm.wait_for_all()
    time.sleep(seconds * 0.2)
    cpu, began, memory = hub.cpu, time.monotonic(), hub.memory
    time.sleep(seconds * 0.5)
    used = (hub.cpu - cpu) / (time.monotonic() - began)
    return swarm.figures() | {"hub_cpu": used, "memory": (memory - before) / miners}


def rate(figures: Figures) -> float:
    """Accepted shares a second, of the seconds after the ramp."""
    course = [point for point in figures["course"] if point["at"] >= figures["ramp"]
              and point["at"] + point["seconds"] <= figures["ramp"] + figures["seconds"] + 0.5]
    answered = sum(point["answers"] for point in course) / (sum(point["seconds"] for point in course) or 1.0)
    return answered * figures["accepted"] / max(1, figures["accepted"] + figures["refused"])


def p99(figures: Figures, name: str = "share latency") -> float:
    """In milliseconds."""
    return float(figures["times"][name]["p99"]) * 1e3


@contextlib.contextmanager
def moving(pool: StillPool) -> Iterator[None]:
    """The pool's chain moves on every ten seconds."""
    def move() -> None:
        while not over.wait(BLOCK_SECONDS):
            pool.move()

    over, thread = threading.Event(), threading.Thread(target=move)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def chain(miners: int, shares: float) -> Iterator[HubProcess]:
    """A hub before a pool whose chain moves on: a share that was under way then is stale."""
    with StillPool() as pool, HubProcess(miners, shares, pool=pool.url) as hub, moving(pool):
        yield hub


def many(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    with chain(plan.miners, 2000) as hub:
        figures = steady(hub, plan.miners, 2000, plan.seconds)
    yield "many/rate", rate(figures)
    yield "many/p99", p99(figures)
    yield "many/own", p99(figures, "own delay")
    yield "many/cpu", figures["hub_cpu"]
    yield "job/last", figures["times"]["new job, first to last"]["p50"]
    yield "memory/miner", figures["memory"] / 1024


def few(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    with chain(1000, 5000) as hub:
        figures = steady(hub, 1000, 5000, plan.seconds)
    yield "few/rate", rate(figures)
    yield "few/p99", p99(figures)
    yield "few/cpu", figures["hub_cpu"]


def cpu(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """What a share costs while the work stays as it is, and what a new job costs beside that."""
    for name, miners, shares in (("cpu/100", 100, 1500.0), ("cpu/many", plan.miners, 1500.0)):
        with StillPool() as pool, HubProcess(miners, shares, pool=pool.url) as hub:
            swarm = SwarmProcess(hub.url, miners, shares, ramp_of(miners), plan.seconds + 5)
            swarm.wait_for_all()
            time.sleep(2.0)
            cpu, began = hub.cpu, time.monotonic()
            time.sleep(plan.seconds / 2)
            used, ended = hub.cpu - cpu, time.monotonic()
            yield name, used / max(1.0, answers_between(swarm.figures(), began, ended)) * 1e6
    yield "cpu/echo", load_echo.cost(100, 1500, plan.seconds / 2) * 1e6


def jobs(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """The hub's CPU time in seconds with a new job each, less that in as many seconds without."""
    with StillPool() as pool, HubProcess(plan.miners, 500, pool=pool.url) as hub:
        swarm = SwarmProcess(hub.url, plan.miners, 500, ramp_of(plan.miners), plan.seconds + SPARE)
        swarm.wait_for_all()
        time.sleep(2.0)
        spent = []
        for _ in range(max(3, round(plan.seconds / 8))):
            cpu = hub.cpu
            time.sleep(2.0)
            between = hub.cpu
            pool.move()
            time.sleep(2.0)
            spent.append(hub.cpu - between - (between - cpu))
        swarm.stop()
        swarm.figures()
    yield "job/cpu", statistics.median(spent)


def own(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    with HubProcess(plan.miners, 3000) as hub:
        yield "own/cpu", steady(hub, plan.miners, 3000, plan.seconds / 2)["own_cpu"]


def connect(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    with HubProcess(plan.miners, 1) as hub:
        cpu = hub.cpu
        swarm = SwarmProcess(hub.url, plan.miners, 0, 1, 60)
        swarm.wait_for_all()
        used = hub.cpu - cpu
        swarm.stop()
        figures = swarm.figures()
    first = figures["times"]["to the first job"]
    yield "connect/all", first["max"] if first["number"] >= plan.miners else float("inf")
    yield "connect/cpu", used
    yield "connect/lost", figures["connections_lost"] + sum(figures["errors"].values())


def slow(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    with HubProcess(1000, 500) as hub:
        yield "slow/p99", p99(steady(hub, 1000, 500, plan.seconds, "--slow-readers", "5%"))


def storm(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    with HubProcess(1000, 500) as hub:
        figures = SwarmProcess(hub.url, 1000, 500, 2, plan.seconds, "--reconnect-storm", "50%").figures()
    yield "storm/back", figures["storm_seconds"] or float("inf")


@contextlib.contextmanager
def pinging(host: str, port: int) -> Iterator[None]:
    """A stranger without the token who sends mining.ping without a pause, and comes back 0.2 s after each throw-out."""
    over = threading.Event()

    def flood() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), socket.create_connection((host, port), 10) as stranger:
                while not over.is_set():
                    stranger.sendall(b'{"id": 1, "method": "mining.ping", "params": []}\n' * 20)
            over.wait(0.2)

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(20)


def ping(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """Calm and pestered in turn, twice each."""
    seen: dict[bool, list[float]] = {False: [], True: []}
    with HubProcess(100, 100) as hub:
        for pestered in (False, True, False, True):
            with pinging(hub.host, hub.port) if pestered else contextlib.nullcontext():
                figures = SwarmProcess(hub.url, 100, 100, 1, plan.seconds / 3).figures()
            seen[pestered].append(figures["times"]["share latency"]["p50"])
    yield "ping/times", statistics.mean(seen[True]) / statistics.mean(seen[False])


FIXED = ("--least-difficulty", f"{EASY:.3g}", "--seconds-per-share", "0.0001")  # no number of shares is too large


def flooded(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """A hub at a load that it bears, then far beyond what it can check, then again: first one that may not ask for
    harder shares, then one that may."""
    with HubProcess(1000, 1000, *FIXED) as hub:
        before = SwarmProcess(hub.url, 1000, 1000, 2, plan.seconds / 2).figures()
        capacity = flood(hub, plan.seconds / 2, "--window", "8")
        most = capacity["accepted"] / capacity["seconds"]
        during = flood(hub, plan.flood_seconds, "--shares", f"{10 * most:.0f}")
        time.sleep(10)
        after = SwarmProcess(hub.url, 1000, 1000, 2, plan.seconds / 2).figures()
    yield "flood/capacity", most
    yield "flood/goodput", during["accepted"] / during["seconds"] / most
    yield "flood/after", p99(after) / p99(before)
    with HubProcess(100, 100) as hub:
        rising = flood(hub, plan.flood_seconds, "--hashrate", f"{plan.offered * EASY * (1 << 32):.0f}")
    yield "flood/work", rising["paid"] / rising["hashed"]
    yield "flood/shares", rising["accepted"] / rising["seconds"]


def term(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    def flood_until_it_ends() -> None:
        flood(hub, 60, "--shares", str(plan.offered))

    with HubProcess(1000, 1000, *FIXED) as hub, ExitStack() as after:
        flooding = threading.Thread(target=flood_until_it_ends)
        flooding.start()
        after.callback(flooding.join)
        time.sleep(6)
        yield "term/seconds", hub.end()


def up(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """A hub all of whose shares its source wants to see, in this process, and a chain that moves on every second."""
    async def main() -> int:
        source = ScriptedSource(make_job(hashes=1 << 40, share_hashes=16))
        config = HubConfig(token=TOKEN, max_miners=4096, start_difficulty=EASY, least_difficulty=EASY,
                           max_shares_per_second=1e6, seconds_per_share=2.0, messages_per_second=1000.0)
        async with Hub(source, config) as hub:
            host, port = await hub.start()
            swarm = SwarmProcess(f"stratum+tcp://{host}:{port}", 1000, 500, 3, 600)
            ending = asyncio.create_task(asyncio.to_thread(swarm.figures))
            for number in range(2, 1 << 20):
                await asyncio.wait([ending], timeout=1.0)
                if ending.done() or len(source.submitted) >= plan.shares_up:
                    break
                source.push(make_job(f"{number}", number, hashes=1 << 40, share_hashes=16))
            swarm.stop()
            figures = await ending
            proofs = [proof(share) for share in source.submitted]
            assert len(set(proofs)) == len(proofs), "a share came twice"
            assert all(int.from_bytes(value, "little") <= difficulty_to_target(EASY, SHA256D) for value in proofs)
            counts = figures["accepted"], hub.snapshot().accepted, len(proofs)
            assert len(set(counts)) == 1, f"miners, hub and source count {counts}"
            assert figures["sent"] == figures["accepted"] + figures["refused"] + figures["unanswered"]
            return len(proofs)

    yield "up/shares", asyncio.run(main())


def away(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """A hub whose pool goes away for long, and comes back; then again. Sessions that nobody will come back to are kept
    for a second, and the chain moves on before memory is looked at: what may rest between two blocks is no leak."""
    with StillPool() as pool, HubProcess(1000, 500, "--session-seconds", "1", pool=pool.url) as hub:
        swarm = SwarmProcess(hub.url, 1000, 500, 2, 3 * plan.away_seconds + 2 * SPARE)
        swarm.wait_for_all()
        time.sleep(5)
        pool.go()
        time.sleep(plan.away_seconds * 0.2)
        cpu, began = hub.cpu, time.monotonic()
        time.sleep(plan.away_seconds * 0.8)
        used = (hub.cpu - cpu) / (time.monotonic() - began)
        pool.come()
        came = time.monotonic()
        pool.wait_for_hub(2 * plan.away_seconds + 5)
        back = time.monotonic()
        memories = []
        for absent in (True, False):
            time.sleep(15)
            pool.move()
            time.sleep(2)
            memories.append(hub.memory)
            if absent:
                pool.go()
                time.sleep(8)
                pool.come()
                pool.wait_for_hub(LIMIT)
        swarm.stop()
        figures = swarm.figures()
    good = [second for second in range(15) if answers_between(figures, back + second, back + second + 1) > 450]
    yield "away/cpu", used
    yield "away/found", back - came
    yield "away/back", min(good, default=float("inf"))
    yield "away/memory", memories[1] / memories[0]


def memory(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """What the hub holds over a long load: the last fifth's mean to that of the second fifth. A miner's latest jobs
    are kept, 16 at most, and so many are given to each before that: what is looked for grows without a bound."""
    with StillPool() as pool, HubProcess(1000, 500, pool=pool.url) as hub:
        swarm = SwarmProcess(hub.url, 1000, 500, 2, plan.memory_seconds + JOBS_KEPT + 2 * SPARE)
        swarm.wait_for_all()
        for _ in range(JOBS_KEPT):
            pool.move()
            time.sleep(1.0)
        with moving(pool):
            seen = watched(plan.memory_seconds, lambda: float(hub.memory))
        swarm.stop()
        swarm.figures()
    fifth = max(1, len(seen) // 5)
    yield "memory/grows", statistics.mean(seen[-fifth:]) / statistics.mean(seen[fifth:2 * fifth])


def beside(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """Another pool in the hub's place: the npm package foundation-stratum, before a Bitcoin Knots."""
    def measure(url: str, process: int, **login: str) -> tuple[float, float]:
        swarm = SwarmProcess(url, 1000, 500, 4, plan.seconds, **login)
        swarm.wait_for_all()
        cpu, began = cpu_of(process), time.monotonic()
        time.sleep(plan.seconds * 0.7)
        return (cpu_of(process) - cpu) / (time.monotonic() - began), p99(swarm.figures())

    with StillPool() as still, HubProcess(1000, 500, pool=still.url) as hub:
        used, latency = measure(hub.url, hub.process)
        yield "beside/hub", used
        yield "beside/hub_p99", latency
    try:
        with Knots(chain="test") as node, Pool(node, difficulty=EASY, algorithm="sha256d") as pool:
            used, latency = measure(pool.url, pool.process, user=pool.username, password=pool.password)
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        print(f"left out: {missing}", file=sys.stderr)
        return
    yield "beside/pool", used
    yield "beside/pool_p99", latency


Part = Callable[[argparse.Namespace], Iterator[tuple[str, float]]]

PARTS: dict[str, Part] = {
    "many": many, "few": few, "cpu": cpu, "jobs": jobs, "own": own, "connect": connect, "slow": slow, "storm": storm,
    "ping": ping, "flood": flooded, "term": term, "up": up, "away": away, "beside": beside}
ONCE: dict[str, Part] = {"memory": memory}  # after the rounds
QUICK = {"miners": 1000, "seconds": 6.0, "flood_seconds": 8.0, "away_seconds": 8.0, "memory_seconds": 15.0,
         "shares_up": 500}


def table(plan: argparse.Namespace, seen: dict[str, list[float]]) -> Iterator[str]:
    """The figures beside their goals, as a table in Markdown."""
    yield f"{machine()}; Python {sys.version.split()[0]}; {datetime.date.today()}; rounds: {plan.rounds}"
    yield ""
    yield "| | median | goal | |\n| --- | --- | --- | --- |"
    for name, row in ROWS.items():
        if name in seen:
            value = statistics.median(seen[name])
            words = row.name.replace("MANY", f"{plan.miners:,}").replace("LONG", f"{plan.memory_seconds:g}")
            words = words.replace("AWAY", f"{plan.away_seconds:g}").replace("OFFERED", f"{plan.offered:,}")
            met = ("met" if row.least <= value <= row.most else "NOT met") if row.goal else ""
            yield f"| {words} | {row.text(value)} | {row.goal} | {met} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = PARTS | ONCE
    parser.add_argument("parts", nargs="*", choices=[*every, []], metavar="PART", help=f"of {', '.join(every)}")
    parser.add_argument("--quick", action="store_true", help="1,000 miners for MANY and a few seconds of each load")
    parser.add_argument("--miners", type=int, default=10_000, metavar="N", help="what MANY is")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="N", help="of each load")
    parser.add_argument("--offered", type=int, default=10_000, metavar="N", help="shares a second that are too many")
    parser.add_argument("--flood-seconds", type=float, default=60.0, metavar="N", help="for which they are offered")
    parser.add_argument("--away-seconds", type=float, default=60.0, metavar="N", help="for which the pool is away")
    parser.add_argument("--memory-seconds", type=float, default=120.0, metavar="N", help="of load, once")
    parser.add_argument("--shares-up", type=int, default=5000, metavar="N", help="that go up to the source")
    parser.add_argument("--rounds", type=int, default=1, metavar="N")
    if "--quick" in sys.argv:
        parser.set_defaults(**QUICK)
    plan = parser.parse_args()
    wanted = plan.parts or every
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # all that was started ends, too
    todo = [(number, part) for number in range(1, plan.rounds + 1) for part in PARTS if part in wanted]
    todo += [(plan.rounds, part) for part in ONCE if part in wanted]
    seen: dict[str, list[float]] = defaultdict(list)
    for number, part in todo:
        began = time.monotonic()
        for name, value in every[part](plan):
            seen[name].append(value)
            print(f"  {ROWS[name].name}: {ROWS[name].text(value)}", file=sys.stderr)
        took, busy = time.monotonic() - began, os.getloadavg()[0]
        print(f"round {number} of {plan.rounds}: {part}, {took:.0f} s; load {busy:.1f}", file=sys.stderr)
    for line in table(plan, seen):
        print(line)


if __name__ == "__main__":
    main()

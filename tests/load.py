"""How much one hub holds: `python -m miner hub --sandbox` against `python -m miner swarm`, both on this machine.

    make load                                   # the table of docs/scale.md; about ten minutes
    cd tests && ../.venv/bin/python load.py --miners 1000 --seconds 10 steady connect    # less, and some of it

Rounds are interleaved, and each figure is the median of its rounds. Latencies say something on a quiet machine with two
CPUs or more; CPU time for a share does on a busy one as well."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from hub_players import SHA256D, TOKEN, ScriptedSource, make_job, proof
from miner.core.target import difficulty_to_target
from miner.hub import Hub, HubConfig

EASY = 16 / (1 << 32)  # a difficulty: 16 hashes a share, so that the swarm takes little of the CPU
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
LIMIT = 900.0  # seconds for any one process

Figures = dict[str, Any]


class Row(NamedTuple):
    """A line of the table: what was measured, how to show it, and the goal."""

    name: str
    text: Callable[[float], str]
    goal: str


ROWS = {
    "many/rate": Row("MANY miners, 2,000 shares/s: accepted/s", "{:.0f}".format, "2,000"),
    "many/p99": Row("the same: p99 of the latency, ms", "{:.1f}".format, "≤ 50"),
    "job/last": Row("new job, from the first to the last of MANY, s (p50)", "{:.2f}".format, "≤ 0.3"),
    "few/rate": Row("1,000 miners, 5,000 shares/s: accepted/s", "{:.0f}".format, "5,000"),
    "few/p99": Row("the same: p99 of the latency, ms", "{:.1f}".format, ""),
    "cpu/100": Row("the hub's CPU for one share more at 100 miners, µs", "{:.0f}".format, "≤ 60"),
    "cpu/many": Row("the same at MANY, µs", "{:.0f}".format, "≤ 60"),
    "cpu/all": Row("the same, all that it did (jobs too) by share at MANY, 2,000/s, µs", "{:.0f}".format, ""),
    "own/cpu": Row("the swarm's own CPU at MANY, 3,000 shares/s, of a core", "{:.2f}".format, "≤ 1"),
    "connect/all": Row("MANY connect in the same second: all have a job after, s", "{:.1f}".format, "≤ 6"),
    "connect/lost": Row("the same: connections lost or refused", "{:.0f}".format, "0"),
    "memory/miner": Row("memory for a miner, KiB", "{:.1f}".format, "≤ 16"),
    "memory/grows": Row("memory after the load to before it", "{:.2f}".format, "flat"),
    "slow/p99": Row("5% slow readers, 1,000 miners, 500 shares/s: p99 of the others, ms", "{:.1f}".format, "≤ 50"),
    "storm/back": Row("half of 1,000 miners reconnect at once: back after, s", "{:.1f}".format, ""),
    "ping/times": Row("a stranger floods with mining.ping: p50 to that without, times", "{:.2f}".format, "< 2"),
    "flood/goodput": Row("ten times the load: goodput to that before", "{:.2f}".format, "> 0.5"),
    "flood/after": Row("ten seconds later: p99 to that before, times", "{:.2f}".format, "1"),
    "term/seconds": Row("SIGTERM under load: ended after, s", "{:.1f}".format, "≤ 5"),
    "up/shares": Row("shares that went up under load: good, unique, and the three counts equal", "{:.0f}".format, ""),
}


class HubProcess:
    """A hub on the sandbox chain, for a number of miners with a number of shares a second."""

    def __init__(self, miners: int, shares: float, *options: str, stderr: int | IO[str] = subprocess.DEVNULL) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "miner", "hub", "--sandbox", "-a", "sha256d", "--max-miners", "16000",
             "--max-strangers", "16000", "--start-difficulty", f"{EASY:.3g}", "--max-shares-per-second", "100000",
             "--messages-per-second", "1000", "--seconds-per-share", f"{miners / max(shares, 1.0):g}", *options],
            env=os.environ | {"MINER_TOKEN": TOKEN}, stdout=subprocess.PIPE, stderr=stderr, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().split()[-1]

    @property
    def cpu(self) -> float:
        """Seconds that it has taken so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def memory(self) -> int:
        """Bytes that it holds."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * PAGE

    def end(self) -> float:
        """Send SIGTERM. Returns how many seconds it takes to end."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0
        return time.monotonic() - began

    def __enter__(self) -> "HubProcess":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()


class SwarmProcess:
    """A swarm that has begun."""

    def __init__(self, url: str, miners: int, shares: float, ramp: float, seconds: float, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "miner", "swarm", "-o", url, "-u", "w%d", "--miners", str(miners), "--shares",
             f"{shares:g}", "--ramp", f"{ramp:g}", "--seconds", f"{seconds:g}", "--json", *options],
            env=os.environ | {"MINER_PASSWORD": TOKEN}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._all_here = f"{miners} of {miners} miners"
        self._ready = threading.Event()
        self._told: Figures = {}
        self.began = 0.0  # when the seconds of its course begin, on time.monotonic's clock
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.began = self.began or time.monotonic()
            if self._all_here in line:
                self._ready.set()
        self._ready.set()

    def wait_for_all(self) -> None:
        """Until all miners have a job, or the swarm has ended."""
        self._ready.wait(LIMIT)

    def stop(self) -> None:
        """End it early."""
        self._process.send_signal(signal.SIGINT)

    def figures(self) -> Figures:
        """What it tells at its end, for which this waits."""
        if not self._told:
            assert self._process.stdout is not None
            self._told = json.loads(self._process.stdout.read())
            self._process.wait(LIMIT)
        return self._told


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
    used, grown = (hub.cpu - cpu) / (time.monotonic() - began), hub.memory / memory
    return swarm.figures() | {"hub_cpu": used, "memory": (memory - before) / miners, "grown": grown}


def rate(figures: Figures) -> float:
    """Accepted shares a second, of the seconds after the ramp."""
    course = [point for point in figures["course"] if point["at"] >= figures["ramp"]
              and point["at"] + point["seconds"] <= figures["ramp"] + figures["seconds"] + 0.5]
    answered = sum(point["answers"] for point in course) / (sum(point["seconds"] for point in course) or 1.0)
    return answered * figures["accepted"] / max(1, figures["accepted"] + figures["refused"])


def many(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    with HubProcess(plan.miners, 2000) as hub:
        figures = steady(hub, plan.miners, 2000, plan.seconds)
    times = figures["times"]
    yield "many/rate", rate(figures)
    yield "many/p99", times["share latency"]["p99"] * 1e3
    yield "job/last", times["new job, first to last"]["p50"]
    yield "memory/miner", figures["memory"] / 1024
    yield "memory/grows", figures["grown"]
    yield "cpu/all", figures["hub_cpu"] / max(rate(figures), 1.0) * 1e6


def few(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    with HubProcess(1000, 5000) as hub:
        figures = steady(hub, 1000, 5000, plan.seconds)
    yield "few/rate", rate(figures)
    yield "few/p99", figures["times"]["share latency"]["p99"] * 1e3


def cpu(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """What a share more costs, of two runs that differ in their shares alone: a block comes every few seconds with few
    shares as with many, so that logins and jobs cost both runs as much."""
    for name, miners in (("cpu/100", 100), ("cpu/many", plan.miners)):
        spent = []
        for shares in (500, 1500):
            with HubProcess(miners, 1500) as hub:
                before = hub.cpu
                figures = SwarmProcess(hub.url, miners, shares, ramp_of(miners), plan.seconds).figures()
                spent.append((hub.cpu - before, figures["accepted"] + figures["refused"]))
        (few_cpu, few_shares), (more_cpu, more_shares) = spent
        if more_shares > 1.5 * few_shares:  # else the machine was too busy for either
            yield name, (more_cpu - few_cpu) / (more_shares - few_shares) * 1e6


def own(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    with HubProcess(plan.miners, 3000) as hub:
        yield "own/cpu", steady(hub, plan.miners, 3000, plan.seconds)["own_cpu"]


def connect(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    with HubProcess(plan.miners, 1) as hub:
        figures = SwarmProcess(hub.url, plan.miners, 0, 1, 20).figures()
    first = figures["times"]["to the first job"]
    yield "connect/all", first["max"] if first["number"] >= plan.miners else float("inf")
    yield "connect/lost", figures["connections_lost"] + sum(figures["errors"].values())


def slow(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    with HubProcess(1000, 500) as hub:
        figures = steady(hub, 1000, 500, plan.seconds, "--slow-readers", "5%")
    yield "slow/p99", figures["times"]["share latency"]["p99"] * 1e3


def storm(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    with HubProcess(1000, 500) as hub:
        figures = SwarmProcess(hub.url, 1000, 500, 2, 20, "--reconnect-storm", "50%").figures()
    yield "storm/back", figures["storm_seconds"] or float("inf")


@contextlib.contextmanager
def pinging(url: str) -> Iterator[None]:
    """A stranger without the token who sends mining.ping without a pause, and comes back 0.2 s after each throw-out."""
    host, _, port = url.rpartition("/")[2].rpartition(":")
    over = threading.Event()

    def flood() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 10) as stranger:
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
    with HubProcess(100, 100) as hub:
        calm = SwarmProcess(hub.url, 100, 100, 1, plan.seconds).figures()
        with pinging(hub.url):
            pestered = SwarmProcess(hub.url, 100, 100, 1, plan.seconds).figures()
    p50 = [figures["times"]["share latency"]["p50"] for figures in (calm, pestered)]
    yield "ping/times", p50[1] / p50[0]


def flood(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """A hub that is at a tenth of what is then offered for a minute: as much of it as the swarm can make."""
    with HubProcess(1000, 1000) as hub:
        before = SwarmProcess(hub.url, 1000, 1000, 2, plan.seconds).figures()
        during = SwarmProcess(hub.url, 1000, 10_000, 2, plan.flood_seconds).figures()
        time.sleep(10)
        after = SwarmProcess(hub.url, 1000, 1000, 2, plan.seconds).figures()
    yield "flood/goodput", rate(during) / max(rate(before), 1.0)
    yield "flood/after", after["times"]["share latency"]["p99"] / before["times"]["share latency"]["p99"]


def term(plan: argparse.Namespace) -> Iterator[tuple[str, float]]:
    with HubProcess(1000, 1000) as hub:
        swarm = SwarmProcess(hub.url, 1000, 10_000, 2, 10)
        time.sleep(8)
        yield "term/seconds", hub.end()
        swarm.figures()


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


PARTS: dict[str, Callable[[argparse.Namespace], Iterator[tuple[str, float]]]] = {
    "many": many, "few": few, "cpu": cpu, "own": own, "connect": connect, "slow": slow, "storm": storm, "ping": ping,
    "flood": flood, "term": term, "up": up}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--miners", type=int, default=10_000, metavar="N", help="what MANY is")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="N", help="of each load")
    parser.add_argument("--flood-seconds", type=float, default=60.0, metavar="N", help="of ten times the load")
    parser.add_argument("--shares-up", type=int, default=5000, metavar="N", help="that go up to the source")
    parser.add_argument("--rounds", type=int, default=1, metavar="N")
    plan = parser.parse_args()
    seen: dict[str, list[float]] = defaultdict(list)
    for number in range(plan.rounds):
        for part in plan.parts or PARTS:
            print(f"round {number + 1} of {plan.rounds}: {part}; load {os.getloadavg()[0]:.1f}", file=sys.stderr)
            for name, value in PARTS[part](plan):
                seen[name].append(value)
    print("| | median | goal |\n| --- | --- | --- |")
    for name, (words, text, goal) in ROWS.items():
        if name in seen:
            print(f"| {words.replace('MANY', f'{plan.miners:,}')} | {text(statistics.median(seen[name]))} | {goal} |")


if __name__ == "__main__":
    main()

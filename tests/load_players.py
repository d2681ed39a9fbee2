"""Who takes part in load.py, each a process of its own but for the pool: the hub, the swarm, a flooder, and a pool
whose work moves on when it is told to, that can go away and come back."""

import asyncio
import atexit
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO, Any, Self

from hub_players import TOKEN, make_job
from miner.core.model import Job
from miner.stratum.server_events import Authorizing, Submitting, Subscribing
from stratum_pool import Miner, Pool

EASY = 16 / (1 << 32)  # a difficulty: 16 hashes a share, so that who makes shares takes little of the CPU
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
LIMIT = 900.0  # seconds for any one process
NO_SHARE = 1e6  # a pool's difficulty, at which none of the swarm's shares goes up

Figures = dict[str, Any]


def cpu_of(process: int) -> float:
    """Seconds of CPU time that a process has taken so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class HubProcess:
    """A hub for a number of miners with a number of shares a second, on the sandbox chain or at a pool."""

    def __init__(self, miners: int, shares: float, *options: str, pool: str = "",
                 stderr: int | IO[str] = subprocess.DEVNULL) -> None:
        source = ["-o", pool, "-u", "hub", "-p", "x", "--retry-pause", "1"] if pool else ["--sandbox"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "miner", "hub", *source, "-a", "sha256d", "--max-miners", "16000",
             "--max-strangers", "16000", "--start-difficulty", f"{EASY:.3g}", "--max-shares-per-second", "100000",
             "--messages-per-second", "1000", "--seconds-per-share", f"{miners / max(shares, 1.0):g}", *options],
            env=os.environ | {"MINER_TOKEN": TOKEN}, stdout=subprocess.PIPE, stderr=stderr, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().split()[-1]
        self.host, _, port = self.url.rpartition("/")[2].rpartition(":")
        self.port = int(port)

    @property
    def process(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def cpu(self) -> float:
        """Seconds of CPU time that it has taken so far."""
        return cpu_of(self.process)

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()


class SwarmProcess:
    """A swarm that has begun."""

    def __init__(self, url: str, miners: int, shares: float, ramp: float, seconds: float, *options: str,
                 user: str = "w%d", password: str = TOKEN) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "miner", "swarm", "-o", url, "-u", user, "--miners", str(miners), "--shares",
             f"{shares:g}", "--ramp", f"{ramp:g}", "--seconds", f"{seconds:g}", "--json", *options],
            env=os.environ | {"MINER_PASSWORD": password}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        atexit.register(self._process.kill)  # where the load is broken off
        self.began = 0.0  # when the seconds of its course begin, on time.monotonic's clock
        self._told: Figures = {}
        self._all_here = f"{miners} of {miners} miners"
        self._ready = threading.Event()
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
        """What it tells at its end, for which this waits; and `began`."""
        if not self._told:
            assert self._process.stdout is not None
            self._told = json.loads(self._process.stdout.read()) | {"began": self.began}
            self._process.wait(LIMIT)
            atexit.unregister(self._process.kill)
        return self._told


def answers_between(figures: Figures, first: float, last: float) -> float:
    """How many shares of a swarm were answered between two moments of time.monotonic."""
    first, last = first - figures["began"], last - figures["began"]
    return sum(point["answers"] * max(0.0, min(last, point["at"] + point["seconds"]) - max(first, point["at"]))
               / point["seconds"] for point in figures["course"] if point["seconds"] > 0)


def flood(hub: HubProcess, seconds: float, *options: str) -> Figures:
    """What flooder.py tells of its `seconds` at a hub."""
    command = [sys.executable, "flooder.py", hub.host, str(hub.port), "--seconds", f"{seconds:g}", *options]
    done = subprocess.run(command, env=os.environ | {"MINER_PASSWORD": TOKEN}, stdout=subprocess.PIPE, text=True,
                          check=True, cwd=Path(__file__).parent, timeout=LIMIT)
    figures: Figures = json.loads(done.stdout)
    return figures


class StillPool:
    """A pool on loopback, in a thread of its own. Its work stays as it is until `move`, and it asks for no share."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._job = 1
        self.port = 0
        self.url = ""
        self._pool: Pool | None = None
        self.come()

    def come(self) -> None:
        """Listen, at the same port as before."""
        async def begin() -> Pool:
            return await Pool(self._serve, port=self.port).__aenter__()

        self._pool = self._do(begin())
        self.port, self.url = self._pool.port, self._pool.url

    def go(self) -> None:
        """End all connections, and take no more."""
        if self._pool is not None:
            self._do(self._pool.__aexit__(None, None, None))
            self._pool = None

    def wait_for_hub(self, seconds: float) -> None:
        """Until somebody has connected, or so many seconds have passed."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not (self._pool and self._pool.miners):
            time.sleep(0.05)

    def move(self) -> None:
        """The chain has moved on."""
        async def say() -> None:
            self._job += 1
            assert self._pool is not None
            for miner in self._pool.miners:
                miner.protocol.notify(self._now, clean=True)
                miner.flush()

        self._do(say())

    @property
    def _now(self) -> Job:
        return dataclasses.replace(make_job(f"{self._job}", self._job, hashes=1 << 40), ntime=int(time.time()))

    async def _serve(self, miner: Miner) -> None:
        while True:
            match await miner.next():
                case Subscribing() as asking:
                    miner.protocol.subscribe(asking, b"\xee\xee\xee\xee", 8)
                case Authorizing() as asking:
                    miner.protocol.accept(asking)
                    miner.protocol.set_difficulty(NO_SHARE)
                    miner.protocol.notify(self._now, clean=True)
                case Submitting() as asking:
                    miner.protocol.accept(asking)

    def _do(self, work: Awaitable[Any]) -> Any:
        async def wait() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.go()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def watched(seconds: float, look: Callable[[], float]) -> list[float]:
    """What `look` returns, once a second."""
    seen = []
    for _ in range(max(1, round(seconds))):
        time.sleep(1.0)
        seen.append(look())
    return seen

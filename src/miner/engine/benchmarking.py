"""Hashing for its own sake: a random header, a target that nothing meets, no network."""

import os
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from miner.config import EngineConfig
from miner.core.algorithm import Algorithm
from miner.core.errors import EngineError
from miner.core.events import Hashrate, Started
from miner.core.model import Job
from miner.engine.threads import Engine, NonceRange

FIRST_ROUND_SECONDS = 0.05  # so that there is a figure soon
ROUND_SECONDS = 4.0  # each later round; threads tell figures by themselves less often, so each tells one a round
METER_SECONDS = 0.5  # how long a thread may take to tell its figures after a round
_WORK_SECONDS = 0.005  # between two switches at most: a few batches of scrypt with N = 1024
_SWITCH_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Round:
    """What all threads did together in one round of a benchmark; `hashrate` is in H/s."""

    hashes: int
    hashrate: float


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """What a benchmark has measured. `hashrate` is in H/s, over all `seconds` of wall time. `cpu_seconds` is the CPU
    time that this process took meanwhile: far less than `threads` times `seconds` where a quota or other programs took
    the rest."""

    algorithm: str
    kernel: str
    threads: int
    hashes: int
    seconds: float
    cpu_seconds: float

    @property
    def hashrate(self) -> float:
        """H/s, over the whole benchmark."""
        return self.hashes / self.seconds


def benchmark(algorithm: Algorithm | str = "scrypt", threads: int = 0, kernel: str = "", seconds: float = 5.0, *,
              engine: EngineConfig | None = None, stop: threading.Event | None = None,
              on_event: Callable[[Started | Hashrate | Round], None] = lambda event: None) -> BenchmarkResult:
    """Hash for `seconds`, or (0) until `stop` is set, and say how fast it went.

    threads, kernel   as in EngineConfig; `engine` brings a whole EngineConfig in their place
    on_event          is called with Started (without source and payee), then in each round with a Hashrate for each
                      thread and with their Round

    Raises UsageError for an unknown algorithm or kernel, EngineError where the engine can't run here as asked or was
    stopped while it was opened, and whatever has ended the engine's threads.
    """
    algorithm = Algorithm.parse(algorithm) if isinstance(algorithm, str) else algorithm
    engine = engine or EngineConfig(threads=threads, kernel=kernel)
    stop = stop or threading.Event()
    figures: queue.SimpleQueue[Hashrate] = queue.SimpleQueue()
    with Engine(algorithm, engine, on_hit=lambda work, nonce, digest: None,
                on_hashes=lambda *figure: figures.put(Hashrate(*figure)), stop=stop) as running:
        on_event(Started("", "", str(algorithm), running.kernel, running.threads, running.cpus,
                         running.remarks))
        started, cpu_started = time.monotonic(), time.process_time()
        end = started + seconds if seconds else float("inf")
        ranges = _ranges(algorithm)
        running.assign(ranges)
        pause, hashes = FIRST_ROUND_SECONDS, 0
        while not stop.wait(min(pause, max(0.0, end - time.monotonic()))) and time.monotonic() < end:
            if running.hashes == hashes:
                continue  # new work would only interrupt what takes so long
            hashes = running.hashes
            running.assign(ranges)  # threads tell their figures when their work changes
            _tell_round(figures, running.threads, METER_SECONDS, on_event)
            pause = ROUND_SECONDS
        running.pause()
        seconds, cpu_seconds = time.monotonic() - started, time.process_time() - cpu_started
    _tell_round(figures, running.threads, 0.0, on_event)  # the threads have ended, so all is told
    return BenchmarkResult(str(algorithm), running.kernel, running.threads, running.hashes, seconds, cpu_seconds)


def _tell_round(figures: "queue.SimpleQueue[Hashrate]", threads: int, wait: float,
                on_event: Callable[[Started | Hashrate | Round], None]) -> None:
    """Tell each thread's figure, then their Round. A thread that takes longer than `wait` seconds (it got no CPU, or is
    inside a single long hash) is told with the next round."""
    deadline = time.monotonic() + wait
    hashes, seconds = [0] * threads, [0.0] * threads
    while not all(hashes) or not figures.empty():
        try:
            figure = figures.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        hashes[figure.thread] += figure.hashes
        seconds[figure.thread] += figure.seconds
        on_event(figure)
    if any(hashes):
        on_event(Round(sum(hashes), sum(done / took for done, took in zip(hashes, seconds, strict=True) if took)))


def measure_switches(algorithm: Algorithm, engine: EngineConfig, count: int,
                     stop: threading.Event | None = None) -> list[float]:
    """Seconds from new work to the last thread that switches to it, measured `count` times or until `stop` is set, at
    random moments of a hash. Raises EngineError where the engine can't run here, or a switch takes a minute."""
    switches, ranges = [], _ranges(algorithm)
    with Engine(algorithm, engine, on_hit=lambda work, nonce, digest: None, stop=stop) as running:
        for _ in range(count):
            if stop is not None and stop.is_set():
                break
            started = time.perf_counter()
            running.assign(ranges)
            while (last := running.switched_at()) is None:
                if time.perf_counter() > started + _SWITCH_TIMEOUT:
                    raise EngineError(f"no new work was taken up in {_SWITCH_TIMEOUT:.0f} seconds")
                time.sleep(_WORK_SECONDS / 10)
            switches.append(last - started)
            time.sleep(random.uniform(0.0, _WORK_SECONDS))
    return switches


def _ranges(algorithm: Algorithm) -> Iterator[NonceRange]:
    """Headers without end, each with all its nonces. No hash is 0, so none is a hit."""
    job = Job(job_id="benchmark", algorithm=algorithm, version=2, prev_hash=os.urandom(32), coinbase1=b"",
              extranonce1=b"", extranonce2_size=8, coinbase2=b"", merkle_branch=(), nbits=0x1D00FFFF,
              ntime=int(time.time()), clean=True, share_target=0)
    for number in range(1 << 64):
        yield NonceRange(job.work(number.to_bytes(8, "little")), 0)

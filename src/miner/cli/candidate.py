"""What `miner bench` compares: kernels and Python's hashlib, on one thread or more."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from miner import _native
from miner.config import EngineConfig
from miner.core.algorithm import Algorithm
from miner.core.errors import EngineError
from miner.engine.benchmarking import BenchmarkResult, benchmark
from miner.engine.cpus import usable_threads
from miner.engine.kernels import first_that_fits, usable_kernels
from miner.front.console import Console
from miner.front.naming import own_words

HASHLIB = "hashlib"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something to measure: a kernel or, as HASHLIB, Python's hashlib, on a number of threads."""

    algorithm: Algorithm
    kernel: str
    threads: int

    def __str__(self) -> str:
        return f"{self.algorithm}, {self.kernel}, {self.threads} thread{'' if self.threads == 1 else 's'}"

    def engine(self, pin: bool) -> EngineConfig:
        """The settings of an engine that runs it."""
        return EngineConfig(threads=self.threads, kernel=self.kernel, pin=pin, nice=None)

    def measure(self, seconds: float, pin: bool, stop: threading.Event) -> BenchmarkResult:
        """Hash for `seconds`, or until `stop` is set. Raises EngineStopped if `stop` is set before the first hash."""
        if self.kernel == HASHLIB:
            return _measure_hashlib(self.algorithm, seconds, stop)
        return benchmark(self.algorithm, seconds=seconds, engine=self.engine(pin), stop=stop)


def kernel_candidates(algorithms: Sequence[Algorithm], kernel: str, threads: int,
                      console: Console) -> Iterator[Candidate]:
    """Candidates of these algorithms: all kernels, or only the one that `kernel` names, on `threads` threads or, where
    that is 0, on one and on all CPUs. One for which memory doesn't suffice is left out, and a line says so. Raises
    UsageError for an unknown name."""
    for algorithm in dict.fromkeys(algorithms):
        for name in usable_kernels(algorithm, kernel) if kernel else reversed(_native.kernels(algorithm.name)):
            for count in [threads] if threads else sorted({1, usable_threads()}):
                try:
                    first_that_fits(algorithm, [name], count)
                except EngineError as error:
                    console.message(f"Left out: {own_words(str(error))}")
                else:
                    yield Candidate(algorithm, name, count)


def _measure_hashlib(algorithm: Algorithm, seconds: float, stop: threading.Event) -> BenchmarkResult:
    header, hashes, started, cpu_started = os.urandom(76), 0, time.perf_counter(), time.process_time()
    while (elapsed := time.perf_counter() - started) < seconds and not stop.is_set() or not hashes:
        algorithm.hash(header + hashes.to_bytes(4, "little"))
        hashes += 1
    return BenchmarkResult(str(algorithm), HASHLIB, 1, hashes, elapsed, time.process_time() - cpu_started)

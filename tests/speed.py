"""What Python and Cython cost, and what a second thread brings: the C core alone beside `miner.benchmark()`.

    python speed.py [--seconds N] [--rounds N]     # from tests/, or `make speed`, on a machine with nothing else to do

All take turns, and each figure is a round's own ratio, of which the median is told: so what the machine does meanwhile
hits both sides. Beside hashes a second of wall time stand those of CPU time, from which other programs take nothing:
where two threads fall short of twice one in both, they wait for memory or share a clock; in wall time alone, for a CPU.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ccore import build, compiler
from miner import benchmark
from miner.config import EngineConfig
from miner.core.algorithm import Algorithm
from miner.core.events import Started
from miner.engine.cpus import allowed_cpus
from miner.engine.kernels import usable_kernels

BIND = ["taskset", "-c", str(allowed_cpus()[0])]
FLAGS = ["-O3", "-g0", "-fvisibility=hidden"]  # setup.py's


@dataclass(frozen=True, slots=True)
class Rate:
    """Hashes a second of wall time, and of all threads' CPU time."""

    wall: float
    cpu: float


def core(program: Path, algorithm: Algorithm, kernel: str, seconds: float) -> Rate:
    """The C core without Python, on one thread, bound to a CPU as the engine's is."""
    done = subprocess.run([*BIND, program, algorithm.name, kernel, str(seconds), "1"], capture_output=True, text=True,
                          check=True, timeout=60 + 10 * seconds)
    _, _, cpu, *_, wall = done.stdout.split()
    return Rate(1e3 * float(wall), 1e3 * float(cpu))


def python(algorithm: Algorithm, kernel: str, threads: int, seconds: float) -> Rate:
    """The kernel as a user runs it: through Cython, on the engine's threads."""
    engine = EngineConfig(threads=threads, kernel=kernel, nice=None)
    before = 0.0

    def hear(event: object) -> None:
        nonlocal before
        if isinstance(event, Started):
            before = time.process_time()

    result = benchmark(algorithm, seconds=seconds, engine=engine, on_event=hear)
    return Rate(result.hashrate, result.hashes / (time.process_time() - before))


def compare(program: Path, algorithm: Algorithm, kernel: str, seconds: float, rounds: int) -> str:
    takers: list[Callable[[], Rate]] = [lambda: core(program, algorithm, kernel, seconds)]
    takers += [lambda threads=threads: python(algorithm, kernel, threads, seconds) for threads in (1, 2)]
    turns = [[take() for take in takers] for _ in range(rounds)]

    def median(ratio: Callable[[Rate, Rate, Rate], float]) -> float:
        return statistics.median(ratio(*turn) for turn in turns)

    return (f"{algorithm!s:8} {kernel:14} C alone {median(lambda c, one, two: c.wall) / 1e3:10.1f} kH/s   "
            f"Python and Cython cost {100 * median(lambda c, one, two: 1 - one.wall / c.wall):5.2f}% "
            f"(CPU time {100 * median(lambda c, one, two: 1 - one.cpu / c.cpu):5.2f}%)   "
            f"two threads {median(lambda c, one, two: two.wall / one.wall):.3f}x "
            f"(CPU time {2 * median(lambda c, one, two: two.cpu / one.cpu):.3f}x)")


def main() -> None:
    parser = argparse.ArgumentParser(prog="speed", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement (default: 1)")
    parser.add_argument("--rounds", type=int, default=9, help="(default: 9)")
    parser.add_argument("--kernel", default="", help="one kernel (default: for each algorithm the fastest)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = build(compiler(), FLAGS, "bench_core.c", Path(folder) / "bench_core")
        if len(allowed_cpus()) < 2:
            print("one CPU only: two threads share it")
        for algorithm in map(Algorithm.parse, ("sha256d", "scrypt")):
            kernel = usable_kernels(algorithm, options.kernel)[0]
            print(compare(program, algorithm, kernel, options.seconds, options.rounds), flush=True)


if __name__ == "__main__":
    main()

"""`python -m miner bench`: every kernel this CPU has, beside each other and beside Python's own hashlib.

All candidates take turns in several rounds, so that a machine that slows down or has other work slows them all; what is
shown is each one's median.
"""

import json
import os
import platform
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from miner import __version__, _native
from miner.benchmarking import benchmark
from miner.cli.chart import Bar, Panel, draw
from miner.config import EngineConfig
from miner.core.algorithm import Algorithm
from miner.core.errors import UsageError
from miner.cpus import usable_threads
from miner.front.argparser import Parser, integer, seconds
from miner.front.console import Console, ExitStatus
from miner.front.report import hashrate_text, table
from miner.kernels import candidates

HASHLIB = "hashlib"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something to measure: a kernel, or Python's hashlib, on so many threads."""

    algorithm: Algorithm
    kernel: str
    threads: int

    def measure(self, seconds: float, pin: bool) -> float:
        """H/s over so many seconds."""
        if self.kernel == HASHLIB:
            return _measure_hashlib(self.algorithm, seconds)
        engine = EngineConfig(threads=self.threads, kernel=self.kernel, pin=pin, nice=None)
        return benchmark(self.algorithm, seconds=seconds, engine=engine).hashrate


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of a candidate, in H/s: its median, slowest and fastest round, and how it compares with hashlib on one
    thread (median of the rounds' ratios). `cycles` are the clock's per hash and thread, where the clock is known."""

    candidate: Candidate
    hashrate: float
    slowest: float
    fastest: float
    ratio: float
    cycles: float | None


def bench(args: list[str], console: Console) -> int:
    """Measure, and print a table, or JSON for programs."""
    options = _parser().parse_args(args)
    candidates = list(_candidates(options.algo or [Algorithm.parse("sha256d"), Algorithm.parse("scrypt")],
                                  options.kernel, options.threads))
    if options.chart and not Path(options.chart).resolve().parent.is_dir():
        raise UsageError(f"--chart: there is no directory for {options.chart!r}")
    duration = len(candidates) * options.rounds * options.seconds
    console.message(f"Measuring {len(candidates)} candidates in {options.rounds} rounds: about {duration:.0f} seconds")
    measured: dict[Candidate, list[float]] = {candidate: [] for candidate in candidates}
    for number in range(options.rounds):
        for candidate, rates in measured.items():
            rates.append(candidate.measure(options.seconds, options.pin))
        console.message(f"Round {number + 1} of {options.rounds} done")
    clock = clock_hertz()
    results = [_figures(candidate, measured, clock) for candidate in candidates]
    if options.json:
        console.result(json.dumps(_as_json(results, clock, options.rounds, options.seconds), indent=2))
    else:
        for line in _as_text(results, clock):
            console.result(line)
    if options.chart:
        Path(options.chart).write_text(_as_chart(results), encoding="utf-8")
        console.message(f"Chart written to {options.chart}")
    return ExitStatus.OK


def _parser() -> Parser:
    parser = Parser(prog="miner bench", usage="python -m miner bench [OPTIONS]",
                    description="Measure every kernel this CPU has, on one thread and on all, beside Python's hashlib.")
    add = parser.add_argument
    add("-a", "--algo", type=Algorithm.parse, action="append", metavar="ALGO",
        help="sha256d, scrypt or scrypt:N; may be given more than once (default: sha256d and scrypt)")
    add("--kernel", default="", metavar="NAME", help="only this kernel")
    add("-t", "--threads", type=integer(1, 4096), default=0, metavar="N",
        help="only with so many threads (default: with one, and with one for each CPU)")
    add("--no-pin", dest="pin", action="store_false", help="don't bind threads to CPUs")
    add("--seconds", type=seconds, default=0.5, metavar="N", help="length of each measurement (default: 0.5)")
    add("--rounds", type=integer(1, 1000), default=5, metavar="N", help="number of rounds (default: 5)")
    add("--json", action="store_true", help="print JSON in place of a table")
    add("--chart", metavar="FILE.svg", help="also draw a picture")
    return parser


def _candidates(algorithms: list[Algorithm], kernel: str, threads: int) -> Iterator[Candidate]:
    """hashlib first for each algorithm: the others are compared with it."""
    for algorithm in dict.fromkeys(algorithms):
        yield Candidate(algorithm, HASHLIB, 1)
        for name in candidates(algorithm, kernel) if kernel else reversed(_native.kernels(algorithm.name)):
            for count in [threads] if threads else sorted({1, usable_threads()}):
                yield Candidate(algorithm, name, count)


def _measure_hashlib(algorithm: Algorithm, seconds: float) -> float:
    header, hashes, started = os.urandom(76), 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds or not hashes:
        algorithm.hash(header + hashes.to_bytes(4, "little"))
        hashes += 1
    return hashes / elapsed


def _figures(candidate: Candidate, measured: dict[Candidate, list[float]], clock: float | None) -> Figures:
    rates = measured[candidate]
    baseline = measured[Candidate(candidate.algorithm, HASHLIB, 1)]
    hashrate = statistics.median(rates)
    return Figures(candidate, hashrate, min(rates), max(rates),
                   statistics.median(rate / base for rate, base in zip(rates, baseline, strict=True)),
                   clock * candidate.threads / hashrate if clock and hashrate else None)


def clock_hertz() -> float | None:
    """The CPU's clock as Linux tells it; None elsewhere. In virtual machines often the nominal clock: a CPU that boosts
    is faster."""
    for path, unit in (("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", 1e3), ("/proc/cpuinfo", 1e6)):
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError:
            continue
        numbers = [line.rpartition(":")[2] for line in text.splitlines() if unit == 1e3 or line.startswith("cpu MHz")]
        if numbers:
            return float(numbers[0]) * unit
    return None


def machine() -> str:
    """The CPU's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {usable_threads()} CPUs usable"


def _as_text(results: list[Figures], clock: float | None) -> Iterator[str]:
    yield f"{machine()}; sparkminer {__version__} built by {_native.compiler()}"
    yield ""
    heads = ["algorithm", "kernel", "threads", "hashrate", "from", "to", "x hashlib", "cycles/hash"]
    yield from table(heads, [
        [str(figures.candidate.algorithm), figures.candidate.kernel, str(figures.candidate.threads),
         hashrate_text(figures.hashrate), hashrate_text(figures.slowest), hashrate_text(figures.fastest),
         f"{figures.ratio:.2f}", f"{figures.cycles:.0f}" if figures.cycles else ""] for figures in results])
    if clock:
        yield ""
        yield f"Cycles are those of a {clock / 1e9:.2f} GHz clock, as the system tells it; a CPU that boosts is faster."


def _as_json(results: list[Figures], clock: float | None, rounds: int, seconds: float) -> dict[str, object]:
    """All rates in H/s."""
    return {
        "machine": machine(), "version": __version__, "compiler": _native.compiler(), "clock_hertz": clock,
        "rounds": rounds, "seconds": seconds,
        "results": [{
            "algorithm": str(figures.candidate.algorithm), "kernel": figures.candidate.kernel,
            "threads": figures.candidate.threads, "hashrate": figures.hashrate, "slowest": figures.slowest,
            "fastest": figures.fastest, "times_hashlib": figures.ratio, "cycles_per_hash": figures.cycles,
        } for figures in results],
    }


def _as_chart(results: list[Figures]) -> str:
    panels = []
    for algorithm in dict.fromkeys(figures.candidate.algorithm for figures in results):
        bars = [Bar(f"{figures.candidate.kernel} × {figures.candidate.threads}", figures.hashrate,
                    hashrate_text(figures.hashrate), _strength(figures.candidate))
                for figures in results if figures.candidate.algorithm == algorithm]
        panels.append(Panel(str(algorithm), bars))
    return draw("Hashrate by kernel and number of threads", machine(), panels)


def _strength(candidate: Candidate) -> int:
    return 0 if candidate.kernel == HASHLIB else 1 if candidate.threads == 1 else 2

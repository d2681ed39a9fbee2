"""`python -m miner bench`: measures every kernel that this CPU has, beside the others and beside Python's hashlib.

All candidates take turns in several rounds, so that a machine that slows down or has other work slows them all. The
table shows the median of each.
"""

import argparse
import contextlib
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from miner import __version__, _native
from miner.cli import switches
from miner.cli.candidate import HASHLIB, Candidate, kernel_candidates
from miner.cli.machine import least_cycles, machine
from miner.core.algorithm import Algorithm, algorithms, forms
from miner.core.errors import EngineStopped
from miner.engine.cpus import usable_threads
from miner.engine.processors import clock_hertz
from miner.front.argparser import Parser
from miner.front.chart import Bar, ChartFile, Panel, draw
from miner.front.console import Console, ExitStatus
from miner.front.event_json import json_line
from miner.front.report import hashrate_text, table
from miner.front.values import integer, some_seconds, threads

_STATUSES = """\
exit status:
  0    every candidate was measured
  1    a kernel computes wrong hashes, or what was to be written could not be written
  2    an option is wrong
  130  it was stopped before the first round was over"""
_FAR_BELOW = 0.8  # of the CPU time due to the threads: where they had less, a line says so


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of a candidate. `hashrate`, `slowest` and `fastest` are its median, slowest and fastest round
    in H/s. `ratio` is the median of its rounds' ratios to hashlib on one thread, if hashlib takes the algorithm's
    parameters. `cycles` are the CPU cycles that a thread takes for a hash, where the clock is known. `share` is the
    part of the CPU's limit that was reached, where that is known too."""

    candidate: Candidate
    hashrate: float
    slowest: float
    fastest: float
    ratio: float | None
    cycles: float | None
    share: float | None


def bench(args: list[str], console: Console) -> int:
    """Run `miner bench` with these arguments: measure, and print a table, or JSON for programs. Returns the exit
    status."""
    options = parser().parse_args(args)
    with ChartFile(options.chart) if options.chart else contextlib.nullcontext() as chart:
        return _bench(options, chart, console)


def _bench(options: argparse.Namespace, chart: ChartFile | None, console: Console) -> int:
    chosen = options.algo or algorithms()
    candidates = list(kernel_candidates(chosen, options.kernel, options.threads, console))
    if options.switches:
        return switches.measure(candidates, options.switches, options.pin, options.json, chart, console)
    candidates += [Candidate(algorithm, HASHLIB, 1) for algorithm in dict.fromkeys(chosen)
                   if algorithm.has_reference]
    candidates.sort(key=lambda candidate: (chosen.index(candidate.algorithm), candidate.kernel != HASHLIB))
    stop = threading.Event()
    with console.stopping(stop.set):
        rounds, clock, granted = _measure(candidates, options.rounds, options.seconds, options.pin, stop, console)
    if not rounds:
        return ExitStatus.INTERRUPTED
    measured = {candidate: [rates[candidate] for rates in rounds] for candidate in candidates}
    results = [_figures(candidate, measured, clock) for candidate in candidates]
    for line in (_as_json(results, clock, granted, len(rounds), options.seconds) if options.json
                 else _as_text(results, clock)):
        console.result(line)
    if granted < _FAR_BELOW:
        console.message(f"The threads had only {granted:.0%} of the CPU time that they could use, so these figures are "
                        "too low: a quota on CPU time or other programs took the rest")
    if chart:
        chart.write(_as_chart(results))
        console.message(f"Chart written to {options.chart}")
    return ExitStatus.OK


def _measure(candidates: Sequence[Candidate], rounds: int, seconds: float, pin: bool, stop: threading.Event,
             console: Console) -> tuple[list[dict[Candidate, float]], float | None, float]:
    """Measure until all rounds are done or `stop` is set. Returns each candidate's H/s in each whole round; the clock's
    median in hertz, or None where it can't be measured; and the part of the CPU time due to the threads that they had,
    in the median of all measurements."""
    console.message(f"Measuring {len(candidates)} candidates in {rounds} rounds: "
                    f"about {len(candidates) * rounds * seconds:.0f} seconds")
    done: list[dict[Candidate, float]] = []
    clocks: list[float | None] = []
    granted = [1.0]
    for number in range(rounds):
        rates = {}
        for candidate in candidates:
            with contextlib.suppress(EngineStopped):
                result = candidate.measure(seconds, pin, stop)
                rates[candidate] = result.hashrate
                granted.append(result.cpu_seconds / (result.seconds * min(candidate.threads, usable_threads())))
            if stop.is_set():
                console.message(f"Stopped after {number} of {rounds} rounds")
                return done, _median(clocks), statistics.median(granted)
        done.append(rates)
        clocks.append(clock_hertz())
        console.message(f"Round {number + 1} of {rounds} done")
    return done, _median(clocks), statistics.median(granted)


def _median(clocks: Sequence[float | None]) -> float | None:
    known = [clock for clock in clocks if clock]
    return statistics.median(known) if known else None


def parser() -> Parser:
    """The parser of `miner bench`."""
    parser = Parser(prog="miner bench", usage="python -m miner bench [OPTIONS]",
                    description="Measure every kernel this CPU has, on one thread and on all, beside Python's hashlib.",
                    epilog=_STATUSES)
    add = parser.add_argument
    add("-a", "--algo", type=Algorithm.parse, action="append", metavar="ALGO",
        help=f"{forms()}; may be given more than once (default: each of them)")
    add("--kernel", default="", metavar="NAME", help="only this kernel")
    add("-t", "--threads", type=threads, default=0, metavar="N",
        help="only with N threads (default: with one, and with one for each CPU)")
    add("--no-pin", dest="pin", action="store_false", help="don't bind threads to CPUs")
    add("--seconds", type=some_seconds, default=0.5, metavar="N", help="length of each measurement (default: 0.5)")
    add("--rounds", type=integer(1, 1000), default=5, metavar="N", help="number of rounds (default: 5)")
    add("--switches", type=integer(1, 1_000_000), default=0, metavar="N",
        help="measure how long it takes from new work to the last thread hashing it, N times, in place of hashrates")
    add("--json", action="store_true", help="print JSON in place of a table: an object a line (docs/events.md)")
    add("--chart", metavar="FILE.svg", help="also draw a picture")
    return parser


def _figures(candidate: Candidate, measured: dict[Candidate, list[float]], clock: float | None) -> Figures:
    rates = measured[candidate]
    baseline = measured.get(Candidate(candidate.algorithm, HASHLIB, 1))
    hashrate = statistics.median(rates)
    cycles = clock * candidate.threads / hashrate if clock and hashrate else None
    least = least_cycles(candidate.algorithm, candidate.kernel)
    return Figures(candidate, hashrate, min(rates), max(rates),
                   statistics.median(rate / base for rate, base in zip(rates, baseline, strict=True))
                   if baseline else None,
                   cycles, least / cycles if least and cycles else None)


def _as_text(results: list[Figures], clock: float | None) -> Iterator[str]:
    yield f"{machine()}; sparkminer {__version__} built by {_native.compiler()}"
    yield ""
    heads = ["algorithm", "kernel", "threads", "hashrate", "from", "to", "x hashlib", "cycles/hash", "of limit"]
    yield from table(heads, [_cells(figures) for figures in results])
    if clock:
        yield ""
        yield f"The clock, measured: {clock / 1e9:.2f} GHz"
    if any(figures.share for figures in results):
        yield "The limit is where the kernel's arithmetic alone keeps this CPU's execution units busy all the time"


def _cells(figures: Figures) -> list[str]:
    rates = (figures.hashrate, figures.slowest, figures.fastest)
    return [str(figures.candidate.algorithm), figures.candidate.kernel, str(figures.candidate.threads),
            *map(hashrate_text, rates), f"{figures.ratio:.2f}" if figures.ratio else "",
            f"{figures.cycles:.0f}" if figures.cycles else "", f"{figures.share:.0%}" if figures.share else ""]


def _as_json(results: list[Figures], clock: float | None, granted: float, rounds: int,
             seconds: float) -> Iterator[str]:
    """The figures as lines of JSON, in the form of events: one for each candidate, then what holds for all of them.
    null: not known, or hashlib doesn't take the algorithm's parameters."""
    now = time.time()
    for figures in results:
        yield json_line(
            "bench_result", now, algorithm=str(figures.candidate.algorithm), kernel=figures.candidate.kernel,
            threads=figures.candidate.threads, hashrate_hashes_per_second=figures.hashrate,
            slowest_hashes_per_second=figures.slowest, fastest_hashes_per_second=figures.fastest,
            times_hashlib=figures.ratio, cycles_per_hash=figures.cycles, part_of_limit=figures.share)
    yield json_line("bench_done", now, machine=machine(), version=__version__, compiler=_native.compiler(),
                    clock_hertz=clock, part_of_cpu_time_granted=granted, rounds=rounds, round_seconds=seconds)


def _as_chart(results: list[Figures]) -> str:
    panels = []
    for algorithm in dict.fromkeys(figures.candidate.algorithm for figures in results):
        bars = [Bar(f"{figures.candidate.kernel} × {figures.candidate.threads}", figures.hashrate,
                    hashrate_text(figures.hashrate), _strength(figures.candidate),
                    figures.hashrate / figures.share if figures.share else 0.0)
                for figures in results if figures.candidate.algorithm == algorithm]
        panels.append(Panel(str(algorithm), bars))
    outlines = "; outlined: this CPU's limit" if any(figures.share for figures in results) else ""
    return draw("Hashrate by kernel and number of threads", machine() + outlines, panels)


def _strength(candidate: Candidate) -> int:
    return 0 if candidate.kernel == HASHLIB else 1 if candidate.threads == 1 else 2

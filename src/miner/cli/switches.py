"""`miner bench --switches`: measures how long it takes until the last thread has switched to new work."""

import contextlib
import statistics
import threading
import time
from collections.abc import Iterator, Sequence

from miner.cli.candidate import Candidate
from miner.cli.machine import machine
from miner.core.errors import EngineStopped
from miner.engine.benchmarking import measure_switches
from miner.front.chart import Bar, ChartFile, Panel, draw
from miner.front.console import Console, ExitStatus
from miner.front.event_json import json_line
from miner.front.report import table


def measure(candidates: Sequence[Candidate], count: int, pin: bool, as_json: bool,
            chart: ChartFile | None, console: Console) -> int:
    """Measure `count` switches of each candidate. Print a table, or JSON for programs, and draw a chart if there is
    one: of all candidates that were done before a signal to stop. Returns the exit status."""
    taken = _measure(candidates, count, pin, console)
    if candidates and not taken:
        return ExitStatus.INTERRUPTED
    for line in _as_json(taken, count) if as_json else _as_text(taken, count):
        console.result(line)
    if chart:
        chart.write(_as_chart(taken))
    return ExitStatus.OK


def _measure(candidates: Sequence[Candidate], count: int, pin: bool, console: Console) -> dict[Candidate, list[float]]:
    """The seconds that each candidate's switches took, in ascending order."""
    stop = threading.Event()
    taken: dict[Candidate, list[float]] = {}
    with console.stopping(stop.set):
        for candidate in candidates:
            console.message(f"{count} switches: {candidate}")
            with contextlib.suppress(EngineStopped):
                seconds = measure_switches(candidate.algorithm, candidate.engine(pin), count, stop)
            if stop.is_set():
                console.message(f"Stopped after {len(taken)} of {len(candidates)} candidates")
                break
            taken[candidate] = sorted(seconds)
    return taken


def percentile_99(ordered: Sequence[float]) -> float:
    """The value that 99 in 100 don't exceed; `ordered` is in ascending order."""
    return ordered[-(-99 * len(ordered) // 100) - 1]


def _as_json(taken: dict[Candidate, list[float]], count: int) -> Iterator[str]:
    for candidate, seconds in taken.items():
        yield json_line(
            "bench_switches", time.time(), algorithm=str(candidate.algorithm), kernel=candidate.kernel,
            threads=candidate.threads, switches=count, median_seconds=statistics.median(seconds),
            p99_seconds=percentile_99(seconds), longest_seconds=seconds[-1])


def _as_text(taken: dict[Candidate, list[float]], count: int) -> Iterator[str]:
    heads = ["algorithm", "kernel", "threads", "median", "p99", "longest"]
    yield from table(heads, [
        [str(candidate.algorithm), candidate.kernel, str(candidate.threads),
         *(f"{1e3 * value:.3f} ms" for value in (statistics.median(seconds), percentile_99(seconds), seconds[-1]))]
        for candidate, seconds in taken.items()])
    yield ""
    yield f"From new work to the last thread that switches to it, {count} times"


def _as_chart(taken: dict[Candidate, list[float]]) -> str:
    panels = [Panel(str(algorithm), [
        Bar(f"{candidate.kernel} × {candidate.threads}", 1e3 * statistics.median(seconds),
            f"{1e3 * statistics.median(seconds):.2f} ms", 1 if candidate.threads == 1 else 2,
            1e3 * percentile_99(seconds))
        for candidate, seconds in taken.items() if candidate.algorithm == algorithm])
        for algorithm in dict.fromkeys(candidate.algorithm for candidate in taken)]
    return draw("From new work to the last thread hashing it", f"{machine()}; median, and outlined: 99 in 100", panels)

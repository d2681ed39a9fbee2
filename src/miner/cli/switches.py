"""`miner bench --switches`: how long it takes from new work to the last thread hashing it."""

import json
import statistics
from collections.abc import Iterator, Sequence

from miner.cli.candidate import Candidate
from miner.engine.benchmarking import measure_switches
from miner.front.console import Console
from miner.front.report import table


def measure(candidates: Sequence[Candidate], count: int, pin: bool, as_json: bool, console: Console) -> None:
    """Measure each candidate and print a table, or JSON for programs."""
    taken: dict[Candidate, list[float]] = {}
    for candidate in candidates:
        console.message(f"{count} switches: {candidate}")
        taken[candidate] = sorted(measure_switches(candidate.algorithm, candidate.engine(pin), count))
    if as_json:
        console.result(json.dumps({"switches": count, "results": [{
            "algorithm": str(candidate.algorithm), "kernel": candidate.kernel, "threads": candidate.threads,
            "median": statistics.median(seconds), "p99": percentile_99(seconds), "longest": seconds[-1],
        } for candidate, seconds in taken.items()]}, indent=2))
    else:
        for line in _as_text(taken, count):
            console.result(line)


def percentile_99(ordered: Sequence[float]) -> float:
    """The one that 99 in a hundred don't exceed."""
    return ordered[-(-99 * len(ordered) // 100) - 1]


def _as_text(taken: dict[Candidate, list[float]], count: int) -> Iterator[str]:
    heads = ["algorithm", "kernel", "threads", "median", "p99", "longest"]
    yield from table(heads, [
        [str(candidate.algorithm), candidate.kernel, str(candidate.threads),
         *(f"{1e3 * value:.3f} ms" for value in (statistics.median(seconds), percentile_99(seconds), seconds[-1]))]
        for candidate, seconds in taken.items()])
    yield ""
    yield f"From new work to the last thread that goes over to it, {count} times"

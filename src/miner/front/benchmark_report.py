"""A benchmark's events as lines, in the words of minerd's `--benchmark`."""

from miner.core.events import Hashrate, Started
from miner.engine.benchmarking import BenchmarkResult, Round
from miner.front.report import Report, rate


class BenchmarkReport:
    """The lines of a benchmark. `quiet` leaves out each thread's hashrate."""

    def __init__(self, quiet: bool = False) -> None:
        self._report = Report(quiet)

    def lines(self, event: Started | Hashrate | Round) -> list[str]:
        """The lines for an event, perhaps none; without time stamps."""
        return [f"Total: {rate(event.hashrate)}"] if isinstance(event, Round) else self._report.lines(event)

    def closing(self, result: BenchmarkResult | None) -> list[str]:
        """The last lines of a benchmark: a total that says why it is 0, if no hash was computed. `result` is None where
        the benchmark was stopped before it began."""
        if result is None:
            return [f"Total: {rate(0)}, since it was stopped before it began"]
        if not result.hashes:
            return [f"Total: {rate(0)}, since no thread came to the end of a hash in {result.seconds:.1f} s"]
        return []

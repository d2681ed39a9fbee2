"""What runs in the executors when a cluster's CPUs are screened."""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from miner.core.screening import CpuScreening, ScreenEvent, ScreenStarted
from miner.spark.partition import watchdog
from miner.spark.processes import executor_id


@dataclass(frozen=True, slots=True)
class TaskScreening:
    """What one task did: the row that it returns to the driver. `executor` is Spark's id of its executor, "" where it
    isn't known. `error` says why it screened nothing, "" where it did."""

    executor: str
    started: tuple[ScreenStarted, ...]
    cpus: tuple[CpuScreening, ...]
    error: str = ""


@dataclass(frozen=True, slots=True)
class ScreenTask:
    """What a task runs, and all that it needs to know for it.

    algorithms  as `Algorithm.parse` reads them; none: all there are
    nice        the threads' nice value; None leaves it as it is
    host_cores  by executor id: the cores that Spark has on that executor's host, in all executors there
    once        a task that Spark starts again does nothing: its time would come on top of the others', and where it ran
                first the CPUs are found to be missing
    """

    algorithms: tuple[str, ...]
    seconds: float
    seed: int
    nice: int | None
    host_cores: Mapping[str, int]
    once: bool

    def __call__(self, partition: int, _: Iterable[object]) -> Iterator[TaskScreening]:
        """The function for mapPartitionsWithIndex: screens, then yields one row. A task that fails here says so in its
        row, since one that raises might end the job of all others."""
        from pyspark import TaskContext

        context = TaskContext.get()
        if self.once and context is not None and context.attemptNumber() > 0:
            return
        with watchdog():
            try:
                yield self._screen(context.cpus() if context is not None else 1)
            except Exception as error:
                _log(f"{type(error).__name__}: {error}")
                yield TaskScreening(executor_id(), (), (), str(error) or type(error).__name__)

    def _screen(self, cores: int) -> TaskScreening:
        from miner.engine.screening import screen
        from miner.front.screen_report import event_lines

        executor, started = executor_id(), list[ScreenStarted]()

        def hear(event: ScreenEvent) -> None:
            if isinstance(event, ScreenStarted):
                started.append(event)
            for line in event_lines(event):
                _log(line)

        result = screen(self.algorithms, self.seconds, seed=self.seed, threads=cores, nice=self.nice, on_event=hear,
                        beside=max(0, self.host_cores.get(executor, cores) - cores))
        return TaskScreening(executor, tuple(started), result.cpus)


def _log(line: str) -> None:
    """Write a line to the executor's log, which Spark's UI shows."""
    sys.stderr.write(f"{time.strftime('%y/%m/%d %H:%M:%S')} INFO sparkminer: {line}\n")
    sys.stderr.flush()

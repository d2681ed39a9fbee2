"""The driver's side of screening a cluster: tasks on all executors at once, wave after wave, and what comes of them."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from miner.core.errors import MinerError
from miner.core.screening import ClusterScreenStarted, CpuScreening, Mismatch, ScreenEvent, Screening, ScreenProgress
from miner.spark.failures import failed_tasks
from miner.spark.group import JobGroup
from miner.spark.screen_task import ScreenTask, TaskScreening
from miner.spark.words import exception_words, task_failure

if TYPE_CHECKING:
    from pyspark import SparkContext

WAVE_SECONDS = 10.0  # so that mismatches are told, and executors that join are found, while a screening runs
_POLL_SECONDS = 0.1
_REGISTERING_SECONDS = 60.0  # at most, until executors are there,
_SETTLED_SECONDS = 3.0  # and no more of them have come for this time
_CANCEL_SECONDS = 3.0
_FAILURES_READ = 1000  # of each wave
_FAILED_WAVES = 3  # in a row, after which the rest is given up


@dataclass(frozen=True, slots=True)
class Executor:
    """An executor that is there: Spark's id, its host, its cores, and how many tasks it takes at a time."""

    id: str
    host: str
    cores: int
    tasks: int


@dataclass(frozen=True, slots=True)
class ClusterResult:
    """What came of screening a cluster. `missed` are executors that were there and on which no task screened anything,
    each with the reason as far as it is known. `error` says why the screening ended early, "" if it didn't."""

    screening: Screening
    missed: tuple[tuple[Executor, str], ...]
    error: str = ""


class ScreenedCluster:
    """Screens the executors of a Spark context.

    task      what each task runs; its seconds and seed are set for each wave
    on_event  is called, in the calling thread, with ClusterScreenStarted; after each wave with the ScreenStarted of
              executors that are new, Mismatches and ScreenProgress
    """

    def __init__(self, context: "SparkContext", algorithms: tuple[str, ...], seconds: float, seed: int,
                 nice: int | None, stop: threading.Event, on_event: Callable[[ScreenEvent], None]) -> None:
        self._context, self._algorithms, self._seconds, self._seed = context, algorithms, seconds, seed
        self._nice, self._stop, self._on_event = nice, stop, on_event
        self._cpus: dict[tuple[str, int], CpuScreening] = {}
        self._seen: dict[str, Executor] = {}
        self._screened: set[str] = set()  # ids of executors
        self._errors: dict[str, str] = {}  # by executor's id
        self._group = JobGroup(context)

    def run(self) -> ClusterResult:
        """Screen until the time is up or `stop` is set. Spark jobs that fail are passed over, unless several do so in a
        row. Raises MinerError where none was successful."""
        self._wait_for_executors()
        there, started = self.executors(), time.monotonic()
        self._on_event(ClusterScreenStarted(len(there), len({one.host for one in there}),
                                            sum(one.cores for one in there), self._seed, self._seconds))
        waves, failed, error = max(1, round(self._seconds / WAVE_SECONDS)), 0, ""
        for number in range(waves):
            if self._stop.is_set() or failed == _FAILED_WAVES:
                break
            try:
                rows = self._wave(self._seconds / waves, number)
            except MinerError as failure:
                failed, error = failed + 1, str(failure)
            else:
                failed, error = 0, ""
                self._take(rows, time.monotonic() - started)
            with contextlib.suppress(Exception):  # a context that is going away
                self._note_failures()
        if error and not self._cpus:
            raise MinerError(error)
        cpus = tuple(self._cpus[key] for key in sorted(self._cpus))
        missed = tuple((executor, self._errors.get(executor.id, "no task found room there"))
                       for executor in self._seen.values() if executor.id not in self._screened)
        return ClusterResult(Screening(self._seed, time.monotonic() - started, cpus), missed, error)

    def executors(self) -> list[Executor]:
        """The executors that are there now and take tasks; in local mode that is the driver."""
        store: Any = self._context._jsc.sc().statusStore()
        all_of_them = store.executorList(True)
        found = [all_of_them.apply(number) for number in range(all_of_them.size())]
        return [Executor(one.id(), one.hostPort().rpartition(":")[0], one.totalCores(), one.maxTasks())
                for one in found if one.maxTasks() > 0]

    def _wait_for_executors(self) -> None:
        """Until executors are there and no more come; where Spark makes them by demand, tasks ask for them."""
        if self._by_demand():
            return
        started = changed = time.monotonic()
        there: list[str] = []
        while not self._stop.wait(_POLL_SECONDS):
            now, ids = time.monotonic(), sorted(executor.id for executor in self.executors())
            if ids != there:
                there, changed = ids, now
            if there and (now - changed >= _SETTLED_SECONDS or "driver" in there):
                return
            if now - started >= _REGISTERING_SECONDS:
                raise MinerError(f"no executor has registered within {_REGISTERING_SECONDS:.0f} seconds: has the "
                                 "cluster free cores?")

    def _by_demand(self) -> bool:
        return self._context.getConf().get("spark.dynamicAllocation.enabled", "false") == "true"

    def _wave(self, seconds: float, number: int) -> list[TaskScreening]:
        """One task for each place that there is, all at a time. Returns the rows, or none if `stop` was set."""
        there = self.executors()
        self._seen |= {executor.id: executor for executor in there}
        on_host: dict[str, int] = {}
        for executor in there:
            on_host[executor.host] = on_host.get(executor.host, 0) + executor.cores
        tasks = max(sum(executor.tasks for executor in there), self._wanted_by_demand())
        speculating = self._context.getConf().get("spark.speculation", "false") == "true"
        task = ScreenTask(self._algorithms, seconds, self._seed + number, self._nice,
                          {executor.id: on_host[executor.host] for executor in there}, once=not speculating)
        rows: list[TaskScreening] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                self._group.begin(f"screening processors, seed {self._seed}", "screening")
                rdd = self._context.parallelize(range(tasks), tasks).mapPartitionsWithIndex(task)
                rows.extend(self._context.runJob(rdd, list))
            except Exception as error:
                errors.append(error)

        runner = threading.Thread(target=run, name="miner-spark-screen", daemon=True)
        runner.start()
        while runner.is_alive() and not self._stop.is_set():
            runner.join(_POLL_SECONDS)
        if self._stop.is_set():
            self._cancel(runner)
            return []
        if errors:
            raise MinerError(f"the Spark job failed: {job_failure(errors[0])}") from errors[0]
        return rows

    def _wanted_by_demand(self) -> int:
        """Tasks that ask for as many executors as Spark may make; 0 where it makes none by demand."""
        if not self._by_demand():
            return 0
        conf = self._context.getConf()
        most = conf.get("spark.dynamicAllocation.maxExecutors") or ""
        each = int(conf.get("spark.executor.cores") or 1) // int(conf.get("spark.task.cpus") or 1)
        return int(most) * max(1, each) if most.isdigit() else self._context.defaultParallelism

    def _note_failures(self) -> None:
        """Keep why tasks failed, by executor."""
        running, ended = self._group.look()
        for stage in (*ended, *running):
            for _, executor, failure in failed_tasks(self._context, stage.stageId, stage.currentAttemptId, 0,
                                                     min(stage.numFailedTasks, _FAILURES_READ)):
                self._errors[executor] = failure.reason

    def _cancel(self, job: threading.Thread) -> None:
        """Cancel the Spark job of this thread until it has ended: Spark may not know it at first."""
        deadline = time.monotonic() + _CANCEL_SECONDS
        with contextlib.suppress(Exception):  # a context that is going away
            while job.is_alive() and time.monotonic() < deadline:
                self._group.cancel()
                job.join(_POLL_SECONDS)

    def _take(self, rows: list[TaskScreening], seconds: float) -> None:
        for row in rows:
            executor = row.executor or "driver"
            if row.error:
                self._errors[executor] = row.error
                continue
            if executor not in self._screened:
                self._screened.add(executor)
                for event in row.started:
                    self._on_event(event)
            for cpu in row.cpus:
                key = cpu.host, cpu.cpu
                self._cpus[key] = self._cpus[key].with_more(cpu) if key in self._cpus else cpu
        for mismatch in _mismatches(rows):
            self._on_event(mismatch)
        cpus = self._cpus.values()
        if cpus:
            self._on_event(ScreenProgress(min(cpu.rounds for cpu in cpus), sum(cpu.hashes for cpu in cpus),
                                          sum(cpu.mismatch_count for cpu in cpus), seconds))


def job_failure(error: BaseException) -> str:
    """Why a Spark job failed: what a task's Python raised, else Spark's own words."""
    text = str(error)
    return task_failure(text) if "Traceback (most recent call last):" in text else exception_words(error)


def _mismatches(rows: list[TaskScreening]) -> Iterator[Mismatch]:
    for row in rows:
        for cpu in row.cpus:
            yield from cpu.mismatches

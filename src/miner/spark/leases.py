"""Keeps tasks going on Spark, as many as find room: each mines for one lease. Ends only when it is stopped."""

import contextlib
import queue
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from miner.core.errors import MinerError
from miner.spark.failures import TaskFailure, failed_tasks
from miner.spark.group import JobGroup
from miner.spark.partition import Lease
from miner.spark.words import exception_words

if TYPE_CHECKING:
    from pyspark import SparkContext, SparkStageInfo

_GAVE_UP = re.compile(r"excludeOnFailure|failed \d+ times")  # said of a Spark job whose tasks failed too often
_WATCH_SECONDS = 1.0
_LEAST_WAITING = 8  # tasks that wait for room: what a cluster that grows by demand is asked for at first
_HOPELESS = 6  # failed tasks after which, with all executors among theirs and no miner yet, the job is given up
_LOOK_BACK = 100  # failed tasks of a stage that are looked at again when another has failed
_ASKED_AT_ONCE = 50  # executors, of which Spark is asked whether they stay
_STOP_SECONDS = 0.7
_CANCEL_PAUSE = 0.1


class Leases:
    """Runs leases until `stop_scheduling`. Spark jobs follow each other, so that some tasks always wait for room: an
    executor that joins, whenever and of whatever size, finds tasks to take.

    describe  is called for each Spark job's description, which Spark's UI shows
    mining    gives the ids of executors that mine now; what is known of them is asked of Spark each second
    leaving   is called with the ids of those that Spark is about to take away (decommissioned: drained for maintenance,
              or preempted with notice), each once. Spark gives them no tasks any more, and waits for the end of those
              that run
    """

    def __init__(self, context: "SparkContext", lease: Lease, describe: Callable[[], str],
                 mining: Callable[[], Iterable[str]] = lambda: (),
                 leaving: Callable[[Collection[str]], None] = lambda executors: None) -> None:
        self._context, self._lease, self._describe, self._mining, self._leaving = (
            context, lease, describe, mining, leaving)
        self._group = JobGroup(context)
        self._backend: Any = context._jsc.sc().schedulerBackend()
        self._cancelled = threading.Event()
        self._error: BaseException | None = None
        self._jobs: list[threading.Thread] = []
        self._told: dict[int, set[int]] = {}  # by stage: ids of failed tasks that were told
        self._failed = 0
        self._failed_on: set[str] = set()  # ids of executors
        self._asked: deque[str] = deque()  # ids of executors, those first that were asked for longest ago
        self._left: set[str] = set()  # ids of those that are leaving
        self._failures: queue.SimpleQueue[TaskFailure] = queue.SimpleQueue()
        self._watcher = threading.Thread(target=self._watch, name="miner-spark-watch", daemon=True)

    def start(self) -> None:
        """Begin. Returns at once."""
        self._watcher.start()

    def stop_scheduling(self) -> None:
        """Start no more tasks, and cancel those that run: they have `spark.python.task.killTimeout` to end by
        themselves, before Spark ends them by force."""
        self._cancelled.set()
        cancelling = threading.Thread(target=self._cancel, name="miner-spark-cancel", daemon=True)
        cancelling.start()
        cancelling.join(_STOP_SECONDS)

    def check(self, nobody_joined: bool = False) -> None:
        """Raise MinerError if Spark has given up, or if it is hopeless: nobody has joined the hub yet, and tasks have
        failed on every executor."""
        if self._error is not None:
            raise MinerError(f"the Spark job ended: {exception_words(self._error)}") from self._error
        if nobody_joined and self._failed >= _HOPELESS and self._executors() <= self._failed_on:
            raise MinerError("no executor can mine: see the failures above")

    def failures(self) -> Iterator[TaskFailure]:
        """The tasks that failed since the last call. Spark starts them again, elsewhere if it can."""
        while not self._failures.empty():
            self._failed += 1
            yield self._failures.get()

    # The jobs

    def _watch(self) -> None:
        """See to it that tasks wait for room, and look for failed ones, which Spark tells only its log."""
        while not self._cancelled.is_set():
            with contextlib.suppress(Exception):  # a context that is going away
                running, ended = self._group.look()
                self._keep_waiting(running)
                for failure in self._new_failures([*running, *ended]):
                    self._failures.put(failure)
                self._look_for_leaving()
            self._cancelled.wait(_WATCH_SECONDS)

    def _keep_waiting(self, stages: "list[SparkStageInfo]") -> None:
        self._jobs = [job for job in self._jobs if job.is_alive()]
        if len(stages) < len(self._jobs):
            return  # Spark hasn't taken up the last job yet
        running = sum(stage.numActiveTasks for stage in stages)
        waiting = sum(stage.numTasks - stage.numActiveTasks - stage.numCompletedTasks for stage in stages)
        if waiting < max(_LEAST_WAITING, running) // 2:
            job = threading.Thread(target=self._run, args=(max(_LEAST_WAITING, 2 * running),),
                                   name="miner-spark-job", daemon=True)
            self._jobs.append(job)
            job.start()

    def _look_for_leaving(self) -> None:
        mining = set(self._mining()) - self._left
        self._asked = deque(dict.fromkeys([*(one for one in self._asked if one in mining), *sorted(mining)]))
        leaving = set()
        for _ in range(min(len(self._asked), _ASKED_AT_ONCE)):
            executor = self._asked.popleft()
            self._asked.append(executor)
            if not self._backend.isExecutorActive(executor):
                leaving.add(executor)
        if leaving:
            self._left |= leaving
            self._leaving(leaving)

    def _run(self, tasks: int) -> None:
        """Run one Spark job with this number of tasks, to its end."""
        try:
            if self._cancelled.is_set():
                return
            self._group.begin(self._describe(), "mining")
            self._context.setLocalProperty("spark.scheduler.pool", "sparkminer")  # of a fair scheduler, if there is one
            leases = self._context.parallelize(range(tasks), tasks).mapPartitionsWithIndex(self._lease)
            self._context.runJob(leases, list)  # collect() would set another name
        except Exception as error:
            # Where tasks have failed on every executor, or too often for a session that isn't ours, Spark gives the
            # job up; other executors may be there by now.
            if not self._cancelled.is_set() and not _GAVE_UP.search(str(error)):
                self._error = error

    def _cancel(self) -> None:
        """Cancel what there is, until no Spark job is left: one that was only just handed to Spark is not known there
        at first, and its tasks would begin after all others have ended."""
        with contextlib.suppress(Exception):  # a context that is going away
            while any(job.is_alive() for job in self._jobs):
                self._group.cancel()
                time.sleep(_CANCEL_PAUSE)

    # What Spark knows

    def _executors(self) -> set[str]:
        """The ids of the executors that are there now."""
        store: Any = self._context._jsc.sc().statusStore()
        executors = store.executorList(True)
        return {executor.id() for executor in map(executors.apply, range(executors.size()))} - {"driver"}

    def _new_failures(self, stages: "list[SparkStageInfo]") -> Iterator[TaskFailure]:
        for stage in stages:
            told = self._told.setdefault(stage.stageId, set())
            if stage.numFailedTasks > len(told):
                # A task that started earlier may fail later, and is then before those that were told.
                offset = max(0, len(told) - _LOOK_BACK)
                for task, executor, failure in failed_tasks(self._context, stage.stageId, stage.currentAttemptId,
                                                            offset, stage.numFailedTasks - offset):
                    if task not in told:
                        told.add(task)
                        self._failed_on.add(executor)
                        yield failure

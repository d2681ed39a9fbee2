"""The Spark action that never ends by itself: rounds of tasks, each of them one lease of mining."""

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from miner.core.errors import MinerError
from miner.spark.partition import Lease
from miner.spark.words import exception_words, task_failure

if TYPE_CHECKING:
    from pyspark import RDD, SparkContext

GROUP = "sparkminer"
_TASKS_A_SLOT = 32  # far more tasks than slots, so that an executor that joins late finds work
_WATCH_SECONDS = 1.0
_REGISTER_SECONDS = 30.0
_HOPELESS = 6  # tasks that failed before a single miner joined


class Leases:
    """Runs leases until cancelled, in a thread of its own."""

    def __init__(self, context: "SparkContext", lease: Lease) -> None:
        self._context, self._lease = context, lease
        self._cancelled = threading.Event()
        self._error: BaseException | None = None
        self._failed = 0
        self._told: dict[int, int] = {}  # failed tasks by stage
        self._failures: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._runner = threading.Thread(target=self._run, name="miner-spark-leases", daemon=True)
        self._watcher = threading.Thread(target=self._watch, name="miner-spark-watch", daemon=True)

    def start(self) -> None:
        self._runner.start()
        self._watcher.start()

    def cancel(self) -> None:
        """Drop what waits, and end what runs by force. Does not wait for it."""
        self._cancelled.set()
        cancelling = threading.Thread(target=self._cancel, name="miner-spark-cancel", daemon=True)
        cancelling.start()
        cancelling.join(0.7)
        self._runner.join(0.3)

    def check(self, nobody_joined: bool = False) -> None:
        """Raise MinerError if the job is over, or hopeless."""
        if self._error is not None:
            raise MinerError(f"the Spark job ended: {exception_words(self._error)}") from self._error
        if nobody_joined and self._failed >= _HOPELESS:
            raise MinerError("no executor can mine: see the failures above")

    def failures(self) -> Iterator[str]:
        """What went wrong in tasks since the last call. Spark has started them again."""
        while not self._failures.empty():
            self._failed += 1
            yield self._failures.get()

    def _run(self) -> None:
        try:
            self._context.setJobGroup(GROUP, "mining")
            while not self._cancelled.is_set():
                count = _TASKS_A_SLOT * max(2, self._context.defaultParallelism)
                self._tasks(count).mapPartitionsWithIndex(self._lease).collect()
        except Exception as error:
            if not self._cancelled.is_set():
                self._error = error

    def _tasks(self, count: int) -> "RDD[int]":
        """So many tasks, each of which takes a whole executor."""
        from pyspark.resource import ResourceProfileBuilder, TaskResourceRequests

        tasks = self._context.parallelize(range(count), count)
        if self._context.getConf().get("spark.task.cpus") is None and (cores := self._executor_cores()) > 1:
            # A standalone cluster that was told no number gives an executor all cores of its worker.
            whole = ResourceProfileBuilder().require(TaskResourceRequests().cpus(cores)).build
            return tasks.withResources(whole)
        return tasks

    def _executor_cores(self) -> int:
        """The cores of the smallest executor; 0 if none registers in time."""
        deadline = time.monotonic() + _REGISTER_SECONDS
        while time.monotonic() < deadline and not self._cancelled.wait(0.2):
            store: Any = self._context._jsc.sc().statusStore()
            executors = store.executorList(True)
            cores = [int(executor.totalCores()) for executor in map(executors.apply, range(executors.size()))
                     if executor.id() != "driver"]
            if cores:
                return min(cores)
        return 0

    def _cancel(self) -> None:
        with contextlib.suppress(Exception):
            self._context.cancelJobGroup(GROUP)

    def _watch(self) -> None:
        """Look for failed tasks. Spark tells its log of them, and nobody else before the job is over."""
        while not self._cancelled.wait(_WATCH_SECONDS):
            with contextlib.suppress(Exception):  # a context that is going away
                for reason in self._new_failures():
                    self._failures.put(reason)

    def _new_failures(self) -> Iterator[str]:
        tracker = self._context.statusTracker()
        for job in tracker.getActiveJobsIds():
            info = tracker.getJobInfo(job)
            for stage in info.stageIds if info else ():
                details = tracker.getStageInfo(stage)
                told = self._told.get(stage, 0)
                if details is not None and details.numFailedTasks > told:
                    self._told[stage] = details.numFailedTasks
                    yield from self._reasons(stage, details.currentAttemptId, told, details.numFailedTasks - told)

    def _reasons(self, stage: int, attempt: int, offset: int, count: int) -> Iterator[str]:
        """Why tasks of a stage failed, oldest first, without the first `offset`."""
        jvm: Any = self._context._jvm
        kinds = jvm.org.apache.spark.status.api.v1
        failed = jvm.java.util.ArrayList()
        failed.add(kinds.TaskStatus.FAILED)
        store: Any = self._context._jsc.sc().statusStore()
        tasks = store.taskList(stage, attempt, offset, count, kinds.TaskSorting.ID, failed)
        for at in range(tasks.size()):
            message = tasks.apply(at).errorMessage()
            yield task_failure(message.get() if message.isDefined() else "")

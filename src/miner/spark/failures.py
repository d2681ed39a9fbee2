"""What Spark knows of tasks that failed: it starts them again, and tells only its log."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from miner.spark.words import task_failure

if TYPE_CHECKING:
    from pyspark import SparkContext


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """A task that failed: the executor's host ("" where Spark doesn't say it), and the reason in a line."""

    host: str
    reason: str


def failed_tasks(context: "SparkContext", stage: int, attempt: int, offset: int,
                 count: int) -> Iterator[tuple[int, str, TaskFailure]]:
    """A stage's failed tasks in the order of their start, without the first `offset`: each one's id, that of its
    executor, and why."""
    jvm: Any = context._jvm
    kinds = jvm.org.apache.spark.status.api.v1
    failed = jvm.java.util.ArrayList()
    failed.add(kinds.TaskStatus.FAILED)
    store: Any = context._jsc.sc().statusStore()
    tasks = store.taskList(stage, attempt, offset, count, kinds.TaskSorting.ID, failed)
    for task in map(tasks.apply, range(tasks.size())):
        message = task.errorMessage()
        yield task.taskId(), task.executorId(), TaskFailure(
            task.host() or "", task_failure(message.get() if message.isDefined() else ""))

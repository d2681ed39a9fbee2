"""The Spark jobs of one job group, as Spark's status tells of them."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark import SparkContext, SparkStageInfo


class JobGroup:
    """A job group that is followed for days: a look asks Spark for what goes on, however many jobs have ended before.

    Each question is a call to the JVM, which takes CPU time from miners beside the driver.
    """

    def __init__(self, context: "SparkContext", name: str) -> None:
        self._tracker = context.statusTracker()
        self._name = name
        self._seen: set[int] = set()  # ids of Spark jobs
        self._open: dict[int, tuple[int, ...]] = {}  # the stages of each job that was not seen to end

    def look(self, started: int) -> "tuple[list[SparkStageInfo], list[SparkStageInfo]]":
        """The stages of jobs that are under way, and those of jobs that have ended since the last look. `started` is
        how many jobs this group has been given so far. For one thread."""
        if len(self._seen) < started:
            for job in set(self._tracker.getJobIdsForGroup(self._name)) - self._seen:
                if (info := self._tracker.getJobInfo(job)) is not None:
                    self._open[job] = tuple(info.stageIds)
                    self._seen.add(job)
        active = set(self._tracker.getActiveJobsIds())
        ended = [self._open.pop(job) for job in self._open.keys() - active]
        return list(self._stages(self._open.values())), list(self._stages(ended))

    def is_active(self) -> bool:
        """Whether a job of this group is under way."""
        return not set(self._tracker.getJobIdsForGroup(self._name)).isdisjoint(self._tracker.getActiveJobsIds())

    def _stages(self, jobs: Iterable[tuple[int, ...]]) -> "Iterator[SparkStageInfo]":
        for stage in (stage for job in jobs for stage in job):
            if (details := self._tracker.getStageInfo(stage)) is not None:
                yield details

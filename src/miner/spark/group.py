"""The Spark jobs of one job group, as Spark's status tells of them."""

import secrets
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark import SparkContext, SparkStageInfo


class JobGroup:
    """A new job group. It may be followed for days: a look asks Spark for what goes on, however many jobs have ended
    before. Each question is a call to the JVM, which takes CPU time from miners beside the driver."""

    def __init__(self, context: "SparkContext") -> None:
        self._context, self._tracker = context, context.statusTracker()
        self._name = f"sparkminer-{secrets.token_hex(4)}"
        self._lock = threading.Lock()
        self._begun = 0  # jobs, some of which Spark may not know yet
        self._seen: set[int] = set()  # ids of Spark jobs
        self._open: dict[int, tuple[int, ...]] = {}  # the stages of each job that was not seen to end

    def begin(self, description: str, call_site: str) -> None:
        """Have the one Spark job that this thread runs next be of the group; Spark's UI shows both texts. Tasks of a
        job that is cancelled are not interrupted: they have time to say what they did."""
        with self._lock:
            self._begun += 1
        self._context.setJobGroup(self._name, description, interruptOnCancel=False)
        self._context.setLocalProperty("callSite.short", call_site)

    def look(self) -> "tuple[list[SparkStageInfo], list[SparkStageInfo]]":
        """The stages of jobs that are under way, and those of jobs that have ended since the last look. For one
        thread."""
        if len(self._seen) < self._begun:
            for job in set(self._tracker.getJobIdsForGroup(self._name)) - self._seen:
                if (info := self._tracker.getJobInfo(job)) is not None:
                    self._open[job] = tuple(info.stageIds)
                    self._seen.add(job)
        active = set(self._tracker.getActiveJobsIds())
        ended = [self._open.pop(job) for job in self._open.keys() - active]
        return list(self._stages(self._open.values())), list(self._stages(ended))

    def cancel(self) -> None:
        """Cancel the jobs that are under way. Spark may not know one that was just begun: call this again until its
        thread has ended. Spark warns of a group without jobs, so it isn't asked then."""
        ours = self._tracker.getJobIdsForGroup(self._name)
        if not set(ours).isdisjoint(self._tracker.getActiveJobsIds()):
            self._context.cancelJobGroup(self._name)

    def _stages(self, jobs: Iterable[tuple[int, ...]]) -> "Iterator[SparkStageInfo]":
        for stage in (stage for job in jobs for stage in job):
            if (details := self._tracker.getStageInfo(stage)) is not None:
                yield details

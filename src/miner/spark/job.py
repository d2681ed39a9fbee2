"""The driver: runs the hub and the Spark job, prints what happens while it happens, and ends both."""

import contextlib
import threading
import time
from collections import Counter
from pathlib import Path

from miner.core.errors import MinerError
from miner.core.source import WorkSource
from miner.core.text import one_line
from miner.front.chart import ChartFile
from miner.front.check import NOTHING_DONE, run_lines, source_lines
from miner.front.console import Console, ExitStatus
from miner.front.faces import Faces, open_faces
from miner.front.hub_report import miner_table
from miner.front.naming import own_words
from miner.front.report import counted
from miner.front.reporter import Reporter, hub_reporter
from miner.hub.events import HubEvent
from miner.sources.open import open_source
from miner.spark.application import Application
from miner.spark.course import HashrateCourse
from miner.spark.driver import prepared, require_pyspark, spark_settings
from miner.spark.failures import TaskFailure
from miner.spark.obstacles import refuse_obstacles
from miner.spark.run import ClusterRun, ExecutorLeaving, JobEvent, NobodyJoined, RowsWait
from miner.spark.settings import JobSettings, parser, read_settings, script
from miner.spark.ship import ship
from miner.spark.summary import MiningTimes, by_executor


def spark(args: list[str], console: Console) -> int:
    """Run `miner spark` with these arguments. Returns the exit status. Raises UsageError before anything of Spark is
    started, and MinerError when the job can't start or go on."""
    options = parser().parse_args(args)
    if options.script:
        console.result(str(script()))
        return ExitStatus.OK
    settings = read_settings(options, console)
    if options.check:
        return _check(settings, console)
    source = open_source(settings.source)
    require_pyspark()
    refuse_obstacles()
    console.messages(settings.notices)
    stop = threading.Event()
    with console.stopping(stop.set), prepared(settings) as directory:
        if settings.compare:
            from miner.spark.compare import compare

            return compare(settings, directory, stop, console)
        ClusterJob(settings, source, directory, stop, console).run()
    return ExitStatus.OK


def _check(settings: JobSettings, console: Console) -> int:
    """`--check`: say what would be done."""
    console.messages(settings.notices)
    where = settings.master or "the master that spark-submit names"
    threads = counted(settings.engine.threads, "thread") if settings.engine.threads else "a thread for each of its CPUs"
    kernel = f"kernel {settings.engine.kernel}" if settings.engine.kernel else "the fastest kernel there"
    for line in (f"Hashing {settings.source.algorithm} on Spark, {where}: each task with {threads}, with {kernel}",
                 *(f"  {key} is set" for key in sorted(settings.spark)), *source_lines(settings.source),
                 *run_lines(settings.seconds, settings.blocks, settings.faces), NOTHING_DONE):
        console.result(line)
    return ExitStatus.OK


class ClusterJob:
    """The command's run of the cluster job, from the start of Spark to its end."""

    def __init__(self, settings: JobSettings, source: WorkSource, directory: Path, stop: threading.Event,
                 console: Console) -> None:
        self._settings, self._source, self._directory = settings, source, directory
        self._stop, self._console = stop, console
        self._application = Application(spark_settings(settings, directory), directory, settings.debug)
        self._report = self._reporter(settings.quiet)
        self._failures: Counter[TaskFailure] = Counter()
        self._times = MiningTimes()
        self._course = HashrateCourse() if settings.chart else None

    def run(self) -> None:
        """Mine until the time is up, the source ends, or `stop` is set. Raises MinerError when the job can't go on."""
        tell = self._console.message
        tell(f"Work from {one_line(self._source.label)}, paid to {one_line(self._source.payee)}")
        tell(f"Starting Spark{f' on {self._settings.master}' if self._settings.master else ''}")
        with (ChartFile(self._settings.chart) if self._settings.chart else contextlib.nullcontext() as chart,
              open_faces(self._settings.faces, "spark", self._console, seconds=self._settings.seconds,
                         blocks=self._settings.blocks, rows=by_executor) as faces):
            try:
                if self._application.start_unless(self._stop):
                    self._mine(faces, chart)
            finally:
                self._application.stop()

    def _reporter(self, quiet: bool) -> Reporter[HubEvent]:
        return hub_reporter(self._source.label, self._source.kind, quiet=quiet,
                            longpoll=self._settings.source.longpoll)

    def _mine(self, faces: Faces, chart: ChartFile | None) -> None:
        if faces.live:
            self._report = self._reporter(quiet=True)
        context = self._application.context
        if context.uiWebUrl:
            self._console.message(f"Spark's UI: {context.uiWebUrl}")
        ship(context, self._directory)
        run = ClusterRun(context, self._source, self._settings, self._hear, faces.tap())
        faces.follow(run.hub)
        try:
            run.run(self._stop)
        except MinerError as error:
            if why := self._application.explain_end():
                raise MinerError(f"the cluster ended the job: {why}") from error
            raise
        finally:
            if miners := run.hub.snapshot().miners:
                rows = self._times.over_all(by_executor(miners), time.monotonic())
                for line in miner_table(rows, title="executor"):
                    self._console.result(line)
                if chart is not None and self._course is not None:
                    kernels = ", ".join(sorted({one_line(miner.kernel, 32) for miner in miners if miner.kernel}))
                    chart.write(self._course.picture(str(self._settings.source.algorithm), kernels,
                                                     sum(row.hashrate for row in rows)))
                    self._console.message(f"Chart written to {self._settings.chart}")

    def _hear(self, event: JobEvent) -> None:
        match event:
            case TaskFailure():
                self._tell_failure(event)
            case NobodyJoined((host, port)):
                self._console.message("No executor has joined yet: has the cluster free cores, and can it reach "
                                      f"{host} port {port}?")
            case ExecutorLeaving(executor):
                self._console.message(f"executor-{executor} is about to leave the cluster: its leases end")
            case RowsWait(reason):
                self._console.message(f"Rows wait, and are tried again: {reason}")
            case _:
                self._console.messages(self._report.lines(event))
                now = time.monotonic()
                self._times.take(event, now)
                if self._course is not None:
                    self._course.take(event, now)

    def _tell_failure(self, failure: TaskFailure) -> None:
        """Print that a task failed: the first time for a host and reason, the tenth, the hundredth and so on, since on
        a broken host tasks fail again and again."""
        self._failures[failure] += 1
        times = self._failures[failure]
        if str(times).strip("0") == "1":
            often = f" ({times} times by now)" if times > 1 else ""
            where = f" on {one_line(failure.host, 64)}" if failure.host else ""
            self._console.message(f"a task failed{where}, Spark starts it again{often}: {own_words(failure.reason)}")

"""The driver: runs the hub and the Spark job, prints what happens while it happens, and ends both."""

import threading
import time
from collections import Counter
from pathlib import Path

from miner.core.source import WorkSource
from miner.core.text import one_line
from miner.front.check import NOTHING_DONE, run_lines, source_lines
from miner.front.console import Console, ExitStatus
from miner.front.faces import Faces, open_faces
from miner.front.hub_report import miner_table
from miner.front.naming import own_words
from miner.front.report import counted, hashrate_text
from miner.front.reporter import Reporter, hub_reporter
from miner.hub import HubThread
from miner.hub.events import HubBlock, HubEvent, HubStopped, MinerJoined
from miner.sources.open import open_source
from miner.spark.application import Application
from miner.spark.driver import hub_config, lease, prepared, require_pyspark, spark_settings
from miner.spark.failures import TaskFailure
from miner.spark.leases import Leases
from miner.spark.obstacles import refuse_obstacles
from miner.spark.settings import JobSettings, parser, read_settings, script
from miner.spark.ship import ship
from miner.spark.summary import MiningTimes, by_executor

_POLL_SECONDS = 0.1
_FAREWELL_SECONDS = 1.0
_LONELY_SECONDS = 20.0


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
        ClusterRun(settings, source, directory, stop, console).run()
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


class ClusterRun:
    """One run of the cluster job, from the start of Spark to its end."""

    def __init__(self, settings: JobSettings, source: WorkSource, directory: Path, stop: threading.Event,
                 console: Console) -> None:
        self._settings, self._source, self._directory = settings, source, directory
        self._stop, self._console = stop, console
        self._application = Application(spark_settings(settings, directory), directory / "spark.log", settings.debug)
        self._report = self._reporter(settings.quiet)
        self._failures: Counter[TaskFailure] = Counter()
        self._joined = self._blocks = 0
        self._times = MiningTimes()
        self._deadline = float("inf")

    def run(self) -> None:
        """Mine until the time is up, the source ends, or `stop` is set. Raises MinerError when the job can't go on."""
        tell = self._console.message
        tell(f"Work from {one_line(self._source.label)}, paid to {one_line(self._source.payee)}")
        tell(f"Starting Spark{f' on {self._settings.master}' if self._settings.master else ''}")
        with open_faces(self._settings.faces, "spark", self._console, seconds=self._settings.seconds,
                        blocks=self._settings.blocks,
                        rows=by_executor) as faces:
            try:
                if self._application.start_unless(self._stop):
                    self._mine(faces)
            finally:
                self._application.stop()

    def _reporter(self, quiet: bool) -> Reporter[HubEvent]:
        return hub_reporter(self._source.label, self._source.kind, quiet=quiet,
                            longpoll=self._settings.source.longpoll)

    def _mine(self, faces: Faces) -> None:
        if faces.live:
            self._report = self._reporter(quiet=True)
        context = self._application.context
        if context.uiWebUrl:
            self._console.message(f"Spark's UI: {context.uiWebUrl}")
        ship(context, self._directory)
        with HubThread(self._source, hub_config(self._settings, context), faces.tap()) as hub:
            faces.follow(hub)
            leases = Leases(context, lease(self._settings, context, hub, self._settings.lease_seconds),
                            lambda: self._description(hub))
            leases.start()
            try:
                self._follow(hub, leases)
            finally:
                leases.stop_scheduling()  # first, or the next task would follow each that ends
                hub.stop_miners("the cluster job ended", _FAREWELL_SECONDS)
                self._summarise(hub)
        if hub.error is not None:
            raise hub.error

    def _follow(self, hub: HubThread, leases: Leases) -> None:
        """Print what happens until the end. The run's seconds count from the first miner on."""
        started = time.monotonic()
        while not self._stop.is_set() and time.monotonic() < self._deadline:
            event = hub.next_event(_POLL_SECONDS)
            if event is not None:
                self._console.messages(self._report.lines(event))
                self._note(event)
            for failure in leases.failures():
                self._tell_failure(failure)
                leases.check(nobody_joined=not self._joined)
            if isinstance(event, HubStopped):
                return
            leases.check()
            if not self._joined and time.monotonic() - started > _LONELY_SECONDS:
                started = time.monotonic()
                self._console.message("No executor has joined yet: has the cluster free cores, and can it reach "
                                      f"{hub.address[0]} port {hub.address[1]}?")

    def _description(self, hub: HubThread) -> str:
        """The description of a Spark job, which Spark's UI shows."""
        now = hub.snapshot()
        kernels = ", ".join(sorted({miner.kernel for miner in now.miners if miner.connected and miner.kernel}))
        doing = (f"; {counted(now.connected, 'miner')}, {kernels or 'no kernel yet'}, {hashrate_text(now.hashrate)}"
                 if now.connected else "")
        return f"mining {self._settings.source.algorithm} on {one_line(self._source.label)}{doing}"

    def _tell_failure(self, failure: TaskFailure) -> None:
        """Print that a task failed: the first time for a host and reason, the tenth, the hundredth and so on, since on
        a broken host tasks fail again and again."""
        self._failures[failure] += 1
        times = self._failures[failure]
        if str(times).strip("0") == "1":
            often = f" ({times} times by now)" if times > 1 else ""
            where = f" on {one_line(failure.host, 64)}" if failure.host else ""
            self._console.message(f"a task failed{where}, Spark starts it again{often}: {own_words(failure.reason)}")

    def _note(self, event: HubEvent) -> None:
        self._times.take(event, time.monotonic())
        if isinstance(event, HubBlock):
            self._blocks += 1
            if self._blocks == self._settings.blocks:
                self._stop.set()
        if isinstance(event, MinerJoined):
            self._joined += 1
            if self._joined == 1 and self._settings.seconds:
                self._deadline = time.monotonic() + self._settings.seconds

    def _summarise(self, hub: HubThread) -> None:
        while (event := hub.next_event(0)) is not None:
            self._console.messages(self._report.lines(event))
            self._note(event)
        if miners := hub.snapshot().miners:
            for line in miner_table(self._times.over_all(by_executor(miners), time.monotonic()), title="executor"):
                self._console.result(line)

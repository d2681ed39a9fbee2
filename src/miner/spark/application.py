"""One Spark application: its JVM and its context, how they start and why they don't, and that both go away."""

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from miner.core.errors import MinerError
from miner.spark.masters import executor_cores, is_standalone, patient
from miner.spark.obstacles import reach_master
from miner.spark.processes import child_sessions, end_session
from miner.spark.submit_jvm import stay_until_done
from miner.spark.words import exception_words, last_log_error, why_ended

if TYPE_CHECKING:
    from pyspark import SparkConf, SparkContext

MAX_FAILURES = 1_000_000
# This job needs these settings, whatever those of cluster and user say. Mining twice is useless, so there is no
# speculation; a silent Python worker is at work, not idle; executors come and go without an end to the job.
FORCED = {
    "spark.speculation": "false",
    "spark.python.worker.killOnIdleTimeout": "false",
    "spark.python.task.killTimeout": "2s",  # for last reports
}
DEFAULTS = {
    "spark.app.name": "sparkminer",
    "spark.ui.showConsoleProgress": "false",
    "spark.locality.wait": "0s",
    # An executor on which tasks fail is left alone for a while. Its host is not: other executors there may do, and a
    # host on which executors were killed is not to blame.
    "spark.excludeOnFailure.enabled": "true",
    "spark.excludeOnFailure.timeout": "2min",
    "spark.excludeOnFailure.stage.maxFailedExecutorsPerNode": "1000000",
    # YARN and Kubernetes give up an application of which too many executors have failed: not for those of days ago.
    "spark.executor.failuresValidityInterval": "1h",
    # Where no resource manager answers, this ends after seconds; Hadoop would go on for a quarter of an hour.
    "spark.hadoop.yarn.resourcemanager.connect.max-wait.ms": "3000",
    "spark.hadoop.yarn.resourcemanager.connect.retry-interval.ms": "1000",
    "spark.hadoop.ipc.client.connect.max.retries": "1",
}
_REDACTION = "spark.redaction.regex"
_REDACTED = "(?i)secret|password|passwd|token|access[.]?key|sun[.]java[.]command"  # the last: -p and -O of spark-submit
_POLL_SECONDS = 0.1
_LAUNCH_SECONDS = 3.0


def under_spark_submit() -> bool:
    """Whether spark-submit started this process: then the JVM is there already, and spark-submit's to stop."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


class Application:
    """A Spark application, with its driver in this process.

    settings   Spark's, by name; FORCED ones replace them
    directory  for the application's files; what the JVM says is in one of them or, with `show_log`, on stderr
    failures   how often a task may fail before its Spark job is given up

    May be started from any thread: in one that is not the main one, pyspark leaves the signal handlers alone.
    """

    def __init__(self, settings: Mapping[str, str], directory: Path, show_log: bool = False,
                 failures: int = MAX_FAILURES) -> None:
        self._settings = {**settings, **FORCED, "spark.task.maxFailures": str(failures)}
        self._failures = failures
        self._directory, self._log = directory, None if show_log else directory / "spark.log"
        self._gateway: Any = None
        self._starter: threading.Thread | None = None
        self._others = frozenset(child_sessions())
        self._stopped = threading.Event()
        self._context: SparkContext | None = None

    @property
    def context(self) -> "SparkContext":
        """The context; there is one once `start` or `start_unless` was successful."""
        assert self._context is not None
        return self._context

    def start(self, stop: threading.Event) -> None:
        """Start the JVM (unless spark-submit has done so: then its wish to end sets `stop`) and the context. Raises
        MinerError, which says why Spark did not start."""
        from py4j.protocol import Py4JError
        from pyspark import SparkContext
        from pyspark.errors import PySparkException

        logging.getLogger("py4j").setLevel(logging.CRITICAL)  # it reports each connection that a stop cuts off
        try:
            self._launch(stop)
            if self._stopped.is_set():
                return
            conf = self._conf()
            reach_master(conf.get("spark.master", ""))
            self._context = SparkContext(conf=conf, gateway=self._gateway)
        except (PySparkException, Py4JError, OSError) as error:
            raise MinerError(f"Spark did not start: {self.explain(error)}") from error
        if self._context._jsc.sc().isStopped():  # a standalone master that never answered
            raise MinerError(f"Spark did not start: {self.explain()}")

    def start_unless(self, stop: threading.Event) -> bool:
        """Start in another thread, so that signals are heard meanwhile. Returns False if `stop` was set before the
        start was done: `stop()` then ends what has been started. Raises what `start` raises."""
        errors: list[BaseException] = []

        def start() -> None:
            try:
                self.start(stop)
            except BaseException as error:
                errors.append(error)

        self._starter = threading.Thread(target=start, name="miner-spark-start", daemon=True)
        self._starter.start()
        while self._starter.is_alive() and not stop.is_set():
            self._starter.join(_POLL_SECONDS)
        if errors and not stop.is_set():
            raise errors[0]
        return not stop.is_set()

    def stop(self) -> None:
        """Stop the context and all that belongs to it, in order if that works, else by force. Takes a few seconds at
        most."""
        self._stopped.set()
        self._stop_launching()
        if self._context is not None:
            _bounded(self._context.stop, 2.0)
        process = getattr(self._gateway, "proc", None)
        if process is None:
            return
        _bounded(self._gateway.shutdown, 0.5)
        with contextlib.suppress(OSError):
            process.stdin.close()  # the JVM ends when its standard input does
        end_session(process.pid, 0.7)
        process.wait()
        self._forget()

    def _stop_launching(self) -> None:
        """End a JVM that is only just being started: a child of this process that leads a session and wasn't there
        before."""
        deadline = time.monotonic() + _LAUNCH_SECONDS
        while (self._gateway is None and self._starter is not None and self._starter.is_alive()
               and time.monotonic() < deadline):
            for leader in set(child_sessions()) - self._others:
                end_session(leader, 0.0)
            self._starter.join(_POLL_SECONDS)

    def _launch(self, stop: threading.Event) -> None:
        from pyspark import SparkConf, java_gateway

        launch_gateway: Callable[..., Any] = java_gateway.launch_gateway
        if under_spark_submit():
            self._gateway = launch_gateway()
            with contextlib.suppress(Exception):  # where it can't be had, a Ctrl-C loses the last lines, and no more
                stay_until_done(self._gateway.jvm, self._directory, stop.set)
            return
        # In a session of its own the JVM doesn't hear the terminal's Ctrl-C, which this process handles, and all
        # processes that it starts can be found.
        if self._stopped.is_set():
            return
        options: dict[str, Any] = {"start_new_session": True}
        # The launcher's own would win over what is set later, and over spark-defaults.conf. It draws a progress bar,
        # which nobody sees here.
        launchers = ("spark.app.name", "spark.ui.showConsoleProgress")
        first = {**{name: DEFAULTS[name] for name in launchers}, **self._settings,
                 "spark.submit.deployMode": "client"}
        conf = SparkConf(loadDefaults=False).setAll(list(first.items()))
        with self._output() as output:
            self._gateway = launch_gateway(conf, options | {"stdout": output, "stderr": subprocess.STDOUT})

    @contextlib.contextmanager
    def _output(self) -> Iterator[int]:
        """The file descriptor that the JVM writes to: the log's or, where the log is to be shown, a pipe's. From the
        pipe lines go through this process's stderr, so that a terminal that has stopped doesn't stop the JVM."""
        if self._log is not None:
            with self._log.open("ab") as log:
                yield log.fileno()
            return
        reading, writing = os.pipe()
        threading.Thread(target=_pass_on, args=(reading, sys.stderr), name="miner-spark-log", daemon=True).start()
        try:
            yield writing
        finally:
            os.close(writing)

    def _conf(self) -> "SparkConf":
        from pyspark import SparkConf

        conf = SparkConf(_jvm=self._gateway.jvm)  # with what spark-submit and spark-defaults.conf say
        for name, value in self._settings.items():
            conf.set(name, value)
        for name, value in DEFAULTS.items():
            conf.setIfMissing(name, value)
        redacted = conf.get(_REDACTION, "")
        conf.set(_REDACTION, f"{redacted}|{_REDACTED}" if redacted else _REDACTED)
        master = conf.get("spark.master", "")
        if (wanted := self._settings.get("spark.executor.instances")) and is_standalone(master):
            # A standalone cluster knows no number of executors, only one of cores.
            conf.setIfMissing("spark.executor.cores", "1")
            conf.setIfMissing("spark.cores.max", str(int(wanted) * int(conf.get("spark.executor.cores") or 1)))
        if cores := executor_cores(master) or conf.get("spark.executor.cores", ""):
            # One task an executor. Where executors may differ, each of their cores gets one.
            conf.setIfMissing("spark.task.cpus", str(cores))
        conf.set("spark.master", patient(master, self._failures))
        if python := conf.get("spark.pyspark.python", ""):
            os.environ["PYSPARK_PYTHON"] = python  # spark-submit does so for its scripts
        return conf

    def explain(self, error: BaseException | None = None) -> str:
        """Why Spark failed, as far as the error and Spark's log tell: one line; "" where neither says anything."""
        if error is not None and "ConnectException" in str(error) and ".deploy.yarn." in str(error):
            where = os.environ.get("HADOOP_CONF_DIR") or os.environ.get("YARN_CONF_DIR", "")
            return f"no YARN ResourceManager answers; is it running, and does {where or 'HADOOP_CONF_DIR'} name it?"
        said = last_log_error(self._logged())
        return "; ".join(part for part in (exception_words(error) if error else "", said and f"Spark's log: {said}")
                         if part)

    def explain_end(self) -> str:
        """Why the cluster has ended this application, as far as Spark's log tells; "" where it hasn't."""
        return why_ended(self._logged())

    def _logged(self) -> str:
        return self._log.read_text(errors="replace") if self._log is not None and self._log.exists() else ""

    def _forget(self) -> None:
        """Let pyspark start another JVM in this process, should somebody want one."""
        from pyspark import SparkContext

        SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None


def _pass_on(reading: int, stream: TextIO) -> None:
    with os.fdopen(reading, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            stream.write(line)


def _bounded(call: Callable[[], object], seconds: float) -> None:
    """Call a function that may never return, since it asks a JVM that is going away: in a thread, which is left alone
    after `seconds`."""
    def run() -> None:
        with contextlib.suppress(Exception):
            call()

    thread = threading.Thread(target=run, name="miner-spark-stop", daemon=True)
    thread.start()
    thread.join(seconds)

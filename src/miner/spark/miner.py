"""Mining on the executors of a Spark session that is there, from a program or a notebook."""

import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from miner.core.algorithm import Algorithm
from miner.core.errors import UsageError
from miner.engine.threads import start_thread
from miner.event_queue import EventQueue
from miner.front.passwords import read_secret
from miner.hub.events import HubSnapshot, MinerStats
from miner.mining import split_settings
from miner.sources.open import open_source
from miner.spark.failures import TaskFailure
from miner.spark.frames import frame
from miner.spark.records import KEPT, HashrateRow, LeaseRow, Records, ShareRow
from miner.spark.run import ClusterRun, ExecutorLeaving, JobEvent, NobodyJoined, RowsWait, RunSettings
from miner.spark.screen_job import screen
from miner.spark.ship import ship_with
from miner.spark.status import JobStatus
from miner.spark.summary import MiningTimes, by_executor

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_BACKLOG = 4096
_LEASE_SECONDS = 60.0  # other Spark jobs of the session find room so soon


class SparkMiner:
    """Mines on a session's executors, in the background, from entering the context until it is left::

        with SparkMiner(spark, url="stratum+tcp://…", username="alice", password_file="pool.txt") as job:
            job.wait(seconds=60)
            job.executors().show()

    spark           a SparkSession with its driver in this process. It stays as it is, but that it has this package for
                    its executors from then on
    seconds, blocks end after that time (from the first miner on) or number of blocks; 0: no limit
    lease_seconds   how long a task mines before its place is free for other jobs of the session
    orphan_timeout  seconds without a connection to the driver after which a task ends
    hub_host, hub_port  the driver's address for executors; "" and 0: the one that Spark uses, and any free port
    hub_tls         speak TLS with them, with a certificate that is made for this run and pinned (package cryptography)
    password_file   a file with the password in its first line, in place of `password`
    write_to        a path to which leases and shares are appended as Parquet while the job runs: see `spark.row_files`
    settings        fields of SourceConfig and EngineConfig, as `miner.mine` takes them: url, username, sandbox, …

    Raises UsageError at once for settings that don't make sense, and for a session of Spark Connect, which has no
    driver that executors could reach.
    """

    def __init__(self, spark: "SparkSession", *, seconds: float = 0.0, blocks: int = 0,
                 lease_seconds: float = _LEASE_SECONDS, orphan_timeout: float = 60.0, hub_host: str = "",
                 hub_port: int = 0, hub_tls: bool = False, password_file: str = "", write_to: str = "",
                 **settings: Any) -> None:
        if not hasattr(spark, "_jsc"):
            raise UsageError("a session of Spark Connect has no driver here that executors could reach: use one that "
                             "has (SparkSession.builder.master(…)), or run the command: python -m miner spark")
        if password_file:
            settings["password"] = read_secret("`password_file`", password_file)
        source, engine = split_settings(settings)
        if lease_seconds < 1 or orphan_timeout <= 0 or seconds < 0 or blocks < 0:
            raise UsageError("lease_seconds must be at least 1, orphan_timeout above 0, seconds and blocks at "
                             "least 0")
        self._spark, self._source = spark, open_source(source)
        self._settings = RunSettings(source, engine, seconds, blocks, hub_host, hub_port, hub_tls, lease_seconds,
                                     orphan_timeout, write_to)
        self._stop, self._times = threading.Event(), MiningTimes()
        self._lock = threading.Lock()
        self._events: EventQueue[Any] = EventQueue(_BACKLOG)
        self._run: ClusterRun | None = None
        self._thread = threading.Thread(target=self._mine, name="miner-spark-run", daemon=True)
        self._error: BaseException | None = None

    def start(self) -> Self:
        """Begin, in the background. Raises UsageError where `write_to` is no place to write to, and MinerError where
        this process gets no thread."""
        context = self._spark.sparkContext
        ship_with(context)
        self._run = ClusterRun(context, self._source, self._settings, self._hear, kept=KEPT)
        start_thread(self._thread)
        return self

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end of the job, for `seconds` at most. Returns whether it has ended; raises the MinerError that
        ended it."""
        self._thread.join(seconds)
        if self._error is not None:
            raise self._error
        return not self._thread.is_alive()

    def stop(self) -> None:
        """End the job, from any thread. Returns at once; `wait` waits for the end."""
        self._stop.set()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def events(self) -> Iterator[JobEvent]:
        """What happens, from the start on to the end of the job: a hub's events, and the other members of JobEvent.
        Events that nobody reads are kept within bounds, as `miner.event_queue` says."""
        while (event := self._events.take()) is not None:
            yield event

    def status(self) -> JobStatus:
        """How the job does."""
        now = self._run.hub.snapshot() if self._run else HubSnapshot((), 0, 0, 0.0, 0, 0, 0, 0)
        with self._lock:
            rows = tuple(self._times.over_all(by_executor(now.miners), time.monotonic()))
        return JobStatus(self._thread.is_alive(), rows, now.hashes, now.hashrate, now.accepted, now.rejected, now.stale,
                         now.blocks, self.status)

    def executors(self) -> "DataFrame":
        """A row for each executor, as it is now; columns are the fields of MinerStats."""
        return frame(self._spark, MinerStats, self.status().executors)

    def leases(self) -> "DataFrame":
        """A row for each lease, those that go on included; columns are the fields of LeaseRow."""
        return frame(self._spark, LeaseRow, self._rows().leases(time.time()))

    def shares(self) -> "DataFrame":
        """A row for each share; columns are the fields of ShareRow."""
        return frame(self._spark, ShareRow, self._rows().shares())

    def hashrates(self) -> "DataFrame":
        """A time series: a row for each report of a miner; columns are the fields of HashrateRow."""
        return frame(self._spark, HashrateRow, self._rows().hashrates())

    def screen(self, algorithms: Sequence[Algorithm | str] = (), seconds: float = 60.0, **options: Any) -> "DataFrame":
        """Screen the CPUs of the session's executors, before the job or after it: arguments and result are those of
        `miner.spark.screen`. Raises UsageError while the job runs, whose miners would take the time of each CPU."""
        if self._thread.is_alive():
            raise UsageError("screen() has the CPUs for itself, and this job mines on them: stop() it, and wait() for "
                             "its end")
        return screen(self._spark, algorithms, seconds, **options)

    def _rows(self) -> Records:
        return self._run.records if self._run else Records()

    def _hear(self, event: JobEvent) -> None:
        if not isinstance(event, TaskFailure | NobodyJoined | RowsWait | ExecutorLeaving):
            with self._lock:
                self._times.take(event, time.monotonic())
        self._events.put(event)

    def _mine(self) -> None:
        assert self._run is not None
        try:
            self._run.run(self._stop)
        except BaseException as error:  # handed to whoever waits
            self._error = error
        finally:
            self._events.close()

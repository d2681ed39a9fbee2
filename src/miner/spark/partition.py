"""What runs in the executors: mining against the driver's hub for the length of one lease."""

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from miner.spark.processes import executor_id

_WATCH_SECONDS = 1.0
_ERROR_PAUSE = 5.0  # so that a host where nothing works doesn't fail a thousand tasks a minute
_HUB_RETRIES = 5
_HUB_PAUSE = 1.0
_HUB_SILENCE = 120.0  # seconds; the hub answers every share, so only a slow miner hears little from it


@dataclass(frozen=True, slots=True)
class LeaseResult:
    """What a task did in one lease, by its own count: the row that it returns to the driver. `executor` is the name
    that its miner had at the hub (see `miner_name`)."""

    executor: str
    host: str
    threads: int
    hashes: int
    seconds: float
    accepted: int
    rejected: int
    stale: int
    blocks: int


@dataclass(frozen=True, slots=True)
class Lease:
    """What a task runs, and all that it needs to know for it. It travels inside the task, never in Spark's settings.

    algorithm  as `Algorithm.parse` reads it
    hub        the hub's stratum URL
    token      the password that the hub wants
    seconds    how long to mine: then the task ends and returns its row, which makes room (decommissioning, other jobs)
    threads    0: as many as the CPUs that Spark gave the task
    """

    algorithm: str
    hub: str
    token: str = field(repr=False)
    seconds: float
    threads: int
    kernel: str
    pin: bool
    nice: int | None

    def __call__(self, partition: int, _: Iterable[object]) -> Iterator[LeaseResult]:
        """The function for mapPartitionsWithIndex: mines, then yields one row. Raises whatever ends the mining
        early."""
        from pyspark import TaskContext

        context = TaskContext.get()
        threads = self.threads or (context.cpus() if context is not None else 1)
        with watchdog():
            try:
                yield self._mine(threads)
            except Exception as error:
                _log(f"{type(error).__name__}: {error}")
                time.sleep(_ERROR_PAUSE)
                raise

    def _mine(self, threads: int) -> LeaseResult:
        import miner
        from miner.core.algorithm import Algorithm
        from miner.core.events import Started, Totals
        from miner.front.report import totals_line

        name = miner_name()
        source = miner.SourceConfig(
            algorithm=Algorithm.parse(self.algorithm), url=self.hub, username=name, password=self.token, hub=True,
            retries=_HUB_RETRIES, retry_pause=_HUB_PAUSE, timeout=_HUB_SILENCE)
        engine = miner.EngineConfig(threads=threads, kernel=self.kernel, pin=self.pin, nice=self.nice)
        totals = None
        with miner.mine(source, engine, seconds=self.seconds) as mining:
            for event in mining:
                if isinstance(event, Started):
                    _log(f"{name} at {self.hub}: {event.algorithm}, kernel '{event.kernel}', {event.threads} threads"
                         + (f" on CPUs {', '.join(map(str, event.cpus))}" if event.cpus else ""))
                elif isinstance(event, Totals):
                    totals = event
                    _log(f"{name}: {totals_line(event)}")
        assert totals is not None  # mining ends with its totals, or raises
        return LeaseResult(name, socket.gethostname(), threads, totals.hashes, totals.seconds, totals.accepted,
                           totals.rejected, totals.stale, totals.blocks)


def _log(text: str) -> None:
    """Write a line to the executor's log, which Spark's UI shows."""
    sys.stderr.write(f"{time.strftime('%y/%m/%d %H:%M:%S')} INFO sparkminer: {text}\n")
    sys.stderr.flush()


def miner_name() -> str:
    """This Python worker's name at the hub, for all its leases: executor-ID.PID, or worker.PID where the executor's id
    isn't known."""
    executor = executor_id()
    return f"executor-{executor}.{os.getpid()}" if executor else f"worker.{os.getpid()}"


@contextlib.contextmanager
def watchdog() -> Iterator[None]:
    """Meanwhile, end this process when its parent is gone. Spark kills its Python workers in most cases, but not
    without its daemon, and not if this process ignores SIGHUP."""
    parent = os.getppid()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_WATCH_SECONDS):
            if os.getppid() != parent:
                os._exit(1)

    threading.Thread(target=watch, name="miner-watchdog", daemon=True).start()
    try:
        yield
    finally:
        done.set()

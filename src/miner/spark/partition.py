"""What runs in the executors: mining against the driver's hub for the length of one lease."""

import contextlib
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from miner.core.errors import SourceError
from miner.engine.cpus import usable_threads
from miner.spark.processes import executor_id

_WATCH_SECONDS = 1.0
_ERROR_PAUSE = 5.0  # so that a host where nothing works doesn't fail a thousand tasks a minute
_HUB_PAUSE = 1.0
_KEEP_SECONDS = 10.0  # until the next lease's engine, in this Python worker, takes memory and kernel over
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
    fingerprint  SHA-256 of the certificate that the hub must show, in hex; "" without TLS
    seconds    how long to mine: then the task ends and returns its row, which makes room (decommissioning, other jobs)
    threads    0: as many as the CPUs that Spark gave the task, or fewer where a quota grants less CPU time
    cpu_limit  the part of its CPU's time that each thread takes at most
    memory_limit  bytes that the scratchpads of a task's threads take at most; 0: as much as its executor has left
    orphan_timeout  seconds after which a task that has no connection to the hub ends
    """

    algorithm: str
    hub: str
    token: str = field(repr=False)
    fingerprint: str
    seconds: float
    threads: int
    kernel: str
    pin: bool
    nice: int | None
    cpu_limit: float
    memory_limit: int
    orphan_timeout: float

    def __call__(self, partition: int, _: Iterable[object]) -> Iterator[LeaseResult]:
        """The function for mapPartitionsWithIndex: mines, then yields one row. Raises whatever ends the mining
        early, but for the loss of a hub that has given work: that executor can mine, and is the next task's when the
        network is whole again."""
        from pyspark import TaskContext

        context = TaskContext.get()
        threads = self.threads or min(context.cpus() if context is not None else 1, usable_threads())
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
        from miner.core.events import NewJob, Started, Totals
        from miner.core.source import Disconnected
        from miner.front.report import totals_line

        name = miner_name()
        source = miner.SourceConfig(
            algorithm=Algorithm.parse(self.algorithm), url=self.hub, username=name, password=self.token, hub=True,
            tls_fingerprint=self.fingerprint, retry_pause=_HUB_PAUSE, timeout=_HUB_SILENCE)
        engine = miner.EngineConfig(threads=threads, kernel=self.kernel, pin=self.pin, nice=self.nice,
                                    cpu_limit=self.cpu_limit, memory_limit=self.memory_limit,
                                    keep_seconds=_KEEP_SECONDS)
        totals, orphan = None, Orphan(self.orphan_timeout)
        with miner.mine(source, engine, seconds=self.seconds) as mining, orphan.ends(mining.stop):
            for event in mining:
                if isinstance(event, NewJob):
                    orphan.found()
                elif isinstance(event, Disconnected):
                    orphan.lost(event.reason)
                if isinstance(event, Started):
                    _log(f"{name} at {self.hub}: {event.algorithm}, kernel '{event.kernel}', {event.threads} threads"
                         + (f" on CPUs {', '.join(map(str, event.cpus))}" if event.cpus else ""))
                elif isinstance(event, Totals):
                    totals = event
                    _log(f"{name}: {totals_line(event)}")
        assert totals is not None  # mining ends with its totals, or raises
        if orphan.reason:
            _log(f"{name}: the hub has been out of reach for too long: {orphan.reason}")
            if not orphan.had_work:
                raise SourceError(f"{self.hub}: {orphan.reason}")
        return LeaseResult(name, socket.gethostname(), threads, totals.hashes, totals.seconds, totals.accepted,
                           totals.rejected, totals.stale, totals.blocks)


class Orphan:
    """Notices that the hub stays away: calls what `ends` was given once `seconds` have passed since `lost` without a
    `found`. `reason` then says why it was lost, and `had_work` whether it ever gave work."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._heard: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # why the hub is lost; "": it is there
        self.reason = ""
        self.had_work = False

    def lost(self, reason: str) -> None:
        """The hub is out of reach."""
        self._heard.put(reason or "no reason known")

    def found(self) -> None:
        """The hub gave work."""
        self.had_work = True
        self._heard.put("")

    @contextlib.contextmanager
    def ends(self, stop: Callable[[], None]) -> Iterator[None]:
        """Meanwhile, wait for the hub to be lost for good, and call `stop` then."""
        waiting = threading.Thread(target=self._wait, args=(stop,), name="miner-orphan", daemon=True)
        waiting.start()
        try:
            yield
        finally:
            self._heard.put(None)
            waiting.join()

    def _wait(self, stop: Callable[[], None]) -> None:
        reason, deadline = "", 0.0
        while True:
            try:
                heard = self._heard.get(timeout=max(0.0, deadline - time.monotonic()) if reason else None)
            except queue.Empty:
                self.reason = reason
                stop()
                return
            if heard is None:
                return
            if heard and not reason:
                deadline = time.monotonic() + self._seconds
            reason = heard


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

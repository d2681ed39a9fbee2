"""Mining on a Spark context that is there: the hub here, the leases on its executors, and what is told of both. The
command and `SparkMiner` both run this."""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from miner.config import EngineConfig, SourceConfig
from miner.core.source import WorkSource
from miner.core.text import one_line
from miner.front.report import counted, hashrate_text
from miner.hub import HubConfig, HubThread
from miner.hub.events import HubBlock, HubEvent, HubStopped, MinerJoined
from miner.spark.failures import TaskFailure
from miner.spark.leases import Leases
from miner.spark.masters import is_local
from miner.spark.partition import Lease
from miner.spark.records import Records
from miner.spark.row_files import RowFiles
from miner.spark.summary import executor_id_of

if TYPE_CHECKING:
    from pyspark import SparkContext

_LOOPBACK = "127.0.0.1"
_POLL_SECONDS = 0.25
_FAREWELL_SECONDS = 1.0
_LONELY_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What a cluster job mines and for how long. `seconds` and `blocks`: 0 for no limit; `hub_host`: "" for the address
    that Spark's driver uses, `hub_port`: 0 for any free one; `hub_tls`: executors speak TLS with the hub; `write_to`:
    where RowFiles writes, "" for nowhere; the others are those of a Lease."""

    source: SourceConfig
    engine: EngineConfig
    seconds: float
    blocks: int
    hub_host: str
    hub_port: int
    hub_tls: bool
    lease_seconds: float
    orphan_timeout: float
    write_to: str


@dataclass(frozen=True, slots=True)
class NobodyJoined:
    """No executor has joined the hub yet, though tasks have waited for it for some time. `address`: the hub's."""

    address: tuple[str, int]


@dataclass(frozen=True, slots=True)
class RowsWait:
    """Rows can't be written to their files, and wait: `reason` says why. Told when that begins."""

    reason: str


@dataclass(frozen=True, slots=True)
class ExecutorLeaving:
    """Spark is about to take an executor away (`id`, Spark's): its miners were sent home, and end their leases."""

    id: str


JobEvent = ExecutorLeaving | HubEvent | TaskFailure | NobodyJoined | RowsWait


class ClusterRun:
    """One run of mining on a context's executors, which must have this package already (`ship`). `hear` is called with
    each event, in the thread that calls `run`, but for RowsWait and ExecutorLeaving. `wanted` is HubThread's; `kept` is
    that of `records`.

    Raises UsageError where the files of rows can't be made.
    """

    def __init__(self, context: "SparkContext", source: WorkSource, settings: RunSettings,
                 hear: Callable[[JobEvent], None], wanted: Callable[[HubEvent], bool] = lambda event: True,
                 kept: int = 0) -> None:
        self._files = (RowFiles(context, settings.write_to, lambda reason: hear(RowsWait(reason)))
                       if settings.write_to else None)
        self.records = Records(kept, self._files.put if self._files else lambda row: None)
        self.hub = HubThread(source, hub_config(settings, context), wanted)
        self._context, self._source, self._settings, self._hear = context, source, settings, hear
        self._joined = self._blocks = 0
        self._deadline = float("inf")

    def run(self, stop: threading.Event) -> None:
        """Mine until the time is up, the wanted blocks are found, the source ends, or `stop` is set. Raises MinerError
        when the job can't go on, or, at its end, where rows could not be written."""
        try:
            self._mine(stop)
        finally:
            if self._files is not None:
                self._files.close()

    def _mine(self, stop: threading.Event) -> None:
        with self.hub:
            leases = Leases(self._context, lease(self._settings, self._context, self.hub, self._settings.lease_seconds),
                            self._description, self._executors, self._send_home)
            leases.start()
            try:
                self._follow(stop, leases)
            finally:
                leases.stop_scheduling()  # first, or the next task would follow each that ends
                self.hub.stop_miners("the cluster job ended", _FAREWELL_SECONDS)
                self._take_waiting()
        self._take_waiting()  # what the hub's own end brought
        if self.hub.error is not None:
            raise self.hub.error

    def _follow(self, stop: threading.Event, leases: Leases) -> None:
        """Tell what happens until the end. The run's seconds count from the first miner on."""
        started = time.monotonic()
        while not stop.is_set() and time.monotonic() < self._deadline and not self._has_blocks():
            event = self.hub.next_event(_POLL_SECONDS)
            if event is not None:
                self._take(event)
            for failure in leases.failures():
                self._hear(failure)
                leases.check(nobody_joined=not self._joined)
            if isinstance(event, HubStopped):
                return
            leases.check()
            if not self._joined and time.monotonic() - started > _LONELY_SECONDS:
                started = time.monotonic()
                self._hear(NobodyJoined(self.hub.address))

    def _take_waiting(self) -> None:
        while (event := self.hub.next_event(0)) is not None:
            if not isinstance(event, HubStopped):
                self._take(event)

    def _take(self, event: HubEvent) -> None:
        self._blocks += isinstance(event, HubBlock)
        if isinstance(event, MinerJoined):
            self._joined += 1
            if self._joined == 1 and self._settings.seconds:
                self._deadline = time.monotonic() + self._settings.seconds
        self.records.take(event, time.time())
        self._hear(event)

    def _executors(self) -> Iterator[str]:
        """Spark's ids of the executors that mine now."""
        return filter(None, map(executor_id_of, self.hub.here()))

    def _send_home(self, executors: Collection[str]) -> None:
        """End the leases of these executors' miners."""
        for executor in executors:
            self._hear(ExecutorLeaving(executor))
        self.hub.send_home([name for name in self.hub.here() if executor_id_of(name) in executors],
                           "its executor is about to leave the cluster")

    def _has_blocks(self) -> bool:
        return 0 < self._settings.blocks <= self._blocks

    def _description(self) -> str:
        """The description of a Spark job, which Spark's UI shows."""
        now = self.hub.snapshot()
        kernels = ", ".join(sorted({miner.kernel for miner in now.miners if miner.connected and miner.kernel}))
        doing = (f"; {counted(now.connected, 'miner')}, {kernels or 'no kernel yet'}, {hashrate_text(now.hashrate)}"
                 if now.connected else "")
        return f"mining {self._settings.source.algorithm} on {one_line(self._source.label)}{doing}"


def hub_config(settings: RunSettings, context: "SparkContext") -> HubConfig:
    """The hub's settings: it listens on the address that the driver itself has for its executors, unless `hub_host`
    says otherwise, and has a new random token."""
    conf = context.getConf()
    host = settings.hub_host or _LOOPBACK
    if not settings.hub_host and not is_local(conf.get("spark.master") or ""):
        host = conf.get("spark.driver.bindAddress") or conf.get("spark.driver.host") or _LOOPBACK
    return HubConfig(host=host, port=settings.hub_port, tls=settings.hub_tls)


def lease(settings: RunSettings, context: "SparkContext", hub: HubThread, seconds: float) -> Lease:
    """The lease that each task runs: how long to mine, with what, and where the hub is."""
    conf = context.getConf()
    host, port = hub.address
    if not settings.hub_host and not is_local(conf.get("spark.master") or ""):
        host = conf.get("spark.driver.host") or host  # behind an address translation it is not the bound one
    engine, scheme = settings.engine, "stratum+tcps" if settings.hub_tls else "stratum+tcp"
    return Lease(
        algorithm=str(settings.source.algorithm),
        hub=f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}",
        token=hub.config.token, fingerprint=hub.fingerprint, seconds=seconds, threads=engine.threads,
        kernel=engine.kernel, pin=engine.pin, nice=engine.nice, cpu_limit=engine.cpu_limit,
        memory_limit=engine.memory_limit, orphan_timeout=settings.orphan_timeout)

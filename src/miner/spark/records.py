"""What a cluster job remembers of its run: its leases, shares and hashrates."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from miner.hub.events import HubEvent, HubShare, MinerJoined, MinerLeft, MinerReported, MinerStats
from miner.spark.summary import executor_of

KEPT = 10_000


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A miner's time at the hub. `started`: seconds since 1970; `ended`: why, "" while it goes on; hashrate in H/s."""

    executor: str
    miner: str
    host: str
    kernel: str
    threads: int
    started: float
    seconds: float
    hashes: int
    hashrate: float
    accepted: int
    rejected: int
    stale: int
    blocks: int
    ended: str


@dataclass(frozen=True, slots=True)
class ShareRow:
    """The verdict on a share. `time`: seconds since 1970; `nonce` is -1 where the hub refused the share unseen."""

    time: float
    executor: str
    miner: str
    status: str
    reason: str
    block: bool
    job: str
    extranonce2: str
    nonce: int
    latency: float


@dataclass(frozen=True, slots=True)
class HashrateRow:
    """What a miner reported. `time`: seconds since 1970; `hashes` so far, `hashrate` in H/s."""

    time: float
    executor: str
    miner: str
    hashes: int
    hashrate: float


class Records:
    """Takes a hub's events, each at the moment when it comes. Any thread may ask. Of each kind the newest `kept` rows
    are there; `tell` is called with each lease that is over and each share, when it becomes known."""

    def __init__(self, kept: int = KEPT, tell: Callable[[LeaseRow | ShareRow], None] = lambda row: None) -> None:
        self._lock, self._tell = threading.Lock(), tell
        self._open: dict[str, tuple[float, MinerStats, MinerStats]] = {}  # since when, the row then and now
        self._leases: deque[LeaseRow] = deque(maxlen=kept)
        self._shares: deque[ShareRow] = deque(maxlen=kept)
        self._hashrates: deque[HashrateRow] = deque(maxlen=kept)

    def take(self, event: HubEvent, now: float) -> None:
        """Take an event. `now`: seconds since 1970."""
        with self._lock:
            match event:
                case MinerJoined(miner):
                    self._open[miner.name] = now, miner, miner
                case MinerReported(miner):
                    self._hashrates.append(HashrateRow(now, executor_of(miner.name), miner.name, miner.hashes,
                                                       miner.hashrate))
                    if found := self._open.get(miner.name):
                        self._open[miner.name] = *found[:2], miner
                case MinerLeft(miner, reason):
                    if found := self._open.pop(miner.name, None):
                        lease = _lease(*found[:2], miner, now, reason)
                        self._leases.append(lease)
                        self._tell(lease)
                case HubShare():
                    share = _share(event, now)
                    self._shares.append(share)
                    self._tell(share)

    def leases(self, now: float) -> list[LeaseRow]:
        """Those that are over, in the order of their ends, then those that go on."""
        with self._lock:
            return [*self._leases, *(_lease(*found, now, "") for found in self._open.values())]

    def shares(self) -> list[ShareRow]:
        """In the order of their verdicts."""
        with self._lock:
            return list(self._shares)

    def hashrates(self) -> list[HashrateRow]:
        """In the order of their reports, one a second from each miner."""
        with self._lock:
            return list(self._hashrates)


def _lease(since: float, first: MinerStats, last: MinerStats, now: float, ended: str) -> LeaseRow:
    """The row of a lease, from the miner's rows at its start and now: their difference is the lease's."""
    hashes, seconds = last.hashes - first.hashes, now - since
    return LeaseRow(executor_of(last.name), last.name, last.host, last.kernel, last.threads, since, seconds, hashes,
                    hashes / seconds if seconds > 0 else 0.0, last.accepted - first.accepted,
                    last.rejected - first.rejected, last.stale - first.stale, last.blocks - first.blocks, ended)


def _share(event: HubShare, now: float) -> ShareRow:
    row = ShareRow(now, executor_of(event.miner), event.miner, event.status.value, event.reason, event.block, "", "",
                   -1, event.seconds)
    if (share := event.share) is None:
        return row
    return replace(row, job=share.job.job_id, extranonce2=share.work.extranonce2.hex(), nonce=share.nonce)

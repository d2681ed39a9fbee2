"""A lease by itself, without Spark: with its hub, and without."""

import threading
import time
from collections.abc import Iterator

import pytest

import miner
from miner.core.errors import SourceError
from miner.hub import HubConfig, HubThread
from miner.hub.events import HubEvent, HubShare, MinerJoined, MinerLeft, MinerReported, MinerStats
from miner.sources.open import open_source
from miner.spark import partition
from miner.spark.partition import Lease, LeaseResult
from miner.spark.summary import MiningTimes, by_executor

ALGORITHM = "scrypt:1024"


@pytest.fixture
def hub() -> Iterator[HubThread]:
    source = miner.SourceConfig(algorithm=miner.core.algorithm.Algorithm.parse(ALGORITHM), sandbox=True)
    with HubThread(open_source(source), HubConfig()) as hub:
        yield hub


def lease(hub: HubThread, seconds: float, **more: object) -> Lease:
    settings: dict[str, object] = {
        "algorithm": ALGORITHM, "hub": "stratum+tcp://{}:{}".format(*hub.address), "token": hub.config.token,
        "fingerprint": hub.fingerprint, "seconds": seconds, "threads": 1, "kernel": "", "pin": False, "nice": None,
        "cpu_limit": 0.5, "memory_limit": 0, "orphan_timeout": 60.0}
    return Lease(**settings | more)  # type: ignore[arg-type]


def wait_for(hub: HubThread, kind: type[HubEvent]) -> HubEvent:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if isinstance(event := hub.next_event(1.0), kind):
            return event
    raise AssertionError(f"no {kind.__name__}")


def test_leases_of_one_worker_add_up_to_what_the_hub_counts(hub: HubThread) -> None:
    rows = [row for _ in range(3) for row in lease(hub, 1.0)(0, ())]
    assert all(row.hashes > 0 for row in rows)
    left = [wait_for(hub, MinerLeft) for _ in rows]
    assert left
    assert sum(row.hashes for row in rows) == hub.snapshot().hashes
    assert sum(row.accepted for row in rows) == hub.snapshot().accepted


def test_a_lost_hub_ends_a_lease_in_order(hub: HubThread) -> None:
    """That executor can mine: it is not counted as one on which tasks fail."""
    rows: list[LeaseResult] = []
    mining = threading.Thread(target=lambda: rows.extend(lease(hub, 600.0, orphan_timeout=0.5)(0, ())))
    mining.start()
    wait_for(hub, HubShare)
    hub.close()
    mining.join(60)
    assert not mining.is_alive()
    assert [row.hashes > 0 for row in rows] == [True]


def test_a_hub_that_never_answers_is_a_failure(hub: HubThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition, "_ERROR_PAUSE", 0.0)
    hub.close()
    with pytest.raises(SourceError, match="Connect"):
        list(lease(hub, 600.0, orphan_timeout=0.5)(0, ()))


def row(name: str, hashes: int, hashrate: float) -> MinerStats:
    return MinerStats(name=name, host="h", agent="", kernel="sse2", threads=1, hashes=hashes, hashrate=hashrate,
                      estimated=False, accepted=0, rejected=0, stale=0, blocks=0, since=0.0, connected=True)


def test_an_executors_hashrate_is_that_of_all_its_leases() -> None:
    """Not the last one's, nor the sum of what miners that followed each other had; rest between leases isn't mining."""
    times = MiningTimes()
    for event, at in ((MinerJoined(row("executor-0.1", 0, 0)), 10.0), (MinerJoined(row("executor-0.2", 0, 0)), 12.0),
                      (MinerLeft(row("executor-0.2", 300, 99.0), ""), 14.0),
                      (MinerReported(row("executor-0.1", 500, 99.0)), 14.0),
                      (MinerLeft(row("executor-0.1", 500, 99.0), ""), 15.0),
                      (MinerJoined(row("executor-0.3", 0, 0)), 20.0), (MinerJoined(row("executor-1.1", 0, 0)), 20.0)):
        times.take(event, at)
    rows = by_executor([row("executor-0.1", 500, 99.0), row("executor-0.2", 300, 99.0), row("executor-0.3", 200, 1.0),
                        row("executor-1.1", 0, 0.0)])
    assert [(each.name, each.hashrate) for each in times.over_all(rows, 25.0)] == [
        ("executor-0", 1000 / 10.0), ("executor-1", 0.0)]

"""The hub's figures, summed up for each executor."""

import dataclasses
from collections.abc import Iterable

from miner.hub.events import HubEvent, MinerJoined, MinerLeft, MinerStats


def by_executor(miners: Iterable[MinerStats]) -> list[MinerStats]:
    """A row for each executor: the sums of the miners that ran in it (see `partition.miner_name`), in the order in
    which executors first appear."""
    rows: dict[str, MinerStats] = {}
    for miner in miners:
        name = executor_of(miner.name)
        row = rows.get(name)
        rows[name] = dataclasses.replace(miner, name=name) if row is None else _sum(row, miner)
    return list(rows.values())


def _sum(row: MinerStats, more: MinerStats) -> MinerStats:
    return dataclasses.replace(
        row, threads=row.threads + more.threads, hashes=row.hashes + more.hashes,
        hashrate=row.hashrate + more.hashrate, estimated=row.estimated or more.estimated,
        accepted=row.accepted + more.accepted, rejected=row.rejected + more.rejected, stale=row.stale + more.stale,
        blocks=row.blocks + more.blocks, connected=row.connected or more.connected,
        aux_blocks=row.aux_blocks + more.aux_blocks, hashrate_1m=row.hashrate_1m + more.hashrate_1m,
        hashrate_15m=row.hashrate_15m + more.hashrate_15m, last_share=max(row.last_share, more.last_share))


def executor_of(name: str) -> str:
    """The executor of a miner of this name: see `partition.miner_name`."""
    return name.partition(".")[0]


def executor_id_of(name: str) -> str:
    """Spark's id of the executor of a miner of this name: see `partition.miner_name`. "" where the name has none."""
    kind, _, number = executor_of(name).partition("-")
    return number if kind == "executor" else ""


class MiningTimes:
    """For how long each executor has mined: while at least one of its miners was at the hub."""

    def __init__(self) -> None:
        self._miners: dict[str, int] = {}  # at the hub now, by executor
        self._since: dict[str, float] = {}
        self._before: dict[str, float] = {}  # seconds of earlier times

    def take(self, event: HubEvent, now: float) -> None:
        """Take an event, at the moment when it comes."""
        match event:
            case MinerJoined(miner):
                executor = executor_of(miner.name)
                self._miners[executor] = self._miners.get(executor, 0) + 1
                self._since.setdefault(executor, now)
            case MinerLeft(miner):
                executor = executor_of(miner.name)
                self._miners[executor] = self._miners.get(executor, 1) - 1
                if self._miners[executor] <= 0 and executor in self._since:
                    self._before[executor] = self._before.get(executor, 0.0) + now - self._since.pop(executor)

    def over_all(self, rows: Iterable[MinerStats], now: float) -> list[MinerStats]:
        """These executors' rows, each with its hashrate over the whole time of its mining."""
        return [dataclasses.replace(row, hashrate=row.hashes / seconds if (seconds := self._seconds(row.name, now))
                                    else 0.0) for row in rows]

    def _seconds(self, executor: str, now: float) -> float:
        return self._before.get(executor, 0.0) + now - self._since.get(executor, now)

"""The hub's figures, summed up for each executor."""

import dataclasses
from collections.abc import Iterable

from miner.hub.events import MinerStats


def by_executor(miners: Iterable[MinerStats]) -> list[MinerStats]:
    """A row for each executor: the sums of the miners that ran in it (see `partition.miner_name`), in the order in
    which executors first appear."""
    rows: dict[str, MinerStats] = {}
    for miner in miners:
        name = miner.name.partition(".")[0]
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

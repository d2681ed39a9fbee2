"""What a hub tells whoever runs it, in the order in which it happened, and what a snapshot of it holds."""

from dataclasses import dataclass

from miner.core.model import Share, ShareResult, ShareStatus
from miner.core.source import SourceEvent, Talk


@dataclass(frozen=True, slots=True)
class MinerStats:
    """One miner's row, frozen. It stays after the miner has left; the same name joining again continues it.

    `hashes` and `hashrate` (H/s) are the miner's own figures where it reports them; else (`estimated`) they are worked
    out from its shares. `hashrate_1m` and `hashrate_15m` are moving averages over a minute and over 15. `since`: when
    it joined last, seconds since 1970. `host` is its peer address, or the name it reported. `aux_blocks`: those on a
    chain that is mined along, which its node has taken. `last_share`: when the verdict on its last share came, seconds
    since 1970; 0: none came yet. `difficulty` is what it was given last; 0: none yet.
    """

    name: str
    host: str
    agent: str
    kernel: str
    threads: int
    hashes: int
    hashrate: float
    estimated: bool
    accepted: int
    rejected: int
    stale: int
    blocks: int
    since: float
    connected: bool
    aux_blocks: int = 0
    hashrate_1m: float = 0.0
    hashrate_15m: float = 0.0
    last_share: float = 0.0
    difficulty: float = 0.0


@dataclass(frozen=True, slots=True)
class HubSnapshot:
    """A moment of the hub: its miners in the order in which they first joined, and the sums.
    `hashrate` counts connected miners only, everything else those that left too."""

    miners: tuple[MinerStats, ...]
    connected: int
    hashes: int
    hashrate: float
    accepted: int
    rejected: int
    stale: int
    blocks: int
    aux_blocks: int = 0


@dataclass(frozen=True, slots=True)
class MinerJoined:
    """A miner showed the token. Its kernel and threads are known with its first report."""

    miner: MinerStats


@dataclass(frozen=True, slots=True)
class MinerReported(Talk):
    """A miner told how it does."""

    miner: MinerStats


@dataclass(frozen=True, slots=True)
class HubShare:
    """The verdict on a share of `miner` (its name), and the totals of the whole hub with it counted in. `upstream`: the
    verdict is the source's own; else the hub's. `share` is None where the hub refused it unseen: on a job that it
    doesn't know or that is over, or with fields that no share can have. `seconds` passed from its coming to the
    verdict."""

    miner: str
    status: ShareStatus
    reason: str
    block: bool
    upstream: bool
    share: Share | None
    accepted: int
    rejected: int
    stale: int
    hashrate: float
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class HubBlock:
    """A share that met the network target was accepted by the source. Follows its HubShare. `block_hash` is display
    order hex of the block's id (always sha256d of the header, whatever the proof of work)."""

    miner: str
    result: ShareResult
    block_hash: str


@dataclass(frozen=True, slots=True)
class MinerLeft:
    """A miner's connection ended. Verdicts on its last shares may still follow."""

    miner: MinerStats
    reason: str


@dataclass(frozen=True, slots=True)
class HubSummary(Talk):
    """How the whole hub does, once a minute: miners that are here, their hashrate (H/s), and the counts of shares,
    hashes and blocks since the hub began, as HubSnapshot has them. `gone`: rows of miners that have left."""

    connected: int
    hashrate: float
    accepted: int
    rejected: int
    stale: int
    hashes: int = 0
    blocks: int = 0
    aux_blocks: int = 0
    gone: int = 0


@dataclass(frozen=True, slots=True)
class HubStopped:
    """Last event of a hub: its source ended (`reason`), it was closed, or it failed (`failed`)."""

    reason: str
    failed: bool


HubEvent = MinerJoined | MinerReported | HubShare | HubBlock | MinerLeft | HubSummary | HubStopped | SourceEvent

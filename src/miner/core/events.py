"""What `miner.mine()` tells its caller, in the order in which it happened."""

from dataclasses import dataclass

from miner.core.model import Job, ShareResult
from miner.core.source import Connecting, Disconnected, Finished, MovedTo, Notice, SourceKind, Talk, Traffic, Unread


@dataclass(frozen=True, slots=True)
class Started:
    """The engine is ready; no hash is computed before the first job. `cpus` has one number for each pinned thread,
    and is empty when threads are not pinned. `remarks` are lines about what is not as it should be on this machine."""

    source: str
    payee: str
    algorithm: str
    kernel: str
    threads: int
    cpus: tuple[int, ...]
    remarks: tuple[str, ...] = ()
    kind: SourceKind | None = None  # of the source; None where there is none, as in a benchmark


@dataclass(frozen=True, slots=True)
class NewJob:
    """The threads go over to this job. `restart`: they were told to drop what they had (the chain moved on)."""

    job: Job
    restart: bool


@dataclass(frozen=True, slots=True)
class Hashrate(Talk):
    """A thread computed so many hashes in so many seconds of wall time since its last such event."""

    thread: int
    hashes: int
    seconds: float

    @property
    def hashrate(self) -> float:
        """H/s."""
        return self.hashes / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class ShareDone:
    """The source's verdict on a share, the totals with it counted in, and the miner's hashrate in H/s by then."""

    result: ShareResult
    accepted: int
    rejected: int
    stale: int
    hashrate: float


@dataclass(frozen=True, slots=True)
class BlockFound:
    """A share that met the network target was accepted. Follows its ShareDone. `block_hash` is display order hex of
    the block's id (always sha256d of the header, whatever the proof of work)."""

    result: ShareResult
    block_hash: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something went wrong. If `fatal` it is the last event, and the iterator raises the error behind it."""

    message: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums, told once: the last event of a run, but for the fatal Trouble of one that failed. `aux_blocks`: those
    on a chain that was mined along, which its node has taken."""

    hashes: int
    seconds: float
    hashrate: float
    accepted: int
    rejected: int
    stale: int
    blocks: int
    aux_blocks: int = 0


MinerEvent = (Started | Connecting | Disconnected | MovedTo | Notice | Traffic | Finished | Unread | NewJob | Hashrate
              | ShareDone | BlockFound | Trouble | Totals)

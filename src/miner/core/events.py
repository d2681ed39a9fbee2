"""What `miner.mine()` tells its caller, in the order in which it happened."""

from dataclasses import dataclass

from miner.core.model import Job, ShareResult
from miner.core.source import Connecting, Disconnected, Finished, MovedTo, Notice, SourceKind, Talk, Traffic, Unread


@dataclass(frozen=True, slots=True)
class Started:
    """The engine is ready; no hash is computed before the first job. `source` and `payee` are the WorkSource's label
    and payee, `algorithm` is in the form that `Algorithm.parse` reads. `cpus` has one number for each pinned thread,
    and is empty when threads are not pinned. `remarks` are lines for people about what is wrong on this machine."""

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
    """The threads switch to this job. `restart`: what they hashed before is worthless by now, since the chain moved on
    or the source said so. `target`: what a hash must meet to be handed in; it is not the job's share target where
    blocks that miss that are offered as well. 0: not known."""

    job: Job
    restart: bool
    target: int = 0


@dataclass(frozen=True, slots=True)
class Hashrate(Talk):
    """What a thread (0, 1, …) has done since its last Hashrate event: `hashes` in `seconds` of wall time."""

    thread: int
    hashes: int
    seconds: float

    @property
    def hashrate(self) -> float:
        """H/s."""
        return self.hashes / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class ShareDone:
    """The source's verdict on a share. `accepted`, `rejected` and `stale` are the run's numbers of shares so far, this
    one counted in; `hashrate` is the miner's in H/s when the verdict came. That took `seconds` since the share was
    handed in; 0 for one that was dropped here."""

    result: ShareResult
    accepted: int
    rejected: int
    stale: int
    hashrate: float
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class BlockFound:
    """A share that met the network target was accepted. Follows its ShareDone. `block_hash` is the block's id, which is
    sha256d of the header whatever the proof of work: 64 hex digits, most significant byte first."""

    result: ShareResult
    block_hash: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something went wrong; `message` says what. A `fatal` one is the last event, and the iterator of `miner.mine()`
    then raises the error that it tells of."""

    message: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of a run, told once: its last event, but for the fatal Trouble of a run that failed. `hashrate` is in
    H/s, over all `seconds` of wall time. `aux_blocks` are blocks that the node of a chain mined along (AuxPoW) took."""

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

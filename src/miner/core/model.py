"""What goes from a source to the engine and back: Job -> Work -> hit -> Share -> ShareResult. All immutable."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field

from miner.core.algorithm import Algorithm, sha256d
from miner.core.errors import ProtocolError
from miner.core.header import build_header, fold_branch, with_nonce
from miner.core.target import MAX_TARGET, nbits_to_target
from miner.core.text import one_line

MAX_EXTRANONCE2 = 16  # bytes
_MAX_UINT32 = (1 << 32) - 1
_HASH_SIZE = 32


@dataclass(frozen=True, slots=True)
class Job:
    """What a source issued. The coinbase is coinbase1 + extranonce1 + extranonce2 + coinbase2; its sha256d, folded with
    the merkle branch, is the merkle root. All hashes are in header order (32 bytes, least significant first).

    Raises ProtocolError where a field is out of its bounds, so that every header of a job can be made."""

    job_id: str
    algorithm: Algorithm
    version: int  # int32 as uint32
    prev_hash: bytes
    coinbase1: bytes
    extranonce1: bytes
    extranonce2_size: int  # bytes, 0 to MAX_EXTRANONCE2
    coinbase2: bytes
    merkle_branch: tuple[bytes, ...]
    nbits: int  # the network target in Bitcoin's compact form
    ntime: int  # seconds since 1970; the earliest that the source allows in a header
    clean: bool  # the chain moved on: work on earlier jobs is wasted
    share_target: int  # what the source takes as a share; may be harder than the network target
    height: int | None = None  # where the source says it
    version_mask: int = 0  # bits of the version that the miner may choose (BIP 310)
    merkle_root: bytes | None = None  # where the source keeps the coinbase to itself (getwork); extranonce2_size is 0
    max_roll: int = 600  # how many seconds later than `ntime` a header's time may be, if nothing else is left to vary

    def __post_init__(self) -> None:
        for name, least, most in (("version", 0, _MAX_UINT32), ("version_mask", 0, _MAX_UINT32),
                                  ("ntime", 0, _MAX_UINT32), ("max_roll", 0, _MAX_UINT32),
                                  ("extranonce2_size", 0, MAX_EXTRANONCE2), ("share_target", 0, MAX_TARGET)):
            if not least <= (value := getattr(self, name)) <= most:
                raise self._broken(f"{name} {value}: must be from {least} to {most}")
        hashes = [self.prev_hash, *self.merkle_branch, *([] if self.merkle_root is None else [self.merkle_root])]
        if any(len(digest) != _HASH_SIZE for digest in hashes):
            raise self._broken(f"its previous hash, merkle root and branch must have {_HASH_SIZE} bytes each")
        if self.merkle_root is not None and self.extranonce2_size:
            raise self._broken("an extranonce2 changes nothing where the merkle root is given")
        try:
            nbits_to_target(self.nbits)
        except ValueError as error:
            raise self._broken(str(error)) from None

    def _broken(self, text: str) -> ProtocolError:
        return ProtocolError(f"job {one_line(self.job_id, 40)}: {text}")

    @property
    def last_ntime(self) -> int:
        """The latest time that a header may have: `max_roll` seconds after `ntime`, as far as 32 bits go."""
        return min(self.ntime + self.max_roll, _MAX_UINT32)

    @property
    def network_target(self) -> int:
        """What a hash must meet to make a block."""
        return nbits_to_target(self.nbits)

    def versions(self) -> Iterator[int]:
        """Every version that a header may have, the job's `version` first."""
        bits = self.version & self.version_mask
        for _ in range(1 << self.version_mask.bit_count()):
            yield self.version & ~self.version_mask | bits
            bits = (bits | ~self.version_mask) + 1 & self.version_mask

    def coinbase(self, extranonce2: bytes) -> bytes:
        """The coinbase transaction without witness, as it is hashed into the merkle tree. Raises ValueError for an
        extranonce2 of another size than the job's."""
        if len(extranonce2) != self.extranonce2_size:
            raise ValueError(f"extranonce2 has {len(extranonce2)} bytes, the job wants {self.extranonce2_size}")
        return self.coinbase1 + self.extranonce1 + extranonce2 + self.coinbase2

    def work(self, extranonce2: bytes, ntime: int | None = None, version: int | None = None) -> "Work":
        """The header for this extranonce2; `ntime` and `version` are the job's own unless given. Raises ValueError for
        an extranonce2 of another size than the job's (one that has a `merkle_root` uses none)."""
        root = self.merkle_root
        if root is None:
            root = fold_branch(sha256d(self.coinbase(extranonce2)), self.merkle_branch)
        ntime = self.ntime if ntime is None else ntime
        version = self.version if version is None else version
        return Work(self, extranonce2, ntime, version, build_header(version, self.prev_hash, root, ntime, self.nbits))


@dataclass(frozen=True, slots=True)
class Work:
    """A job + one extranonce2 + ntime + version: an 80-byte header whose nonce (here 0) is free."""

    job: Job
    extranonce2: bytes
    ntime: int
    version: int
    header: bytes

    def share(self, nonce: int) -> "Share":
        """The share that hands in this nonce (uint32)."""
        return Share(self, nonce)


@dataclass(frozen=True, slots=True)
class Share:
    """A nonce that is to be submitted with its job id, extranonce2, ntime and version. `worker`: under what name behind
    the user's a pool is to count it; "": under the user's own."""

    work: Work
    nonce: int
    worker: str = field(default="", compare=False)

    @property
    def job(self) -> Job:
        """The job that the share's work is of."""
        return self.work.job

    @property
    def header(self) -> bytes:
        """The 80-byte header with the share's nonce in it."""
        return with_nonce(self.work.header, self.nonce)


class ShareStatus(enum.Enum):
    """The verdict on a share, one of three. STALE: the source doesn't know the job any more (stratum's code 21, "job
    not found"), or the share was dropped here because the chain moved on."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class ShareResult:
    """What became of a share. `reason` is the source's own word for why it was not accepted, cut to a line. `block`:
    the share's hash met the network target as well. A source says so where its verdict is the chain's own (a node, the
    sandbox), and never where it is a pool's: that a pool took a share says nothing of its block. Session and hub, which
    know the hash, fill it in for their events. `aux`: the id (64 hex digits, most significant byte first) of the block
    that the share made on a chain that is mined along, where that chain's node has taken it; such a block has a target
    of its own, which is not the network target. `no_block`: a hub of this package took the share and did not hand it
    up, so that no block came of it, whatever its hash. `stranger`: it was refused because the source doesn't know who
    hands it in, which says nothing of the share."""

    share: Share
    status: ShareStatus
    reason: str = ""
    block: bool = False
    aux: str = ""
    stranger: bool = False
    no_block: bool = False


@dataclass(frozen=True, slots=True)
class MinerReport:
    """What a miner tells of itself: sent up to a hub that asked for it, shown by reports. `hashes` is the sum since the
    miner started, `hashrate` is in H/s over the last seconds, and in a miner's last report over its whole run."""

    kernel: str
    threads: int
    hashes: int
    hashrate: float
    host: str = ""

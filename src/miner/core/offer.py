"""Which hashes are worth a submit where a source's share target is harder than its network target, so that a hash can
make a block and yet be no share.

Some pools take such blocks and hand them to their node (node-stratum-pool), others refuse whatever misses their own
share target (ckpool). So such blocks are offered; once a few in a row were refused, only the share target counts.
"""

from miner.core.model import Job, ShareResult, ShareStatus
from miner.core.source import SourceKind
from miner.core.target import hash_value

REFUSALS = 3  # in a row, of blocks that miss the share target


class Offer:
    """What one connection has made of blocks that miss its share target. `refused`: it takes none, so none is
    offered."""

    def __init__(self, *, refused: bool = False) -> None:
        self.refused = refused
        self._in_a_row = 0

    def target(self, job: Job) -> int:
        """The target that a hash of this job must meet to be handed in."""
        return job.share_target if self.refused else max(job.share_target, job.network_target)

    def learn(self, result: ShareResult, digest: bytes) -> bool:
        """The verdict on a share with this hash (32 bytes, header order). Returns True when it is what settles that the
        source takes no block that misses its share target: tell people by `notice`, and search by the new `target`."""
        if self.refused or not result.share.job.share_target < hash_value(digest) <= result.share.job.network_target:
            return False
        if result.status is not ShareStatus.STALE and not result.stranger:
            self._in_a_row = self._in_a_row + 1 if result.status is ShareStatus.REJECTED else 0
        self.refused = self._in_a_row >= REFUSALS
        return self.refused

    @classmethod
    def to(cls, kind: SourceKind) -> "Offer":
        """A new Offer for a source of this kind. A hub of this package asks for every block that it can use, and for no
        other: it is offered none that misses the share target."""
        return cls(refused=kind is SourceKind.HUB)


def notice(result: ShareResult) -> str:
    """The line that tells people, where `Offer.learn` returned True for `result`."""
    return (f"{REFUSALS} blocks in a row that miss the source's own share target, which is harder than the network's, "
            f"were refused ({result.reason or 'no reason given'}): from now on only what meets its own counts")

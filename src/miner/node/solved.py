"""A chain's tip as its node tells it: solved by a block of ours, and open again where the chain drops that."""

import asyncio

from miner.core.tip import Tip

_DROPPED_SECONDS = 1.0  # after its yes, in which a node's work may still be on the previous hash


class NodeTip(Tip):
    """What a node wants is only known by the work that it gives: a node that crashes, or is told to, drops a block that
    it has accepted, and its work is on the same previous hash again."""

    def __init__(self) -> None:
        super().__init__()
        self._solved_at = 0.0

    def solve(self, prev_hash: bytes) -> None:
        """The node has accepted a block on this previous hash, now."""
        super().solve(prev_hash)
        self._solved_at = asyncio.get_running_loop().time()

    def wanted(self, prev_hash: bytes, asked_at: float) -> None:
        """The node has given work on this previous hash, for which it was asked at `asked_at` (the event loop's
        time)."""
        if self.is_solved(prev_hash) and asked_at - self._solved_at > _DROPPED_SECONDS:
            self.reopen()

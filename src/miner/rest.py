"""What a session does once it has found a block: rest until the chain moves on, instead of hashing in vain."""

import asyncio
import collections
from collections.abc import Callable
from dataclasses import dataclass

from miner.core.model import Share, ShareResult, ShareStatus
from miner.core.tip import Tip

ANSWER_SECONDS = 5.0  # for the verdict on a block, and for the next job from a source that says its chain has the block
JOB_SECONDS = 1.0  # for the next job from a source that has merely taken the block as a share
_MAX_HELD = 16


@dataclass(frozen=True, slots=True)
class Found:
    """A share, its hash (32 bytes, least significant first), and whether that meets the network target."""

    share: Share
    digest: bytes
    block: bool


class Rest:
    """When a session hashes nothing, because of a block that it has found.

    A chain takes one block on each previous hash. So from the submit of a block on, nothing is hashed on its previous
    hash, and further blocks on it are held back: they are submitted where the one before is refused.

    A rest ends with work on another previous hash, with a refusal, or when the source has had its time for an answer.
    Then `wake` is called, on the event loop. That a pool accepts a block says nothing of the chain: where the pool gave
    no other job in that time, the session doesn't rest on that previous hash again.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._tip = Tip()
        self._prev_hash: bytes | None = None  # on which a block was found last
        self._out = False  # that block's verdict is awaited
        self._timer: asyncio.TimerHandle | None = None
        self._held: collections.deque[Found] = collections.deque(maxlen=_MAX_HELD)
        self._in_vain: bytes | None = None

    @property
    def resting(self) -> bool:
        """Whether nothing is to be hashed."""
        return self._timer is not None

    def move(self, prev_hash: bytes) -> None:
        """Note that the source's newest job is on this previous hash. Where that is another one, a rest is over,
        without a call of `wake`."""
        if self._tip.move(prev_hash):
            if self._prev_hash is not None:
                self._tip.solve(self._prev_hash)  # even if the verdict is still on its way
            self._forget()

    def is_solved(self, prev_hash: bytes) -> bool:
        """Whether this previous hash is solved by a block of this session: a hit on it comes too late."""
        return self._tip.is_solved(prev_hash)

    def in_vain(self, prev_hash: bytes) -> bool:
        """Whether the session has rested in vain on this previous hash: the source took a block on it, and gave no
        other job."""
        return prev_hash == self._in_vain

    def holds(self, block: Found) -> bool:
        """Note that a block was found. Returns True where it is held back. Else the caller submits it, and a rest
        begins (unless resting on its previous hash was in vain before)."""
        prev_hash = block.share.job.prev_hash
        if self.in_vain(prev_hash):
            return False
        if prev_hash == self._prev_hash and (self._out or self.resting):
            self._held.append(block)
            return True
        self._forget()
        self._begin(prev_hash)
        return False

    def settle(self, result: ShareResult) -> Found | None:
        """Note the verdict on a submitted block. Where it was not accepted, or got no further than a hub, returns a
        block that was held back, to be submitted in its place; if there is none, the rest ends. A rest may begin: see
        `resting`."""
        prev_hash = result.share.job.prev_hash
        if prev_hash != self._prev_hash or self.in_vain(prev_hash):
            return None
        self._out = False
        if result.status is ShareStatus.ACCEPTED and not result.no_block:
            if result.block:
                self._tip.solve(prev_hash)
            self._start_timer(ANSWER_SECONDS if result.block else JOB_SECONDS)
            return None
        if self._held:
            self._begin(prev_hash)
            return self._held.popleft()
        was_resting = self.resting
        self._forget()
        if was_resting:
            self._wake()
        return None

    def drop_held(self) -> None:
        """Forget the blocks that are held back."""
        self._held.clear()

    def close(self) -> None:
        """Call `wake` no more. Blocks that are held back can still take the place of a refused one."""
        self._stop_timer()

    def _begin(self, prev_hash: bytes) -> None:
        self._prev_hash, self._out = prev_hash, True
        self._start_timer(ANSWER_SECONDS)

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._run_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _run_out(self) -> None:
        """The source has had its time and gave no other job: it still wants shares on this previous hash."""
        self._timer = None
        if not self._out:
            if self._prev_hash is not None and not self._tip.is_solved(self._prev_hash):
                self._in_vain = self._prev_hash
            self._tip.reopen()
            self._forget()
        self._wake()

    def _forget(self) -> None:
        self._stop_timer()
        self._prev_hash, self._out = None, False
        self._held.clear()

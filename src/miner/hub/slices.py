"""Who searches where: each miner gets a slice of the source's extranonce2 space, and no two slices overlap.

The source's extranonce2 is cut into `pad + prefix + rest`. The prefix is the slice: the miner sees it as its
extranonce1, and the rest as its extranonce2. The source's extranonce1 and the pad (zeros, empty for the size the hub
began with) move to the end of coinbase1. So a pool that hands out a new extranonce1, as they do at each reconnect, asks
nothing of the miners but a new job: many of them don't know `mining.set_extranonce`.
"""

from collections import deque
from dataclasses import dataclass

from miner.core.errors import SourceError
from miner.core.model import Job

MAX_SLICES = 1 << 16
MIN_EXTRANONCE2_SIZE = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """How many bytes name a slice, and how many are left to the miner in it."""

    prefix_size: int
    rest_size: int

    @classmethod
    def of(cls, extranonce2_size: int) -> "Layout":
        """The cut for a source's extranonce2 of so many bytes. Raises SourceError where that is too few to share."""
        if extranonce2_size < MIN_EXTRANONCE2_SIZE:
            raise SourceError(f"the source's extranonce2_size is {extranonce2_size}: a hub needs at least "
                              f"{MIN_EXTRANONCE2_SIZE} to give each miner its own slice; mine there without a hub")
        prefix_size = min(2, extranonce2_size // 2)
        return cls(prefix_size, extranonce2_size - prefix_size)

    @property
    def slices(self) -> int:
        return 1 << 8 * self.prefix_size

    def fits(self, job: Job) -> bool:
        return job.extranonce2_size >= self.prefix_size + self.rest_size

    def _pad(self, job: Job) -> bytes:
        return bytes(job.extranonce2_size - self.prefix_size - self.rest_size)

    def prefix(self, number: int) -> bytes:
        """The bytes that name a slice: the miner's extranonce1."""
        return number.to_bytes(self.prefix_size, "big")

    def coinbase1(self, job: Job) -> bytes:
        """What a miner puts before its slice's prefix."""
        return job.coinbase1 + job.extranonce1 + self._pad(job)

    def extranonce2(self, job: Job, number: int, rest: bytes) -> bytes:
        """The source's extranonce2 for what a miner submitted from its slice. Raises ValueError on a wrong length."""
        if len(rest) != self.rest_size:
            raise ValueError(f"extranonce2 has {len(rest)} bytes instead of {self.rest_size}")
        return self._pad(job) + self.prefix(number) + rest


class Slices:
    """Hands out slice numbers below `count`. A freed one rests until the chain moves on, so that its next holder
    doesn't repeat work on the same block; only when no other is left it is given out before that, longest-freed first.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._unused = 0  # all numbers from here on were never given out
        self._rested: deque[int] = deque()
        self._resting: deque[int] = deque()
        self._taken: set[int] = set()

    def take(self) -> int | None:
        """A slice that nobody has, or None when all are taken."""
        if self._rested:
            number = self._rested.popleft()
        elif self._unused < self._count:
            number, self._unused = self._unused, self._unused + 1
        elif self._resting:
            number = self._resting.popleft()
        else:
            return None
        self._taken.add(number)
        return number

    def free(self, number: int) -> None:
        """Its miner left. Raises KeyError for a slice that is not taken."""
        self._taken.remove(number)
        self._resting.append(number)

    def chain_moved(self) -> None:
        """There is a new previous hash: work done so far can't be repeated any more."""
        self._rested += self._resting
        self._resting.clear()

"""Who searches where: each miner gets a slice of the source's extranonce2 space, and no two slices overlap.

The source's extranonce2 is cut into `pad + edition + prefix + rest`. The prefix is the slice: the miner sees it as its
extranonce1, and the rest as its extranonce2. All before it, from the source's extranonce1 on, moves to the end of
coinbase1. So a pool that hands out a new extranonce1, as they do at each reconnect, asks nothing of the miners but a
new job: many of them don't know `mining.set_extranonce`. The edition is a byte that differs each time a miner is given
a job: without it, a job that is sent again with another difficulty would be searched from its start again. The pad is
zeros, where the source's extranonce2 has grown since the hub cut it.
"""

from collections import deque
from dataclasses import dataclass

from miner.core.errors import SourceError
from miner.core.model import Job

MAX_SLICES = 1 << 16
MIN_EXTRANONCE2_SIZE = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """How many bytes are the edition, how many name a slice, and how many are left to the miner in it."""

    edition_size: int
    prefix_size: int
    rest_size: int

    @classmethod
    def of(cls, extranonce2_size: int) -> "Layout":
        """The cut for a source's extranonce2 of so many bytes. Raises SourceError where that is too few to share."""
        if extranonce2_size < MIN_EXTRANONCE2_SIZE:
            raise SourceError(f"the source's extranonce2_size is {extranonce2_size}: a hub needs at least "
                              f"{MIN_EXTRANONCE2_SIZE} to give each miner its own slice; mine there without a hub")
        edition_size, prefix_size = {2: (0, 1), 3: (1, 1)}.get(extranonce2_size, (1, 2))
        return cls(edition_size, prefix_size, extranonce2_size - edition_size - prefix_size)

    @property
    def slices(self) -> int:
        """How many there are."""
        return 1 << 8 * self.prefix_size

    @property
    def editions(self) -> int:
        """How often a miner can be given the same job without searching the same headers again."""
        return 1 << 8 * self.edition_size

    def fits(self, job: Job) -> bool:
        return job.extranonce2_size >= self.edition_size + self.prefix_size + self.rest_size

    def prefix(self, number: int) -> bytes:
        """The bytes that name a slice: the miner's extranonce1."""
        return number.to_bytes(self.prefix_size, "big")

    def extranonce2(self, job: Job, number: int, edition: int, rest: bytes) -> bytes:
        """The source's extranonce2 for what a miner submitted from its slice. Raises ValueError on a wrong length."""
        if len(rest) != self.rest_size:
            raise ValueError(f"extranonce2 has {len(rest)} bytes instead of {self.rest_size}")
        return self.before(job, edition) + self.prefix(number) + rest

    def before(self, job: Job, edition: int) -> bytes:
        """What stands between the source's extranonce1 and the slice's prefix: pad and edition. The miner sees it as
        the last bytes of coinbase1."""
        size = job.extranonce2_size - self.prefix_size - self.rest_size
        return (edition % self.editions).to_bytes(size, "big")


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

    def free(self, number: int, worked: bool = True) -> None:
        """Its miner left; where it never had a job (`worked`), the slice is as good as new. Raises KeyError for a slice
        that is not taken."""
        self._taken.remove(number)
        (self._resting if worked else self._rested).append(number)

    def chain_moved(self) -> None:
        """There is a new previous hash: work done so far can't be repeated any more."""
        self._rested += self._resting
        self._resting.clear()

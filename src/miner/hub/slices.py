"""Who searches where: each miner gets a slice of the source's extranonce2 space, and no two slices overlap.

The source's extranonce2 is cut into `pad + edition + prefix + rest`. The prefix is the slice: the miner sees it as its
extranonce1, and the rest as its extranonce2. All before it, from the source's extranonce1 on, moves to the end of
coinbase1. So a pool that hands out a new extranonce1, as they do at each reconnect, asks nothing of the miners but a
new job: many of them don't know `mining.set_extranonce`. The edition differs each time a miner is given a job: without
it, a job that is sent again with another difficulty would be searched from its start again. The pad is zeros, where the
source's extranonce2 has grown since the hub cut it.

Edition and prefix are a byte and two, and two bytes or more are left to the miner: with fewer some miners won't join
(cpuminer-opt). Where the source gives four, the high bits of the slice's number share the edition's byte, and the
prefix has the low eight.
"""

from collections import OrderedDict
from dataclasses import dataclass

from miner.core.errors import SourceError
from miner.core.model import Job

MAX_SLICES = 1 << 16
MIN_EXTRANONCE2_SIZE = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """How many bytes the miner doesn't see, how many bits of them number the editions, how many bytes are the prefix,
    how many bits number the slices, and how many bytes are left to the miner. The slice's bits that the prefix has no
    room for stand before the edition's."""

    hidden_size: int
    edition_bits: int
    prefix_size: int
    slice_bits: int
    rest_size: int

    @classmethod
    def of(cls, extranonce2_size: int, miners: int = 1) -> "Layout":
        """The cut for a source's extranonce2 of this size in bytes, with slices for this number of miners where it
        can be. Raises SourceError where it is too small to share."""
        if extranonce2_size < MIN_EXTRANONCE2_SIZE:
            raise SourceError(f"the source's extranonce2_size is {extranonce2_size}: a hub needs at least "
                              f"{MIN_EXTRANONCE2_SIZE} to give each miner its own slice; mine there without a hub")
        match extranonce2_size:
            case 2:
                return cls(0, 0, 1, 8, 1)
            case 3:
                return cls(1, 8, 1, 8, 1)
            case 4:
                slice_bits = min(16, max(12, (miners - 1).bit_length()))
                return cls(1, 16 - slice_bits, 1, slice_bits, 2)
        return cls(1, 8, 2, 16, extranonce2_size - 3)

    @property
    def slices(self) -> int:
        """How many there are."""
        return 1 << self.slice_bits

    @property
    def editions(self) -> int:
        """How often a miner can be given the same job without searching the same headers again."""
        return 1 << self.edition_bits

    def fits(self, job: Job) -> bool:
        """Whether the job's extranonce2 has room for this cut."""
        return job.extranonce2_size >= self.hidden_size + self.prefix_size + self.rest_size

    def prefix(self, number: int) -> bytes:
        """The miner's extranonce1: a slice's number, as far as it goes."""
        return (number % (1 << 8 * self.prefix_size)).to_bytes(self.prefix_size, "big")

    def high(self, number: int) -> int:
        """The bits of a slice's number for which the prefix has no room."""
        return number >> 8 * self.prefix_size

    def before(self, job: Job, number: int, edition: int) -> bytes:
        """What stands between the source's extranonce1 and the slice's prefix: pad, the high bits of the slice's
        number, and edition. The miner sees it as the last bytes of coinbase1."""
        size = job.extranonce2_size - self.prefix_size - self.rest_size
        return (self.high(number) << self.edition_bits | edition % self.editions).to_bytes(size, "big")


class Slices:
    """Hands out slice numbers below `count`. A freed one rests until the chain moves on, so that its next holder
    doesn't repeat work on the same block; only when no other is left it is given out before that, longest-freed first.
    Those that nobody has had yet go first: whoever comes back finds its own still free.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._unused = 0  # all numbers from here on were never given out
        self._rested: OrderedDict[int, None] = OrderedDict()
        self._resting: OrderedDict[int, None] = OrderedDict()
        self._taken: set[int] = set()
        self._worked: set[int] = set()  # those freed on the current previous hash in which some holder has searched

    def take(self) -> int | None:
        """A slice that nobody has, or None when all are taken."""
        if self._unused < self._count:
            number, self._unused = self._unused, self._unused + 1
        elif free := self._rested or self._resting:
            number, _ = free.popitem(last=False)
        else:
            return None
        self._taken.add(number)
        return number

    def retake(self, number: int) -> bool:
        """Give a slice to the miner that had it before and knows what it has searched there; False where another one
        has it now."""
        for free in (self._rested, self._resting):
            if number in free:
                del free[number]
                self._taken.add(number)
                return True
        return False

    def free(self, number: int, worked: bool = True) -> None:
        """Its miner left; where it never had a job (`worked`), the slice is as good as before. Raises KeyError for a
        slice that is not taken."""
        self._taken.remove(number)
        if worked:
            self._worked.add(number)
        (self._resting if number in self._worked else self._rested)[number] = None

    def worked(self, number: int) -> bool:
        """Whether a holder of before has searched this slice on the current previous hash."""
        return number in self._worked

    def chain_moved(self) -> None:
        """There is a new previous hash: work done so far can't be repeated any more."""
        self._rested.update(self._resting)
        self._resting.clear()
        self._worked.clear()

"""The node half of the sandbox: block templates, and the checks that a node makes before it connects a block.

The chain uses none of the kernels, so that a block that it accepts says something about the kernel that found the
block. It differs from a real chain in two rules: the target is set anew for each block, and by the times at which
blocks really arrived (a header's whole seconds are too coarse for a block every few seconds).
"""

import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from miner.core.algorithm import Algorithm, sha256d
from miner.core.coinbase import compact_size, output, push, split_coinbase
from miner.core.header import HEADER_SIZE, merkle_root
from miner.core.target import MAX_TARGET, expected_hashes, hash_value, nbits_to_target, target_to_nbits

BLOCK_SECONDS = 4.0
MAX_STEP = 4  # the target's largest change from one block to the next, as a factor either way
WINDOW = 8  # blocks that the next target is worked out from
MIN_GAP, MAX_GAP = 0.001, 60.0  # seconds between two blocks are counted as at least and at most these
MEDIAN_BLOCKS = 11  # ntime must exceed the median of the times of this many blocks (BIP 113's "median time past")
MAX_FUTURE = 2 * 60 * 60  # seconds that ntime may be ahead of the clock
VERSION = 0x20000000  # BIP 9, no bit set
EXTRANONCE_SIZE = 12  # bytes in the coinbase that the miner is free to choose
TAG = "/sandbox chain, no value/"
OP_RETURN = b"\x6a"
SUBSIDY = 50 * 100_000_000


@dataclass(frozen=True, slots=True)
class Template:
    """What a block that follows the tip must hold. The coinbase is coinbase1 + EXTRANONCE_SIZE bytes + coinbase2;
    `transactions` are all others. `prev_hash` is in header order."""

    height: int
    prev_hash: bytes
    nbits: int
    min_ntime: int
    coinbase1: bytes
    coinbase2: bytes
    transactions: tuple[bytes, ...]


class Chain:
    """A chain with one tip and no forks: a block on anything but the tip is refused. `now` is seconds since 1970."""

    def __init__(self, algorithm: Algorithm, now: float, random: Random) -> None:
        self.algorithm = algorithm
        self.height = 0
        self.tip = sha256d(TAG.encode() + random.randbytes(32))  # each chain has a genesis block of its own
        self.easiest = MAX_TARGET // start_hashes(algorithm)
        self.nbits = target_to_nbits(self.easiest)
        self._random = random
        self._times: deque[int] = deque([int(now) - 1], maxlen=MEDIAN_BLOCKS)
        self._arrived = now  # when the tip did
        self._recent: deque[tuple[float, float]] = deque(maxlen=WINDOW)  # by block: seconds, expected hashes

    def template(self) -> Template:
        """A template for a block on the tip, with a few made-up transactions."""
        height = self.height + 1
        transactions = tuple(self._transaction() for _ in range(self._random.randint(2, 6)))
        return Template(height, self.tip, self.nbits, self._median_time() + 1, *coinbase_parts(height), transactions)

    def connect(self, header: bytes, pow_hash: bytes, transactions: Sequence[bytes], now: float) -> str:
        """Check a block as a node does and make it the tip. Returns "", or the reject reason in Bitcoin Core's words.
        `pow_hash` is the header's `miner.verify.proof_hash`: too slow for an event loop, so the caller works it out."""
        reason = self._check(header, pow_hash, transactions, now)
        if not reason:
            self._times.append(_ntime(header))
            seconds = min(max(now - self._arrived, MIN_GAP), MAX_GAP)  # clocks get set, miners pause
            self._recent.append((seconds, expected_hashes(nbits_to_target(self.nbits))))
            self._arrived = now
            self.height += 1
            self.tip = sha256d(header)
            self.nbits = target_to_nbits(self._next_target())
        return reason

    def check_time(self, ntime: int, now: float) -> str:
        """Why a block on the tip can't have this time (seconds since 1970), in Bitcoin Core's words; "" if it can."""
        if ntime <= self._median_time():
            return "time-too-old"
        return "time-too-new" if ntime > now + MAX_FUTURE else ""

    def _check(self, header: bytes, pow_hash: bytes, transactions: Sequence[bytes], now: float) -> str:
        if len(header) != HEADER_SIZE or not transactions:
            return "bad-blk-length"
        _, prev_hash, root, ntime, nbits, _ = struct.unpack("<I32s32sIII", header)
        if prev_hash != self.tip:
            return "bad-prevblk"
        if nbits != self.nbits:
            return "bad-diffbits"
        if hash_value(pow_hash) > nbits_to_target(nbits):
            return "high-hash"
        if root != merkle_root([sha256d(transaction) for transaction in transactions]):
            return "bad-txnmrklroot"
        coinbase, (coinbase1, coinbase2) = transactions[0], coinbase_parts(self.height + 1)
        if len(coinbase) != len(coinbase1) + EXTRANONCE_SIZE + len(coinbase2) or not coinbase.endswith(coinbase2):
            return "bad-cb-length"
        return self.check_time(ntime, now) if coinbase.startswith(coinbase1) else "bad-cb-height"

    def ease(self) -> None:
        """Make the next block easier: no block has come for long, so the miners that found the last ones have gone."""
        self.nbits = target_to_nbits(min(nbits_to_target(self.nbits) * MAX_STEP, self.easiest))

    def _median_time(self) -> int:
        return sorted(self._times)[len(self._times) // 2]

    def _next_target(self) -> int:
        """The target that takes as many hashes as the miners of the last blocks do in BLOCK_SECONDS; at most by the
        factor MAX_STEP away from the last target."""
        now = expected_hashes(nbits_to_target(self.nbits))
        wanted = sum(hashes for _, hashes in self._recent) / sum(seconds for seconds, _ in self._recent) * BLOCK_SECONDS
        return min(MAX_TARGET // max(1, int(min(max(wanted, now / MAX_STEP), now * MAX_STEP))), self.easiest)

    def _transaction(self) -> bytes:
        """Bytes of the shape of a legacy transaction (one input, one output) that spends nothing that exists."""
        random = self._random
        script = random.randbytes(random.randint(60, 110))
        spent = random.randbytes(36) + compact_size(len(script)) + script + b"\xff" * 4
        paid = output(random.randint(1000, SUBSIDY), random.randbytes(25))
        return struct.pack("<I", 2) + compact_size(1) + spent + compact_size(1) + paid + bytes(4)


def start_hashes(algorithm: Algorithm) -> int:
    """How many hashes the first block takes on average: so few that a single slow core finds it at once."""
    return max(2, int(algorithm.first_guess / 16))


def coinbase_parts(height: int) -> tuple[bytes, bytes]:
    """The coinbase before and after its extranonce. It starts with the height (BIP 34) and pays to nobody: its one
    output is OP_RETURN and the chain's name."""
    return split_coinbase(height, [output(SUBSIDY, OP_RETURN + push(TAG.encode()))], EXTRANONCE_SIZE, TAG)


def _ntime(header: bytes) -> int:
    return int.from_bytes(header[68:72], "little")

"""What is screened with: blocks of nonces and targets made from a seed, the portable code's list of each block, and one
kernel's answers beside that list."""

import hashlib
import struct
from dataclasses import dataclass

from miner import _native
from miner.core.algorithm import Algorithm

HALF, RANDOM, RARE = range(3)
"""The kinds of targets. Half of all hashes hit, so that a wrong hash is seen every other time; a random part of them
does; one in 1024 does, so that the kernel runs on as in mining and can be timed."""
_HALF_TOP, _RARE_TOP = 0x7FFFFFFF, 0x003FFFFF
_PIECES = 4  # of a block; no multiple of the number of kinds, so that each piece meets each kind
_LEAST_NONCES = 64
MAX_TARGETS = 128  # of one call: enough for each of 64 lanes' tops and the number below it


@dataclass(frozen=True, slots=True)
class Piece:
    """Nonces from `first` on of a header, with `tops`: the most significant 32 bits of each one's hash by the portable
    code, 4 bytes each in this machine's byte order."""

    header: bytes
    first: int
    tops: bytes

    def top(self, nonce: int) -> int:
        """The 32 bits of one nonce."""
        return int(struct.unpack_from("=I", self.tops, 4 * (nonce - self.first))[0])

    def batch(self, nonce: int, lanes: int) -> "Piece":
        """The kernel's batch that the nonce is hashed in, when it scans this piece from its first nonce on."""
        start = (nonce - self.first) // lanes * lanes
        return Piece(self.header, self.first + start, self.tops[4 * start:4 * (start + lanes)])


@dataclass(frozen=True, slots=True)
class Block:
    """A header and a range of its nonces, all made from a seed, with the portable code's list."""

    seed: int
    algorithm: Algorithm
    number: int
    whole: Piece

    def pieces(self) -> list[Piece]:
        """The range in parts of equal size."""
        whole, size = self.whole, len(self.whole.tops) // _PIECES
        return [Piece(whole.header, whole.first + at // 4, whole.tops[at:at + size])
                for at in range(0, len(whole.tops), size)]

    def targets(self, kind: int, count: int, turn: int) -> tuple[int, ...]:
        """`count` targets of that kind, by their most significant 32 bits. `turn` tells calls apart, so that random
        targets differ."""
        if kind == RANDOM:
            drawn = hashlib.shake_128(f"{self.seed}:{self.algorithm}:{self.number}:{turn}".encode()).digest(4 * count)
            return struct.unpack(f"<{count}I", drawn)
        return (_HALF_TOP if kind == HALF else _RARE_TOP,) * count

    def exact(self, lanes: int, count: int) -> tuple[Piece, tuple[int, ...]]:
        """One batch of a kernel, and at most `count` of the targets that compare its hashes in all 32 bits: each one's
        top, and the number below it."""
        nonces = len(self.whole.tops) // 4
        batch = self.whole.batch(self.whole.first + self.number * lanes % max(1, nonces - lanes), lanes)
        tops = struct.unpack(f"={len(batch.tops) // 4}I", batch.tops)
        targets = sorted({target for top in tops for target in (top, max(0, top - 1))})
        start = self.number * count % len(targets)
        return batch, tuple((targets[start:] + targets[:start])[:count])

    def hash_again(self, nonce: int) -> int:
        """The most significant 32 bits of a nonce's hash, computed anew: by Python's hashlib where that takes the
        algorithm's parameters, else by the portable code."""
        header = self.whole.header[:76] + nonce.to_bytes(4, "little")
        if self.algorithm.has_reference:
            return top_of(self.algorithm.hash(header))
        return top_of(_native.portable_hash(self.algorithm.name, self.algorithm.parameters, header))


def make_block(seed: int, algorithm: Algorithm, number: int, nonces: int, epoch: _native.Epoch) -> Block | None:
    """Block `number` of a seed, with `nonces` nonces. Its list is computed here, by the portable code; None when the
    epoch came to differ from 0 meanwhile."""
    drawn = hashlib.shake_128(f"{seed}:{algorithm}:{number}".encode()).digest(84)
    header, first = drawn[:80], int.from_bytes(drawn[80:], "little") >> 1  # at least 2^31 nonces are behind it
    searcher = _native.Searcher(algorithm.name, algorithm.parameters, "portable")
    tops = searcher.tops(header, first, nonces, epoch, 0)
    return None if tops is None else Block(seed, algorithm, number, Piece(header, first, tops))


def block_size(algorithm: Algorithm, seconds: float) -> int:
    """How many nonces the portable code hashes in about that time on a rather slow CPU: a power of two."""
    return int(max(_LEAST_NONCES, 1 << int(algorithm.first_guess * seconds).bit_length()))


def top_of(digest: bytes) -> int:
    """The most significant 32 bits of a hash, which is 32 bytes, least significant first."""
    return int.from_bytes(digest[28:], "little")

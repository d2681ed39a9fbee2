"""Targets, difficulties and the compact form (nBits). A target is an integer, met when `hash <= target`."""

import functools
import math

from miner.core.algorithm import Algorithm

MAX_TARGET = (1 << 256) - 1


def hash_value(digest: bytes) -> int:
    """The number that is compared with a target: 32 bytes, least significant first."""
    return int.from_bytes(digest, "little")


@functools.lru_cache(64)
def nbits_to_target(nbits: int) -> int:
    """The target that a header's nBits (Bitcoin's compact form, uint32) names. Raises ValueError where Bitcoin Core's
    CheckProofOfWork refuses it: negative, zero, or above 256 bits."""
    size, mantissa = nbits >> 24, nbits & 0x007FFFFF
    target = mantissa >> 8 * (3 - size) if size <= 3 else mantissa << 8 * (size - 3)
    if nbits & 0x00800000 or not 0 < target <= MAX_TARGET:
        raise ValueError(f"nbits {nbits:08x} is no valid target")
    return target


def target_to_nbits(target: int) -> int:
    """A target in Bitcoin's compact form (nBits, uint32), rounded towards zero as Bitcoin Core's
    arith_uint256::GetCompact does."""
    size = (target.bit_length() + 7) // 8
    mantissa = target << 8 * (3 - size) if size <= 3 else target >> 8 * (size - 3)
    if mantissa & 0x00800000:
        mantissa, size = mantissa >> 8, size + 1
    return size << 24 | mantissa


def difficulty_to_target(difficulty: float, algorithm: Algorithm) -> int:
    """The target that a share must meet at a pool's difficulty, `diff1 / difficulty`, from 1 to MAX_TARGET. Raises
    ValueError unless the difficulty is a positive, finite number."""
    if not (math.isfinite(difficulty) and difficulty > 0):
        raise ValueError(f"difficulty {difficulty!r} is not a positive number")
    numerator, denominator = float(difficulty).as_integer_ratio()
    return max(1, min(MAX_TARGET, algorithm.diff1_target * denominator // numerator))


def target_to_difficulty(target: int, algorithm: Algorithm) -> float:
    """The difficulty of a target above 0, `diff1 / target`, where diff1 is the algorithm's."""
    return algorithm.diff1_target / target


@functools.lru_cache(4096)  # asked for several times a share, and a division of such numbers takes its time
def expected_hashes(target: int) -> float:
    """How many hashes it takes on average until one meets the target."""
    return (MAX_TARGET + 1) / (target + 1)

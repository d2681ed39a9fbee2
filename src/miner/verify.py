"""Checking a hash that somebody else computed."""

from miner import _native
from miner.core.algorithm import Algorithm

HASHLIB_N = 1 << 15  # the largest that it takes


def proof_hash(algorithm: Algorithm, header: bytes) -> bytes:
    """The proof-of-work hash of an 80-byte header: 32 bytes, least significant first. By hashlib, so that a kernel
    which computes wrong hashes is found out; by the portable native code for sizes of scrypt that hashlib refuses."""
    if algorithm.n > HASHLIB_N:
        return _native.scrypt(header, algorithm.n)
    return algorithm.hash(header)

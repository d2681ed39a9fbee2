"""Checking a hash that somebody else computed."""

from miner import _native
from miner.core.algorithm import Algorithm


def proof_hash(algorithm: Algorithm, header: bytes) -> bytes:
    """The proof-of-work hash of an 80-byte header: 32 bytes, least significant first. By Python's own libraries, so
    that a kernel which computes wrong hashes is found out; by the portable native code where they have nothing for the
    algorithm's parameters (scrypt with N of 2^16 and more)."""
    if algorithm.has_reference:
        return algorithm.hash(header)
    return _native.portable_hash(algorithm.name, algorithm.parameters, header)

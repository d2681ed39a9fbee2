"""The proof-of-work hash of a header, to check what somebody else found."""

from miner import _native
from miner.core.algorithm import Algorithm


def proof_hash(algorithm: Algorithm, header: bytes) -> bytes:
    """The proof-of-work hash of an 80-byte header: 32 bytes, least significant first. Python's own libraries compute it
    (`Algorithm.hash`), so that a kernel with wrong hashes is found out; the portable C does where those don't take the
    algorithm's parameters (scrypt with N of 2^16 and more). A slow algorithm takes milliseconds and more: too long for
    an event loop."""
    if algorithm.has_reference:
        return algorithm.hash(header)
    return _native.portable_hash(algorithm.name, algorithm.parameters, header)

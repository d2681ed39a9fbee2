"""Block headers and merkle trees, in the byte order that is hashed (the reverse of what explorers show)."""

import struct
from collections.abc import Sequence

from miner.core.algorithm import sha256d

HEADER_SIZE = 80


def build_header(version: int, prev_hash: bytes, merkle_root: bytes, ntime: int, nbits: int, nonce: int = 0) -> bytes:
    """Serialise 80 bytes: version, previous hash (32), merkle root (32), time, bits, nonce; integers little-endian."""
    version &= 0xFFFFFFFF  # a node's template may give it as a negative int32
    return struct.pack("<I32s32sIII", version, prev_hash, merkle_root, ntime, nbits, nonce)


def with_nonce(header: bytes, nonce: int) -> bytes:
    """The same header with another nonce (uint32, little-endian at offset 76)."""
    return header[:76] + nonce.to_bytes(4, "little")


def display_hash(digest: bytes) -> str:
    """64 hex digits, most significant byte first, as people and RPCs write hashes."""
    return digest[::-1].hex()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root over transaction ids (32 bytes each, hash order); an odd level repeats its last node."""
    level = list(leaves)
    while len(level) > 1:
        level += level[-1:] * (len(level) % 2)
        level = [sha256d(left + right) for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0]


def merkle_branch(txids: Sequence[bytes]) -> tuple[bytes, ...]:
    """The siblings on the way up from the coinbase at index 0, given the ids of all *other* transactions in order:
    what stratum's mining.notify sends, so that a miner can change the coinbase alone."""
    branch: list[bytes] = []
    level = [b"", *txids]  # the first node of each level is the one that is not known yet
    while len(level) > 1:
        branch.append(level[1])
        level += level[-1:] * (len(level) % 2)
        level = [b"", *(sha256d(left + right) for left, right in zip(level[2::2], level[3::2], strict=True))]
    return tuple(branch)


def fold_branch(coinbase_txid: bytes, branch: Sequence[bytes]) -> bytes:
    """The merkle root from the coinbase's id and its branch."""
    root = coinbase_txid
    for sibling in branch:
        root = sha256d(root + sibling)
    return root

"""Block headers and merkle trees, in the byte order that is hashed (the reverse of what explorers show)."""

import struct
from collections.abc import Sequence

from miner.core.algorithm import sha256d

HEADER_SIZE = 80


def build_header(version: int, prev_hash: bytes, merkle_root: bytes, ntime: int, nbits: int, nonce: int = 0) -> bytes:
    """Serialise a block header, 80 bytes: version, previous hash (32 bytes), merkle root (32), time (seconds since
    1970), nBits, nonce; the integers have 32 bits, little-endian."""
    version &= 0xFFFFFFFF  # a node's template may give it as a negative int32
    return struct.pack("<I32s32sIII", version, prev_hash, merkle_root, ntime, nbits, nonce)


def with_nonce(header: bytes, nonce: int) -> bytes:
    """A copy of an 80-byte header with this nonce in it (uint32, little-endian at offset 76)."""
    return header[:76] + nonce.to_bytes(4, "little")


def display_hash(digest: bytes) -> str:
    """A hash (32 bytes, header order) as people and RPCs write it: 64 hex digits, most significant byte first."""
    return digest[::-1].hex()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The merkle root over transaction ids, at least one (32 bytes each, header order), as Bitcoin forms it: a level
    with an odd number of nodes repeats its last one."""
    level = list(leaves)
    while len(level) > 1:
        level += level[-1:] * (len(level) % 2)
        level = [sha256d(left + right) for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0]


def merkle_branch(txids: Sequence[bytes]) -> tuple[bytes, ...]:
    """The siblings on the way from the coinbase, a block's first transaction, up to the merkle root. `txids` are the
    ids of all *other* transactions in order. Stratum's mining.notify sends such branches, so that a miner can change
    the coinbase without knowing the other transactions."""
    branch: list[bytes] = []
    level = [b"", *txids]  # the first node of each level is the one that is not known yet
    while len(level) > 1:
        branch.append(level[1])
        level += level[-1:] * (len(level) % 2)
        level = [b"", *(sha256d(left + right) for left, right in zip(level[2::2], level[3::2], strict=True))]
    return tuple(branch)


def fold_branch(coinbase_txid: bytes, branch: Sequence[bytes]) -> bytes:
    """The merkle root of the coinbase's id and its `merkle_branch` (32 bytes each, header order)."""
    root = coinbase_txid
    for sibling in branch:
        root = sha256d(root + sibling)
    return root

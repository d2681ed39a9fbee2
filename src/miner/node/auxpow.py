"""AuxPoW, merged mining: another chain's block that a parent block's proof of work serves as well. Pure.

The parent's coinbase names the other block; the proof is that coinbase with its way up to the parent's header. Sources:
the merged mining specification of Namecoin, and auxpow.h, auxpow.cpp and rpc/auxpow of Namecoin and Dogecoin Core.
"""

import struct
from dataclasses import dataclass

from miner.core.algorithm import sha256d
from miner.core.coinbase import MAX_MONEY_FIELD, compact_size, push
from miner.core.errors import ProtocolError
from miner.core.header import display_hash
from miner.core.model import Share
from miner.core.target import nbits_to_target
from miner.node.fields import Fields

MAGIC = b"\xfa\xbemm"
COMMITMENT_SIZE = 1 + 44  # script code: a push of the magic, the root, and two numbers

_MAX_HEIGHT = (1 << 31) - 1
_MAX_CHAIN_ID = 0xFFFF  # it is the upper half of a block's version


@dataclass(frozen=True, slots=True)
class AuxBlock:
    """An answer to createauxblock: a block that is complete but for its proof. Hashes in header order."""

    hash: bytes
    chain_id: int
    prev_hash: bytes
    nbits: int
    height: int
    coinbase_value: int  # smallest units

    @property
    def target(self) -> int:
        """What a parent header's hash must meet to prove this block."""
        return nbits_to_target(self.nbits)

    @property
    def id(self) -> str:
        """The block's hash as people and RPCs write it: 64 hex digits, most significant byte first."""
        return display_hash(self.hash)

    @property
    def commitment(self) -> bytes:
        """Script code that names this block in the parent's coinbase, where it must stand once: magic, root of the tree
        of chains, the tree's size, and the nonce that gives each chain its place in it. The root of a tree of one chain
        is that chain's block hash, most significant byte first. It is a push, so that no byte of the hash counts as a
        signature operation."""
        return push(MAGIC + self.hash[::-1] + struct.pack("<II", 1, 0))


@dataclass(frozen=True, slots=True)
class AuxPow:
    """The proof of work of a block that was mined along: a parent block's coinbase, which commits to the block, and its
    way to the parent's header. `chain_index` is the chain's place in the tree of chains, `chain_branch` its branch to
    the tree's root. Hashes are 32 bytes in header order."""

    coinbase: bytes  # the parent's, without witness
    branch: tuple[bytes, ...]  # from there to the parent's merkle root
    header: bytes  # the parent's
    chain_branch: tuple[bytes, ...] = ()
    chain_index: int = 0

    def serialize(self) -> bytes:
        """The bytes that submitauxblock takes, as CAuxPow in auxpow.h lays them out. The parent's id stands in them for
        history's sake; nobody checks it."""
        return b"".join([self.coinbase, sha256d(self.header), _branch(self.branch, 0),
                         _branch(self.chain_branch, self.chain_index), self.header])


def proof(share: Share) -> AuxPow:
    """The proof that a share of the parent chain is, for the one chain that its coinbase commits to."""
    return AuxPow(share.job.coinbase(share.work.extranonce2), share.job.merkle_branch, share.header)


def parse_aux_block(answer: object) -> AuxBlock:
    """Check the answer to createauxblock. Raises ProtocolError that names the field.

    The target is taken from `bits`: nodes differ in the name of the field that spells it out (`target`, `_target`),
    and write it with its least significant byte first.
    """
    fields = Fields(answer, "the aux block")
    nbits = int.from_bytes(fields.hexadecimal("bits", 4), "big")
    try:
        nbits_to_target(nbits)
    except ValueError as error:
        raise ProtocolError(f"the aux block's bits are wrong: {error}") from None
    return AuxBlock(
        hash=fields.hexadecimal("hash", 32)[::-1], chain_id=fields.integer("chainid", 0, _MAX_CHAIN_ID),
        prev_hash=fields.hexadecimal("previousblockhash", 32)[::-1], nbits=nbits,
        height=fields.integer("height", 1, _MAX_HEIGHT),
        coinbase_value=fields.integer("coinbasevalue", 0, MAX_MONEY_FIELD))


def _branch(hashes: tuple[bytes, ...], index: int) -> bytes:
    return b"".join([compact_size(len(hashes)), *hashes, struct.pack("<I", index)])

"""Dogecoin Core can't be had as a program here: an aux node that speaks in its recorded answers.

It gives out blocks in the form of the recorded createauxblock, and judges proofs by the rules of CAuxPow::check
(auxpow.cpp of Namecoin and Dogecoin Core), written down here a second time from the other end: nothing of ours is
used for that but sha256d. test_auxpow.py holds it against what the real node said to the recorded proofs.
"""

import struct
from dataclasses import dataclass
from typing import Any

import recordings
from miner.core.algorithm import Algorithm, sha256d
from node.faulty import ScriptedNode, ok, refusal

ADDRESS = "mxtT9y4YD5yJocLi7zrop7FW63WubeAHjG"
GIVEN: dict[str, Any] = recordings.recording("dogecoin/createauxblock.json")[0]["response"]["result"]
TOO_EARLY = recordings.recording("dogecoin/createauxblock-too-early.json")["error"]
UNKNOWN = recordings.recording("dogecoin/submitauxblock-refusals.json")[1]["response"]["error"]

MAGIC = bytes.fromhex("fabe6d6d")
SCRYPT = Algorithm.parse("scrypt")


class BadProof(Exception):
    """Why; the real node says this in its log alone."""


@dataclass
class _Reader:
    data: bytes

    def take(self, size: int) -> bytes:
        if len(self.data) < size:
            raise BadProof("end of data")
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def number(self) -> int:
        (value,) = struct.unpack("<I", self.take(4))
        return int(value)

    def count(self) -> int:
        first = self.take(1)[0]
        return first if first < 0xFD else int.from_bytes(self.take({0xFD: 2, 0xFE: 4, 0xFF: 8}[first]), "little")

    def branch(self) -> tuple[list[bytes], int]:
        return [self.take(32) for _ in range(self.count())], self.number()

    def coinbase(self) -> tuple[bytes, bytes]:
        """The transaction and its one input's script."""
        whole = self.data
        self.take(4)
        if self.count() != 1 or self.take(36) != bytes(32) + b"\xff" * 4:
            raise BadProof("no coinbase")
        script = self.take(self.count())
        self.take(4)
        for _ in range(self.count()):
            self.take(8)
            self.take(self.count())
        self.take(4)
        return whole[:len(whole) - len(self.data)], script


def check_proof(proof: bytes, block_hash: str, target: int, chain_id: int = 98) -> bytes:
    """The parent's header in a proof that is right. Raises BadProof."""
    reader = _Reader(proof)
    coinbase, script = reader.coinbase()
    reader.take(32)
    branch, index = reader.branch()
    chain_branch, chain_index = reader.branch()
    header = reader.take(80)
    if reader.data:
        raise BadProof("more than a proof")
    if index:
        raise BadProof("AuxPow is not a generate")
    if struct.unpack("<I", header[:4])[0] >> 16 == chain_id:
        raise BadProof("the parent has our chain id")
    if _fold(sha256d(coinbase), branch, index) != header[36:68]:
        raise BadProof("merkle root incorrect")
    root = _fold(bytes.fromhex(block_hash)[::-1], chain_branch, chain_index)[::-1]
    if script.count(MAGIC) != 1 or script.count(root) != 1 or script.find(root) != script.find(MAGIC) + 4:
        raise BadProof("the chain merkle root does not stand once, just behind the one header")
    size, nonce = struct.unpack_from("<II", script, script.find(root) + 32)
    if size != 1 << len(chain_branch) or chain_index != _slot(nonce, chain_id, len(chain_branch)):
        raise BadProof("wrong size or wrong place of the chain")
    if int.from_bytes(SCRYPT.hash(header), "little") > target:
        raise BadProof("proof of work failed")
    return header


def _fold(leaf: bytes, branch: list[bytes], index: int) -> bytes:
    for sibling in branch:
        leaf = sha256d(sibling + leaf if index & 1 else leaf + sibling)
        index >>= 1
    return leaf


def _slot(nonce: int, chain_id: int, height: int) -> int:
    rand = (nonce * 1103515245 + 12345) & 0xFFFFFFFF
    rand = ((rand + chain_id) * 1103515245 + 12345) & 0xFFFFFFFF
    return rand % (1 << height)


class RecordedDogecoin(ScriptedNode):
    """`early`: how often it says first that it gives no work yet. `accepted` has the headers of the parent blocks whose
    proofs were right, `refused` why others were not. A new block starts on each accepted one."""

    def __init__(self, early: int = 0, bits: str = GIVEN["bits"]) -> None:
        super().__init__({
            "validateaddress": self._validate, "createauxblock": self._create, "submitauxblock": self.judge})
        self._early = early
        self.height = int(GIVEN["height"])
        self.tip = str(GIVEN["previousblockhash"])
        self._bits = bits
        self._target = int(bits[2:], 16) << 8 * (int(bits[:2], 16) - 3)
        self.accepted: list[bytes] = []
        self.refused: list[str] = []

    @property
    def block_hash(self) -> str:
        """The block that waits for its proof."""
        if self.tip == GIVEN["previousblockhash"]:
            return str(GIVEN["hash"])
        return sha256d(bytes.fromhex(self.tip)).hex()

    def others_block(self) -> None:
        """Somebody else was faster."""
        self.tip, self.height = self.block_hash, self.height + 1

    async def _validate(self, params: list[Any]) -> bytes:
        return ok({"isvalid": params == [ADDRESS]})

    async def _create(self, params: list[Any]) -> bytes:
        assert params == [ADDRESS]
        if self._early:
            self._early -= 1
            return refusal(TOO_EARLY["code"], TOO_EARLY["message"])
        return ok(GIVEN | {"hash": self.block_hash, "previousblockhash": self.tip, "height": self.height,
                           "bits": self._bits, "target": self._target.to_bytes(32, "little").hex()})

    async def judge(self, params: list[Any]) -> bytes:
        """What it says to submitauxblock."""
        block_hash, proof = params
        if block_hash != self.block_hash:
            return refusal(UNKNOWN["code"], UNKNOWN["message"])
        try:
            self.accepted.append(check_proof(bytes.fromhex(proof), block_hash, self._target))
        except BadProof as error:
            self.refused.append(str(error))
            return ok(False)
        self.others_block()
        return ok(True)

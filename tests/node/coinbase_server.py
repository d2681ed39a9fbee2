"""Pools that give block templates with a coinbase of their own can't be had as programs: such a server in front of a
real node.

It is written from BIP 22 and 23 and takes nothing of ours but scrypt: the blocks that it gets go to the node. minerd
2.5.1 mines on it too, where one is there.
"""

import asyncio
import struct
from typing import Any

from miner.core.algorithm import Algorithm
from node.daemon import Daemon
from node.faulty import ScriptedNode, ok

SCRYPT = Algorithm.parse("scrypt")
WORKID = "work of this pool"


class CoinbaseServer(ScriptedNode):
    """Templates of `node` with a coinbase that pays the node's own address and ends in "pool". `target`: what shares
    have to meet, by default the network's. `shares` has those that did and are no blocks, `blocks` those that the node
    took, `refused` the reasons why others were not accepted."""

    def __init__(self, node: Daemon, target: int = 0) -> None:
        super().__init__({"getblocktemplate": self._template, "submitblock": self._submit})
        self._node = node
        self._target = target
        self._given: dict[str, bytes] = {}  # script by previous hash
        self.shares: list[bytes] = []
        self.blocks: list[bytes] = []
        self.refused: list[str] = []

    async def _template(self, params: list[Any]) -> bytes:
        template = await asyncio.to_thread(self._node.rpc, "getblocktemplate", {"rules": ["mweb", "segwit"]})
        payee = await asyncio.to_thread(self._node.rpc, "validateaddress", self._node.address)
        script = template["height"].to_bytes(2, "little")
        script = bytes([len(script)]) + script + b"\x04pool"
        self._given[template["previousblockhash"]] = script
        commitment = template.get("default_witness_commitment", "")
        outputs = [(template.pop("coinbasevalue"), payee["scriptPubKey"])] + ([(0, commitment)] if commitment else [])
        data = struct.pack("<IB", 1, 1) + bytes(32) + b"\xff" * 4 + bytes([len(script)]) + script + b"\xff" * 4
        data += bytes([len(outputs)]) + b"".join(
            struct.pack("<QB", value, len(to) // 2) + bytes.fromhex(to) for value, to in outputs) + bytes(4)
        self._network_target = int(template["target"], 16)
        del template["longpollid"]
        target = max(self._target, self._network_target)
        return ok(template | {"coinbasetxn": {"data": data.hex()}, "mutable": ["time", "coinbase/append"],
                              "target": target.to_bytes(32).hex(), "workid": WORKID})

    async def _submit(self, params: list[Any]) -> bytes:
        reason = await asyncio.to_thread(self._judge, *params)
        if reason:
            self.refused.append(reason)
        return ok(reason or None)

    def _judge(self, block: str, settings: dict[str, str]) -> str:
        raw = bytes.fromhex(block)
        header, coinbase = raw[:80], raw[81:]
        script = self._given.get(header[4:36][::-1].hex(), b"")
        start = 4 + 2 * (coinbase[4] == 0) + 37  # with a marker and a flag where a witness follows
        if settings != {"workid": WORKID}:
            return "unknown-work"
        if not script or coinbase[start] < len(script) or not coinbase[start + 1:].startswith(script):
            return "bad-cb-prefix"
        value = int.from_bytes(SCRYPT.hash(header), "little")
        if value > max(self._target, self._network_target):
            return "high-hash"
        if value > self._network_target:
            self.shares.append(header)
            return ""
        reason = str(self._node.rpc("submitblock", block) or "")
        if not reason:
            self.blocks.append(header)
        return reason

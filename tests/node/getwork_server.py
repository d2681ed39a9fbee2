"""Nodes that still speak getwork can't be had as programs: a getwork server in front of a real node.

It is written from the protocol's description and takes nothing of ours but sha256d: what it makes of a submission goes
to the node as a block, so that a byte in the wrong place is a block refused. minerd 2.5.1 mines on it too, where one is
there.
"""

import asyncio
import json
import struct
from typing import Any

from miner.core.algorithm import sha256d
from node.daemon import Daemon, RpcRefusal
from node.http_server import HttpServer

PADDING = bytes.fromhex("80" + "00" * 45 + "0280")  # what SHA-256 puts behind 80 bytes
RULES = {"rules": ["mweb", "segwit"]}


def swapped(data: bytes) -> bytes:
    return b"".join(data[at:at + 4][::-1] for at in range(0, len(data), 4))


class GetworkServer(HttpServer):
    """Templates of `node` as getwork, an extranonce for each. `headers` go around each answer; `known` holds the rest
    of the block for each merkle root; `calls` has each request's path and parameters."""

    def __init__(self, node: Daemon, headers: dict[str, str] | None = None) -> None:
        super().__init__()
        self._node = node
        self.headers = headers or {}
        self.known: dict[bytes, bytes] = {}
        self.calls: list[tuple[str, list[Any]]] = []
        self.refused: list[str] = []
        self.sent_headers: list[str] = []
        self._tip = ""  # that the latest work is on
        self._count = 0

    async def respond(self, head: str, body: bytes) -> bytes:
        path = head.split()[1]
        self.sent_headers.append(head)
        # minerd long-polls by GET
        request = json.loads(body) if body else {"method": "getwork", "params": [], "id": 0}
        answer, reason = await self._answer(path, request["method"], request["params"])
        said = json.dumps({"id": request["id"], **answer}).encode()
        headers = self.headers | ({"X-Reject-Reason": reason} if reason else {})
        lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(said)}", "Connection: close",
                 *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + said

    async def _answer(self, path: str, method: str, params: list[Any]) -> tuple[dict[str, Any], str]:
        if method != "getwork":
            return {"result": None, "error": {"code": -32601, "message": "Method not found"}}, ""
        self.calls.append((path, params))
        if params:
            reason = await asyncio.to_thread(self._submit, params[0])
            if reason:
                self.refused.append(reason)
            return {"result": not reason, "error": None}, reason
        if path.startswith("/LP"):
            tip = self._tip
            while await asyncio.to_thread(self._node.rpc, "getbestblockhash") == tip:
                await asyncio.sleep(0.02)
        return {"result": await asyncio.to_thread(self._work), "error": None}, ""

    def _work(self) -> dict[str, str]:
        template = self._node.rpc("getblocktemplate", RULES)
        assert not template["transactions"], "this server makes empty blocks alone"
        self._tip = template["previousblockhash"]
        self._count += 1
        script = self._node.rpc("validateaddress", self._node.address)["scriptPubKey"]
        height = template["height"]
        assert 128 <= height < 32768
        signature = b"\x02" + height.to_bytes(2, "little") + b"\x04" + self._count.to_bytes(4, "little")
        coinbase = (struct.pack("<IB", 1, 1) + bytes(32) + b"\xff" * 4 + bytes([len(signature)]) + signature
                    + b"\xff" * 4 + b"\1" + struct.pack("<Q", template["coinbasevalue"])
                    + bytes([len(script) // 2]) + bytes.fromhex(script) + bytes(4))
        root = sha256d(coinbase)
        self.known[root] = coinbase
        header = (struct.pack("<I", template["version"]) + bytes.fromhex(template["previousblockhash"])[::-1] + root
                  + struct.pack("<I", template["curtime"]) + bytes.fromhex(template["bits"])[::-1] + bytes(4))
        return {"data": swapped(header + PADDING).hex(), "target": bytes.fromhex(template["target"])[::-1].hex()}

    def _submit(self, data: str) -> str:
        """Why not; "" if the node took the block."""
        header = swapped(bytes.fromhex(data))[:80]
        coinbase = self.known.get(header[36:68])
        if len(data) != 256 or coinbase is None:
            return "unknown-work"
        try:
            return str(self._node.rpc("submitblock", (header + b"\1" + coinbase).hex()) or "")
        except RpcRefusal as error:
            return error.message

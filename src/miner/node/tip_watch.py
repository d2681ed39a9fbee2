"""The newest block of a node's chain, asked for by its name alone.

A long poll would tell of a new block as soon. But Bitcoin Core, and every node made from it, holds one of its few RPC
threads for a long poll until the next block, even when the miner has gone long since: a handful of miners that were
stopped, and the node answers nobody. getbestblockhash takes it some microseconds, and holds nothing.
"""

import asyncio

from miner.core.errors import MinerError
from miner.core.header import display_hash
from miner.node.jsonrpc import HttpError, JsonRpcError
from miner.node.refusals import is_unknown_method, is_verdict
from miner.node.transport import NodeRpc

METHOD = "getbestblockhash"

_SECONDS = 1.0  # between two looks
_FAILURES = 3  # in a row that say nothing: a node may have too much to do for a moment


class TipWatch:
    """A node's newest block, looked at every second, or every `scan_time` seconds where that is less."""

    def __init__(self, rpc: NodeRpc, scan_time: float) -> None:
        self._rpc = rpc
        self._seconds = min(_SECONDS, scan_time)
        self.known = False  # the node tells it
        self.missing = False  # it has no such method: it is no node of Bitcoin's family, but what stands for one

    async def ask(self) -> bool:
        """Find out whether the node tells its newest block. Raises MinerError or OSError for what may pass."""
        try:
            self.known = isinstance(await self._rpc.call(METHOD), str)
        except (JsonRpcError, HttpError) as error:
            if not (is_verdict(error) or (isinstance(error, HttpError) and error.status == 403)):
                raise
            self.missing = is_unknown_method(error)
        return self.known

    async def moved(self, prev_hash: bytes) -> None:
        """Return when the newest block is another one than `prev_hash` (32 bytes in header order). Raises MinerError or
        OSError when the node has not told it several times in a row."""
        tip, failures = display_hash(prev_hash), 0
        while True:
            await asyncio.sleep(self._seconds)
            try:
                if await self._rpc.call(METHOD) != tip:
                    return
                failures = 0
            except (MinerError, OSError):
                failures += 1
                if failures == _FAILURES:
                    raise

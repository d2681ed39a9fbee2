"""The chain that is mined along with a parent chain: its newest block to commit to, and its blocks handed back."""

import asyncio
import contextlib
from collections.abc import Callable

from miner.config import AuxConfig, SourceConfig
from miner.core.errors import MinerError, ProtocolError, SourceError
from miner.core.model import Share, ShareStatus
from miner.core.source import Notice, SourceEvent
from miner.core.tip import Tip
from miner.net import Route
from miner.node.auxpow import AuxBlock, parse_aux_block, proof
from miner.node.jsonrpc import JsonRpcError
from miner.node.payout import check_address, payout_script
from miner.node.refusals import INVALID_PARAMETER, explain, failed_submit
from miner.node.transport import NodeRpc


class AuxChain:
    """An aux node in trouble stops nobody: the parent chain is mined alone until it is well again, and a notice tells
    of each change. Only what no waiting cures, at the first contact, ends the run.

    `block`     what to commit to next; None while the node gives none
    `changed`   called when it is another one
    """

    def __init__(self, aux: AuxConfig, config: SourceConfig, put: Callable[[SourceEvent], None],
                 changed: Callable[[], None]) -> None:
        """Raises UsageError for settings that won't do."""
        self._config, self._put, self._changed = config, put, changed
        self._address = check_address(aux.coinbase_addr, "--aux-addr")
        self._rpc = NodeRpc(aux.url, aux.username, aux.password, route=Route.of(config), patience=config.timeout)
        self.payee = f"address {self._address} on the chain of {self._rpc.label}"
        self.block: AuxBlock | None = None
        self._checked = False
        self._trouble = ""
        self._tip = Tip()
        self._submitting = asyncio.Lock()
        self._again = asyncio.Event()

    def block_for(self, parent_version: int) -> AuxBlock | None:
        """The block to commit to in a parent block of that version. Raises SourceError when the parent is the aux
        chain itself: no chain takes proofs from blocks that carry its own id."""
        if self.block is not None and parent_version >> 16 == self.block.chain_id:
            raise SourceError(f"--aux {self._rpc.label}: this chain can't be mined along with itself: "
                              f"the parent's blocks carry its chain id {self.block.chain_id}")
        return self.block if self.block is not None and self._tip.takes(self.block.prev_hash) else None

    async def follow(self) -> None:
        """Keep `block` the newest, for ever."""
        failures = 0
        while True:
            failures = failures + 1 if self._trouble else 0
            pause = self._config.retry_pause * 2 ** min(failures - 1, 4) if failures else self._config.scan_time
            self._again.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._again.wait()
            await self.refresh()

    async def refresh(self) -> None:
        """Ask for the newest block. Raises SourceError at the first contact if trying again makes no sense."""
        before = self.block
        try:
            if not self._checked:
                await payout_script(self._rpc.call, self._address, "--aux-addr")
            self.block = parse_aux_block(await self._rpc.call("createauxblock", self._address))
            self._tip.move(self.block.prev_hash)
            self._checked = True
            if self._trouble:
                self._notice("is well again")
            self._trouble = ""
        except (MinerError, OSError) as error:
            self.block = None
            trouble = explain(error, self._rpc.label, "createauxblock")
            text = trouble.text.removeprefix(f"{self._rpc.label}: ")  # that is said anyway
            if trouble.for_good and not self._checked:
                raise SourceError(f"--aux {self._rpc.label}: {text}") from None
            if text != self._trouble:
                self._notice(f"gives no work, mining without it: {text}")
            self._trouble = text
        if self.block != before:
            self._changed()

    async def submit(self, block: AuxBlock, share: Share) -> tuple[ShareStatus, str]:
        """Hand in a share that meets the block's target. The verdict, and the reason where it is no yes."""
        async with self._submitting:  # one by one: a tip takes one block
            if not self._tip.takes(block.prev_hash):
                return ShareStatus.STALE, "the aux chain moved on"
            status, reason = await self._hand_in(block, share)
            if status is ShareStatus.ACCEPTED:
                self._tip.solve(block.prev_hash)
                self._notice(f"accepted its block at height {block.height}: {block.id}")
            else:
                self._notice(f"{'refused' if status is ShareStatus.REJECTED else 'did not take'} its block at height "
                             f"{block.height}: {reason}")
            self._again.set()
            return status, reason

    async def _hand_in(self, block: AuxBlock, share: Share) -> tuple[ShareStatus, str]:
        try:
            reply, _ = await self._rpc.insist("submitauxblock", block.id, proof(share).serialize().hex())
        except (OSError, MinerError) as error:
            if isinstance(error, JsonRpcError) and error.code == INVALID_PARAMETER:
                return ShareStatus.STALE, error.message  # "block hash unknown": it forgets them when its chain grows
            return failed_submit(error, self._rpc.label)
        if type(reply.result) is not bool:
            wrong = ProtocolError("the answer to submitauxblock is neither true nor false")
            return failed_submit(wrong, self._rpc.label)
        return (ShareStatus.ACCEPTED, "") if reply.result else (ShareStatus.REJECTED, "it gave no reason")

    def _notice(self, text: str) -> None:
        self._put(Notice(f"the aux node {self._rpc.label} {text}"))

"""The chain that is mined along with a parent chain: its newest block to commit to, and its blocks handed back."""

import asyncio
import contextlib
import functools
from collections.abc import Callable

from miner.config import AuxConfig, SourceConfig
from miner.core.errors import MinerError, ProtocolError, SourceError, UsageError
from miner.core.model import Share, ShareStatus
from miner.core.source import Notice, SourceEvent
from miner.net import Route
from miner.node.auxpow import AuxBlock, parse_aux_block, proof
from miner.node.beforehand import proven_by_another
from miner.node.handing_in import hand_in
from miner.node.jsonrpc import JsonRpcError
from miner.node.payout import check_address, payout_script
from miner.node.polling import Poller
from miner.node.refusals import INVALID_PARAMETER, explain, failed_submit
from miner.node.solved import NodeTip
from miner.node.tip_watch import TipWatch
from miner.node.transport import NodeRpc


class AuxChain:
    """The other chain's node. While it is in trouble the parent chain is mined alone, and a notice tells of each
    change. Only what no waiting cures, at the first contact, ends the run.

    `block`     the block that a parent block's coinbase commits to next; None while the node gives none
    `payee`     who is paid on that chain, in words that are safe to print
    """

    def __init__(self, aux: AuxConfig, config: SourceConfig, put: Callable[[SourceEvent], None],
                 changed: Callable[[], None]) -> None:
        """Nothing is sent yet. `config` is the parent's, `put` takes notices, `changed` is called when `block` is
        another one. Raises UsageError for settings that won't do."""
        self._config, self._put, self._changed = config, put, changed
        self._address = check_address(aux.coinbase_addr, "aux.coinbase_addr")
        self._rpc = NodeRpc(aux.url, aux.username, aux.password, cookie_file=aux.cookie_file,
                            cookie_setting="aux.cookie_file", route=Route.of(config), patience=config.timeout)
        self.payee = f"address {self._address} on the chain of {self._rpc.label}"
        self.block: AuxBlock | None = None
        self._checked = False
        self._trouble = ""
        self._tip = NodeTip()
        self._refusal, self._refused = "", 0  # what was said last, and how often in a row
        self._submitting = asyncio.Lock()
        self._watch = TipWatch(self._rpc, config.scan_time)
        self._poller: Poller[None] = Poller(config.scan_time)
        self._closed = False

    def close(self) -> None:
        """Let go of connections that rest. What is being handed in is tried a few times more."""
        self._closed = True
        self._rpc.close()

    def block_for(self, parent_version: int) -> AuxBlock | None:
        """The block to commit to in a parent block whose header has `parent_version`; None while there is none that the
        chain would take. Raises SourceError when the parent is the aux chain itself: no chain takes proofs from blocks
        that carry its own id."""
        if self.block is not None and parent_version >> 16 == self.block.chain_id:
            raise SourceError(f"`aux` {self._rpc.label}: this chain can't be mined along with itself: "
                              f"the parent's blocks carry its chain id {self.block.chain_id}")
        return self.block if self.block is not None and self._tip.takes(self.block.prev_hash) else None

    async def follow(self) -> None:
        """Keep `block` the newest that the node has, until cancelled. Raises SourceError as `refresh` does."""
        failures = 0
        try:
            while True:
                failures = failures + 1 if self._trouble else 0
                pause = self._config.retry_pause * 2 ** min(failures - 1, 4) if failures else 0.0
                tip = self.block.prev_hash if self.block else b""
                watch = functools.partial(self._watch.moved, tip) if tip and self._watch.known else None
                await self._poller.wait(tip, watch, self._config.scan_time, pause)
                await self.refresh()
        finally:
            self._poller.drop()

    async def refresh(self) -> None:
        """Ask for the newest block. Raises SourceError at the first contact if trying again makes no sense."""
        before = self.block
        try:
            block = await self._fetch() if self._checked else await self._first_contact()
            self._tip.move(block.prev_hash)
            self.block, self._checked = block, True
            if self._trouble:
                self._notice("is well again")
            self._trouble = ""
        except (MinerError, OSError) as error:
            self.block = None
            trouble = explain(error, self._rpc.label, "createauxblock", self._rpc.by_cookie)
            text = trouble.text.removeprefix(f"{self._rpc.label}: ")  # that is said anyway
            if trouble.for_good and not self._checked:
                raise SourceError(f"`aux` {self._rpc.label}: {text}") from None
            if text != self._trouble:
                self._notice(f"gives no work, mining without it: {text}")
            self._trouble = text
        if self.block != before:
            self._changed()

    async def _first_contact(self) -> AuxBlock:
        """Before anything is hashed for the chain: would its node pay us, and would it take a proof by our hash?"""
        await payout_script(self._rpc.call, self._address, "aux.coinbase_addr")
        block = await self._fetch()
        if block.height > 1 and (other := await proven_by_another(self._rpc.call, block.prev_hash,
                                                                  self._config.algorithm)):
            raise UsageError(f"the blocks of this chain are proven by {other}, so it can't be mined along with a chain "
                             f"whose blocks are proven by {self._config.algorithm}")
        await self._watch.ask()
        return block

    async def _fetch(self) -> AuxBlock:
        asked_at = asyncio.get_running_loop().time()
        block = parse_aux_block(await self._rpc.call("createauxblock", self._address))
        self._tip.wanted(block.prev_hash, asked_at)
        return block

    async def submit(self, block: AuxBlock, share: Share) -> tuple[ShareStatus, str]:
        """Hand in a share of the parent chain that meets the target of `block`, and wait until it is clear what became
        of it. Returns the verdict, and the reason where that is not ACCEPTED. Raises nothing for the network's sake."""
        async with self._submitting:  # one by one: a tip takes one block
            if not self._tip.takes(block.prev_hash):
                return ShareStatus.STALE, "the aux chain moved on"
            status, reason = await self._hand_in(block, share)
            if status is ShareStatus.ACCEPTED:
                self._tip.solve(block.prev_hash)
                self._refusal = ""
                self._notice(f"accepted its block at height {block.height}: {block.id}")
            else:
                verb = "refused" if status is ShareStatus.REJECTED else "did not take"
                self._tell_refusal(f"{verb} its block at height {block.height}", reason)
            self._poller.wake()
            return status, reason

    async def _hand_in(self, block: AuxBlock, share: Share) -> tuple[ShareStatus, str]:
        try:
            reply = await hand_in(self._rpc, "submitauxblock", block.id, proof(share).serialize().hex(),
                                  retries=self._config.retries, too_late=lambda: self._too_late(block),
                                  tell=lambda text: self._notice(f"did not answer: {text}"))
        except (OSError, MinerError) as error:
            if isinstance(error, JsonRpcError) and error.code == INVALID_PARAMETER:
                # "block hash unknown": it forgets them when its chain grows, be it by the block itself.
                taken = await self._has(block)
                return (ShareStatus.ACCEPTED, "") if taken else (ShareStatus.STALE, error.message)
            return failed_submit(error, self._rpc.label)
        if type(reply.result) is not bool:
            wrong = ProtocolError("the answer to submitauxblock is neither true nor false")
            return ShareStatus.REJECTED, explain(wrong, self._rpc.label).text
        return (ShareStatus.ACCEPTED, "") if reply.result else (ShareStatus.REJECTED, "it gave no reason")

    async def _has(self, block: AuxBlock) -> bool:
        """Whether the block is on the node's chain: it took it, and only the answer was lost."""
        with contextlib.suppress(MinerError, OSError):
            header = await self._rpc.call("getblockheader", block.id)
            confirmations = header.get("confirmations") if isinstance(header, dict) else None
            return type(confirmations) is int and confirmations > 0
        return False

    def _too_late(self, block: AuxBlock) -> bool:
        return self._closed or (self.block is not None and self.block.prev_hash != block.prev_hash)

    def _tell_refusal(self, what: str, reason: str) -> None:
        """The first of a kind, and then how many they have become: the 10th, the 100th and so on."""
        self._refused = self._refused + 1 if reason == self._refusal else 1
        self._refusal = reason
        if self._refused == 1:
            self._notice(f"{what}: {reason}")
        elif set(str(self._refused)[1:]) == {"0"} and str(self._refused)[0] == "1":
            self._notice(f"{what}, {self._refused} times in a row: {reason}")

    def _notice(self, text: str) -> None:
        self._put(Notice(f"the aux node {self._rpc.label} {text}"))

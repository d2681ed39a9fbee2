"""Work by getblocktemplate, blocks back by submitblock; and another chain mined along, where there is one."""

import asyncio
import dataclasses
import itertools
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from miner.config import SourceConfig
from miner.core.coinbase import split_coinbase
from miner.core.errors import MinerError
from miner.core.model import Share, ShareResult, ShareStatus
from miner.core.source import Connecting, Notice, SourceEvent
from miner.core.target import hash_value
from miner.core.text import one_line
from miner.loop import in_thread
from miner.node import polling
from miner.node.aux_chain import AuxChain
from miner.node.auxpow import COMMITMENT_SIZE, AuxBlock
from miner.node.beforehand import ask_beforehand
from miner.node.feed import Feed
from miner.node.handing_in import hand_in
from miner.node.longpoll import long_poll_url
from miner.node.payout import check_address, payout_script
from miner.node.refusals import DUPLICATE, explain_verdict, failed_submit, submit_verdict
from miner.node.solved import NodeTip
from miner.node.template import EXTRANONCE2_SIZE, MAX_HEIGHT, Payout, Template, parse_template, template_request
from miner.node.tip_watch import METHOD, TipWatch
from miner.node.transport import NodeRpc
from miner.verify import proof_hash

_KEPT_JOBS = 16  # on the current tip, for which a block can still be built
_EXTRANONCE1_SIZE = 4
_ALONG_SECONDS = 3.0  # that a verdict waits for that of the aux chain; later ones are told by a notice alone


@dataclass(frozen=True, slots=True)
class _Issued:
    """What a job was made of."""

    template: Template
    aux: AuxBlock | None


class TemplateFeed(Feed):
    """Each template makes one job. Two feeds never hash the same coinbase: each has an extranonce1 of its own, drawn
    at random. A tip takes one block: when the node has accepted ours, what else is found on that tip is stale, and the
    next template is asked for at once. With an aux chain a share may be a block of either chain, or of both."""

    what = "getblocktemplate"

    def __init__(self, config: SourceConfig, rpc: NodeRpc, put: Callable[[SourceEvent], None]) -> None:
        """Raises UsageError for settings that won't do."""
        self._config, self._rpc, self._put = config, rpc, put
        self._address = check_address(config.coinbase_addr, "coinbase_addr")
        self._poller: polling.Poller[Template] = polling.Poller(config.scan_time)
        self._watch = TipWatch(rpc, config.scan_time)
        self._aux = AuxChain(config.aux, config, put, self._poller.wake) if config.aux else None
        room = bytes(COMMITMENT_SIZE if self._aux else 0)
        split_coinbase(MAX_HEIGHT, [], _EXTRANONCE1_SIZE + EXTRANONCE2_SIZE, config.coinbase_sig, room)  # the text fits
        self.payee = f"address {self._address}" + (f" and {self._aux.payee}" if self._aux else "")
        self._extranonce1 = secrets.token_bytes(_EXTRANONCE1_SIZE)
        self._payout: Payout | None = None
        self._job_ids = itertools.count(1)
        self._issued: dict[str, _Issued] = {}  # by job id, all on the current tip
        self._latest: _Issued | None = None  # None: the next job is a fresh start
        self._issued_at = 0.0
        self._tip = NodeTip()
        self._asked = self._told_payee = False
        self._submitting = asyncio.Lock()
        self._along: set[asyncio.Task[tuple[ShareStatus, str]]] = set()  # aux blocks that are being handed in
        self._closed = False

    async def follow(self) -> None:
        self._latest = None
        if self._payout is None:
            script = await payout_script(self._rpc.call, self._address, "coinbase_addr")
            self._payout = Payout(script, self._config.coinbase_sig)
        template = await self._fetch()
        await self._ask_beforehand(template)
        await self._choose_news(template)
        follower = None
        try:
            if self._aux:
                await self._aux.refresh()
                follower = asyncio.create_task(self._aux.follow())
                follower.add_done_callback(lambda _: self._poller.wake())
            while True:
                if follower and follower.done():
                    follower.result()
                self._tell_payee(template)
                self._issue(template)
                template = await self._next(template)
        finally:
            self._poller.drop()
            if follower:
                follower.cancel()

    def close(self) -> None:
        self._closed = True
        self._rpc.close()
        if self._aux:
            self._aux.close()

    def _tell_payee(self, template: Template) -> None:
        if template.given_coinbase and not self._told_payee:
            self._put(Notice(f"{self._rpc.label} makes the coinbase itself, which pays whom the server pays and not "
                             f"{self._address}"))
        self._told_payee = bool(template.given_coinbase)

    async def _ask_beforehand(self, template: Template) -> None:
        if self._asked:
            return
        assert self._payout is not None
        job = template.job("", self._config.algorithm, self._payout, self._extranonce1, clean=True)
        block = await in_thread(template.block, job.work(bytes(job.extranonce2_size)).share(0))
        await ask_beforehand(self._rpc.call, template, self._config.algorithm, block)
        self._asked = True

    async def submit(self, share: Share) -> ShareResult:
        issued = self._issued.get(share.job.job_id)
        value = hash_value(await in_thread(proof_hash, share.job.algorithm, share.header))
        block = value <= share.job.network_target
        if issued is None:
            return ShareResult(share, ShareStatus.STALE, "the chain moved on", block=block)
        template, aux = issued.template, issued.aux
        hand_in = self._submit_block if block else self._hand_in
        if self._aux is None or aux is None or value > aux.target:
            return await hand_in(share, template)
        if value > template.share_target:
            status, reason = await self._aux.submit(aux, share)
            return ShareResult(share, status, reason, aux=aux.id if status is ShareStatus.ACCEPTED else "")
        along = asyncio.create_task(self._aux.submit(aux, share))
        self._along.add(along)
        along.add_done_callback(self._along.discard)
        result = await hand_in(share, template)
        await asyncio.wait([along], timeout=_ALONG_SECONDS)
        taken = along.done() and along.result()[0] is ShareStatus.ACCEPTED
        return dataclasses.replace(result, aux=aux.id if taken else "")

    async def _choose_news(self, template: Template) -> None:
        """How new blocks will be heard of."""
        if not await self._watch.ask() and not self._watch.missing:
            self._put(Notice(f"{self._rpc.label} does not permit {METHOD} (see its option -rpcwhitelist): new blocks "
                             f"are looked for every {self._config.scan_time:g} seconds"))
        if long_poll := self._long_poll_rpc(template):
            self._put(Connecting("long-polling", long_poll.label))

    async def _next(self, template: Template) -> Template:
        """Wait until there may be something newer, and get it."""
        newer = await self._poller.wait(template.prev_hash, self._news(template), polling.REFRESH_SECONDS)
        if newer is None:
            return await self._fetch()
        if newer.same_work(template):
            self._poller.defer()
        return newer

    def _news(self, template: Template) -> Callable[[], Coroutine[Any, Any, Template]] | None:
        """What waits for something that follows on the template, and gets it; None where nothing tells of it."""
        rpc = self._long_poll_rpc(template)

        async def long_poll() -> Template:
            assert rpc is not None
            return await self._fetch(rpc, template.longpollid, patient=True)

        async def watch() -> Template:
            await self._watch.moved(template.prev_hash)
            return await self._fetch()

        return long_poll if rpc else watch if self._watch.known else None

    def _long_poll_rpc(self, template: Template) -> NodeRpc | None:
        """Where to long-poll for what follows on the template. None where that is not permitted, or would hold one of
        the node's few threads, even after we are gone: of a server that is no node, or that has a URL for it, that
        isn't known."""
        if not (self._config.longpoll and template.longpollid):
            return None
        if not template.longpolluri:
            return self._rpc if self._watch.missing else None
        url = long_poll_url(template.longpolluri, self._rpc.label)
        return self._rpc.at(url) if url else None

    def _issue(self, template: Template) -> None:
        """Make a job of a template, unless it would only repeat a job that is still young."""
        aux = self._aux.block_for(template.version) if self._aux else None
        now = asyncio.get_running_loop().time()
        latest = self._latest
        if (latest is not None and latest.template.same_work(template) and latest.aux == aux
                and now - self._issued_at < polling.REFRESH_SECONDS):
            return
        clean = self._tip.move(template.prev_hash) or latest is None
        self._issued = {key: old for key, old in self._issued.items() if old.template.prev_hash == template.prev_hash}
        self._latest, self._issued_at = _Issued(template, aux), now
        assert self._payout is not None
        job_id = f"{next(self._job_ids):x}"
        job = template.job(job_id, self._config.algorithm, self._payout, self._extranonce1, clean=clean, aux=aux)
        self._issued[job_id] = self._latest
        if len(self._issued) > _KEPT_JOBS:
            del self._issued[next(iter(self._issued))]
        self._put(job)

    async def _fetch(self, rpc: NodeRpc | None = None, longpollid: str = "", *, patient: bool = False) -> Template:
        asked_at = asyncio.get_running_loop().time()
        reply = await (rpc or self._rpc).exchange("getblocktemplate", template_request(longpollid), patient=patient,
                                                  parse=parse_template)
        template: Template = reply.result
        self._tip.wanted(template.prev_hash, asked_at)
        return template

    async def _submit_block(self, share: Share, template: Template) -> ShareResult:
        async with self._submitting:  # one by one: the second block on a tip must know of the first
            if self._tip.is_solved(template.prev_hash):
                return ShareResult(share, ShareStatus.STALE, "the chain moved on", block=True)
            result = dataclasses.replace(await self._hand_in(share, template), block=True)
            if result.status is ShareStatus.ACCEPTED:
                self._tip.solve(template.prev_hash)
            if result.status is not ShareStatus.REJECTED:
                self._poller.wake()
            return result

    async def _hand_in(self, share: Share, template: Template) -> ShareResult:
        params: list[object] = [await in_thread(template.block, share)]
        if template.workid:
            params.append({"workid": template.workid})
        try:
            reply = await hand_in(self._rpc, "submitblock", *params, retries=self._config.retries,
                                  too_late=lambda: self._too_late(template), tell=lambda text: self._put(Notice(text)))
        except (OSError, MinerError) as error:
            status, reason = failed_submit(error, self._rpc.label)
            return ShareResult(share, status, reason)
        # Asked again after an answer that was lost, a node calls a block that it took the first time a duplicate.
        if reply.result is None or (reply.again and reply.result == DUPLICATE):
            return ShareResult(share, ShareStatus.ACCEPTED)
        reason = one_line(reply.result)
        return ShareResult(share, submit_verdict(reason), explain_verdict(reason))

    def _too_late(self, template: Template) -> bool:
        """Whether the chain has moved past a block of this template, or nobody would hear of it any more."""
        return self._closed or (self._latest is not None and self._latest.template.prev_hash != template.prev_hash)

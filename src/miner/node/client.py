"""NodeSource: work from a node by getblocktemplate, blocks back to it by submitblock."""

import asyncio
import contextlib
import itertools
import random
import secrets
from collections.abc import AsyncIterator

from miner.config import SourceConfig
from miner.core.coinbase import split_coinbase
from miner.core.errors import MinerError, SourceError
from miner.core.model import Share, ShareResult, ShareStatus
from miner.core.source import Connecting, Disconnected, SourceEvent, WorkSource
from miner.core.text import one_line
from miner.node.jsonrpc import JsonRpcError
from miner.node.payout import check_address, script_from_answer
from miner.node.refusals import DUPLICATE, INITIAL_DOWNLOAD, METHOD_NOT_FOUND, WARMING_UP, explain, submit_verdict
from miner.node.template import EXTRANONCE2_SIZE, MAX_HEIGHT, Payout, Template, parse_template, template_request
from miner.node.transport import NodeRpc

REFRESH_SECONDS = 30.0  # the oldest that a job's time may get while nothing else changes

_CALL_SECONDS = 60.0  # a node that needs longer for an answer is not well
_SUBMIT_ATTEMPTS = 3
_SUBMIT_PAUSE = 1.0
_MAX_RETRY_PAUSE = 300.0
_KEPT_TEMPLATES = 16  # jobs on the current tip for which a block can still be built
_EXTRANONCE1_SIZE = 4


class NodeSource(WorkSource):
    """Each template makes one job. Two sources never hash the same coinbase: each has an extranonce1 of its own, drawn
    at random. A tip takes one block: when the node has accepted ours, what else is found on that tip is stale, and the
    next template is asked for at once."""

    def __init__(self, config: SourceConfig) -> None:
        self.algorithm = config.algorithm
        self._config = config
        self._rpc = NodeRpc(config.url, config.username, config.password)
        self._address = check_address(config.coinbase_addr)
        split_coinbase(MAX_HEIGHT, [], _EXTRANONCE1_SIZE + EXTRANONCE2_SIZE, config.coinbase_sig)  # the text fits
        self.label = self._rpc.label
        self.payee = f"address {self._address}"
        self._extranonce1 = secrets.token_bytes(_EXTRANONCE1_SIZE)
        self._payout: Payout | None = None
        self._job_ids = itertools.count(1)
        self._templates: dict[str, Template] = {}  # by job id, all on the current tip
        self._latest: Template | None = None  # None: contact was lost, the next job is a fresh start
        self._issued_at = 0.0
        self._spent: bytes | None = None  # previous hash on which the node has a block of ours
        self._failures = 0
        self._longpoll: asyncio.Task[object] | None = None
        self._longpoll_tip = b""
        self._longpoll_after = 0.0
        self._wake = asyncio.Event()
        self._submitting = asyncio.Lock()
        self._queue: asyncio.Queue[SourceEvent | None] = asyncio.Queue()
        self._runner: asyncio.Task[None] | None = None
        self._closed = False

    async def events(self) -> AsyncIterator[SourceEvent]:
        if self._closed:
            return
        runner = self._runner = asyncio.create_task(self._run())
        try:
            while (event := await self._queue.get()) is not None:
                yield event
            await asyncio.wait([runner])
            if not runner.cancelled():
                runner.result()
        finally:
            runner.cancel()

    async def submit(self, share: Share) -> ShareResult:
        async with self._submitting:  # one by one: the second block on a tip must know of the first
            template = self._templates.get(share.job.job_id)
            if self._closed or template is None or template.prev_hash == self._spent:
                reason = "the source is closed" if self._closed else "the chain moved on"
                return ShareResult(share, ShareStatus.STALE, reason, block=True)
            result = await self._submit_block(share, template)
            if result.status is ShareStatus.ACCEPTED:
                self._spent = template.prev_hash
            if result.status is not ShareStatus.REJECTED:
                self._wake.set()
            return result

    async def aclose(self) -> None:
        self._closed = True
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while True:
                self._put(Connecting("getblocktemplate", self.label))
                try:
                    await self._follow_chain()
                except (MinerError, OSError) as error:
                    await self._sit_out(error)
        finally:
            self._put(None)

    async def _follow_chain(self) -> None:
        """Issue a job for each new template, until something goes wrong."""
        if self._payout is None:
            self._payout = Payout(await self._payout_script(), self._config.coinbase_sig)
        template = await self._fetch()
        if self._config.longpoll and template.longpollid:
            self._put(Connecting("long-polling", self.label))
        try:
            while True:
                self._failures = 0
                self._issue(template)
                template = await self._next(template)
        finally:
            self._drop_longpoll()

    async def _next(self, template: Template) -> Template:
        """Wait until there may be something newer, and get it: by long poll, else by asking again after a while, and
        at once after a block of ours."""
        loop = asyncio.get_running_loop()
        if self._longpoll_tip != template.prev_hash:
            self._drop_longpoll()  # it should have answered long ago: its connection may be dead
        if (self._longpoll is None and self._config.longpoll and template.longpollid
                and loop.time() >= self._longpoll_after):
            # No time limit: it answers when the tip changes. The calls in between show whether the node is alive.
            self._longpoll = asyncio.create_task(
                self._rpc.call("getblocktemplate", template_request(template.longpollid), timeout=None))
            self._longpoll.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._longpoll_tip = template.prev_hash
        woken = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait([woken, self._longpoll] if self._longpoll else [woken],
                               timeout=REFRESH_SECONDS if self._longpoll else self._config.scan_time,
                               return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
        self._wake.clear()
        if self._longpoll is not None and self._longpoll.done():
            finished, self._longpoll = self._longpoll, None
            newer = None if finished.exception() else parse_template(finished.result())
            if newer is None or newer.same_work(template):
                self._longpoll_after = loop.time() + self._config.scan_time  # no use in asking again at once
            if newer is not None:
                return newer
        return await self._fetch()

    def _issue(self, template: Template) -> None:
        """Make a job of a template, unless it would only repeat a job that is still young."""
        now = asyncio.get_running_loop().time()
        latest = self._latest
        if latest is not None and latest.same_work(template) and now - self._issued_at < REFRESH_SECONDS:
            return
        clean = latest is None or latest.prev_hash != template.prev_hash
        if clean and template.prev_hash == self._spent:
            self._spent = None  # the chain went back: our block is no longer on it
        self._templates = {key: old for key, old in self._templates.items() if old.prev_hash == template.prev_hash}
        self._latest, self._issued_at = template, now
        assert self._payout is not None
        job_id = f"{next(self._job_ids):x}"
        job = template.job(job_id, self.algorithm, self._payout, self._extranonce1, clean=clean)
        self._templates[job_id] = template
        if len(self._templates) > _KEPT_TEMPLATES:
            del self._templates[next(iter(self._templates))]
        self._put(job)

    async def _fetch(self) -> Template:
        return parse_template(await self._call("getblocktemplate", template_request()))

    async def _payout_script(self) -> bytes:
        try:
            answer = await self._call("validateaddress", self._address)
        except JsonRpcError as error:
            if error.code != METHOD_NOT_FOUND:
                raise
            answer = {"isvalid": True}  # it can't say: the address must stand for itself
        return script_from_answer(self._address, answer)

    async def _call(self, method: str, *params: object) -> object:
        answer: object = await self._rpc.call(method, *params, timeout=min(self._config.timeout, _CALL_SECONDS))
        return answer

    async def _sit_out(self, error: MinerError | OSError) -> None:
        """Tell what happened and wait before the next try. Raises SourceError where trying again makes no sense."""
        trouble = explain(error, self.label)
        text = trouble.text
        if isinstance(error, JsonRpcError) and error.code == INITIAL_DOWNLOAD:
            text += await self._download_progress()
        self._failures += 1
        if trouble.for_good or 0 <= self._config.retries < self._failures:
            raise SourceError(text) from None
        self._latest = None
        pause = self._config.retry_pause * 2 ** min(self._failures - 1, 16)
        pause = min(pause, max(_MAX_RETRY_PAUSE, self._config.retry_pause)) * random.uniform(1, 1.25)
        self._put(Disconnected(text, pause))
        await asyncio.sleep(pause)

    async def _download_progress(self) -> str:
        with contextlib.suppress(MinerError, OSError):
            answer = await self._call("getblockchaininfo")
            progress = answer.get("verificationprogress") if isinstance(answer, dict) else None
            if isinstance(progress, float) and 0 <= progress <= 1:
                return f" (initial block download: {progress:.0%})"
        return ""

    async def _submit_block(self, share: Share, template: Template) -> ShareResult:
        params: list[object] = [template.block(share).hex()]
        if template.workid:
            params.append({"workid": template.workid})
        for attempt in range(_SUBMIT_ATTEMPTS):
            if attempt:
                await asyncio.sleep(_SUBMIT_PAUSE)
            try:
                answer = await self._call("submitblock", *params)
            except (OSError, MinerError) as error:
                reason = explain(error, self.label).text
                if isinstance(error, OSError) or (isinstance(error, JsonRpcError) and error.code == WARMING_UP):
                    continue
                return ShareResult(share, ShareStatus.REJECTED, reason)
            # Asked again after an answer that was lost, a node calls a block that it took the first time a duplicate.
            if answer is None or (attempt and answer == DUPLICATE):
                return ShareResult(share, ShareStatus.ACCEPTED, block=True)
            reason = one_line(answer)
            return ShareResult(share, submit_verdict(reason), reason, block=reason != "high-hash")
        return ShareResult(share, ShareStatus.STALE, f"no answer: {reason}", block=True)

    def _drop_longpoll(self) -> None:
        if self._longpoll is not None:
            self._longpoll.cancel()
            self._longpoll = None

    def _put(self, event: SourceEvent | None) -> None:
        self._queue.put_nowait(event)

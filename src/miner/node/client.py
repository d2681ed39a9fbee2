"""NodeSource: work from a node by getblocktemplate, and where it has none by getwork."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

from miner.config import SourceConfig
from miner.core.errors import MinerError, ProtocolError, SourceError
from miner.core.model import Job, Share, ShareResult, ShareStatus
from miner.core.source import Connecting, Disconnected, Notice, SourceEvent, SourceKind, WorkSource
from miner.event_queue import EventQueue
from miner.net import Route
from miner.node.feed import Feed
from miner.node.getwork import EXTENSIONS, StratumOfferedError
from miner.node.getwork_feed import GetworkFeed
from miner.node.jsonrpc import HttpError, JsonRpcError
from miner.node.refusals import INITIAL_DOWNLOAD, download_progress, explain, is_unknown_method
from miner.node.template_feed import TemplateFeed
from miner.node.transport import NodeRpc

# Once there was work, what is wrong with these is not us: a node that starts again, a proxy's page before it.
_ANSWERS = (JsonRpcError, HttpError, ProtocolError, OSError)
_MAX_RETRY_PAUSE = 60.0  # a node has few clients, and one that is well again should not wait for them


class NodeSource(WorkSource):
    """A node as a WorkSource. Work comes from a feed: by getblocktemplate, or, where the node doesn't know that or
    `config.gbt` forbids it, by getwork. Where the node is in trouble the feed is begun again after a pause, for ever or
    as often as `config.retries` says."""

    kind = SourceKind.NODE

    def __init__(self, config: SourceConfig) -> None:
        """Nothing is sent yet. Raises UsageError for settings that won't do at a node."""
        self.algorithm = config.algorithm
        self._config = config
        self._rpc = NodeRpc(config.url, config.username, config.password, cookie_file=config.cookie_file,
                            route=Route.of(config),
                            patience=config.timeout, extensions=EXTENSIONS if config.getwork else "",
                            on_traffic=self._put if config.protocol_dump else None)
        self._feed: Feed = (TemplateFeed if config.gbt else GetworkFeed)(config, self._rpc, self._put)
        self.label = self._rpc.label
        self.payee = self._feed.payee
        self._tried = self._feed.what
        self._failures = 0
        self._had_job = False
        self._events: EventQueue[SourceEvent] = EventQueue()
        self._runner: asyncio.Task[None] | None = None
        self._closed = False

    async def events(self) -> AsyncIterator[SourceEvent]:
        if self._closed:
            return
        runner = self._runner = asyncio.create_task(self._run())
        try:
            while (event := await self._events.get()) is not None:
                yield event
            await asyncio.wait([runner])
            if not runner.cancelled():
                runner.result()
        finally:
            runner.cancel()

    async def submit(self, share: Share) -> ShareResult:
        if self._closed:
            return ShareResult(share, ShareStatus.STALE, "the source is closed", block=True)
        return await self._feed.submit(share)

    def used_up(self) -> bool:
        return self._feed.used_up()

    async def aclose(self) -> None:
        self._closed = True
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
        self._feed.close()

    async def _run(self) -> None:
        try:
            while True:
                self._put(Connecting(self._feed.what, self.label))
                try:
                    await self._feed.follow()
                except StratumOfferedError:
                    raise
                except (MinerError, OSError) as error:
                    if not self._falls_back(error):
                        await self._sit_out(error)
        finally:
            self._events.close()

    def _falls_back(self, error: Exception) -> bool:
        """Go over to getwork where there are no templates, and never were: who is paid changes with that."""
        if self._had_job or not self._config.getwork or not is_unknown_method(error) or self._feed.what == "getwork":
            return False
        self._feed = GetworkFeed(self._config, self._rpc, self._put)
        self._tried += f" or {self._feed.what}"
        if self._config.aux:
            self._put(Notice("nothing is mined along: `aux` needs a node that gives block templates"))
        self._put(Notice(f"{self.label} gives no block templates: mining by getwork, which pays whom the server pays "
                         f"and not {self._config.coinbase_addr}"))
        return True

    async def _sit_out(self, error: MinerError | OSError) -> None:
        """Tell what happened and wait before the next try. Raises SourceError where trying again makes no sense."""
        if isinstance(error, OSError) and not self._had_job:
            error = await self._rpc.wrong_door(error) or error
        trouble = explain(error, self.label, self._tried, self._rpc.by_cookie)
        text = trouble.text
        if isinstance(error, JsonRpcError) and error.code == INITIAL_DOWNLOAD:
            text += await self._download_progress()
        if is_unknown_method(error) and not self._config.coinbase_addr:
            text += " Nodes of today give block templates, which need `coinbase_addr=ADDRESS`"
        self._failures += 1
        if trouble.for_good and not (self._had_job and isinstance(error, _ANSWERS)):
            raise SourceError(text) from None
        if 0 <= self._config.retries < self._failures:
            raise SourceError(f"{text}; gave up after {self._config.retries} retries") from None
        pause = self._config.retry_pause * 2 ** min(self._failures - 1, 16)
        pause = min(pause, max(_MAX_RETRY_PAUSE, self._config.retry_pause)) * random.uniform(1, 1.25)
        self._put(Disconnected(text, pause))
        await asyncio.sleep(pause)

    async def _download_progress(self) -> str:
        with contextlib.suppress(MinerError, OSError):
            return download_progress(await self._rpc.call("getblockchaininfo"))
        return ""

    def _put(self, event: SourceEvent) -> None:
        if isinstance(event, Job):
            self._failures, self._had_job = 0, True
        self._events.put(event)

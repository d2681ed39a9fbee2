"""A node that may announce a stratum server (getwork's header X-Stratum), which is mined at from then on."""

import dataclasses
from collections.abc import AsyncIterator

from miner.config import SourceConfig
from miner.core.model import MinerReport, Share, ShareResult
from miner.core.source import MovedTo, Notice, SourceEvent, WorkSource
from miner.node.client import NodeSource
from miner.node.getwork import StratumOfferedError
from miner.sources.failover import FailoverSource
from miner.stratum.client import StratumSource


class AnnouncedSource(WorkSource):
    """A node, until it announces a stratum server. Then work comes from that server, and from the node while the server
    has none. No other chain is mined along from then on: neither stratum nor getwork has room for its blocks."""

    def __init__(self, config: SourceConfig) -> None:
        """Raises UsageError for settings that won't do at a node."""
        self._config = config
        self._source: WorkSource = NodeSource(config)
        self.algorithm, self.label, self.payee = self._source.algorithm, self._source.label, self._source.payee
        self.kind = self._source.kind
        self._closed = False

    async def events(self) -> AsyncIterator[SourceEvent]:
        node = self._source
        try:
            async for event in node.events():
                yield event
            return
        except StratumOfferedError as offered:
            url = offered.url
        await node.aclose()
        if self._closed:
            return
        yield Notice(f"{self.label} announces {url}: going over to it")
        at_home = dataclasses.replace(self._config, stratum=False, aux=None)
        elsewhere = dataclasses.replace(at_home, url=url, cookie_file="")
        self._source = FailoverSource([lambda: StratumSource(elsewhere), lambda: NodeSource(at_home)])
        async for event in self._source.events():
            if isinstance(event, MovedTo):
                self.label, self.payee, self.kind = event.label, event.payee, event.kind
            yield event

    async def submit(self, share: Share) -> ShareResult:
        return await self._source.submit(share)

    def used_up(self) -> bool:
        return self._source.used_up()

    async def report(self, report: MinerReport) -> None:
        await self._source.report(report)

    async def aclose(self) -> None:
        self._closed = True
        await self._source.aclose()

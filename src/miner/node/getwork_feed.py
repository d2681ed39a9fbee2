"""Work by getwork, and shares handed back by it."""

import itertools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from miner.config import SourceConfig
from miner.core.algorithm import sha256d
from miner.core.errors import MinerError
from miner.core.model import Share, ShareResult, ShareStatus
from miner.core.source import Connecting, Notice, SourceEvent
from miner.node import polling
from miner.node.feed import Feed
from miner.node.getwork import (
    Getwork,
    Offers,
    StratumOfferedError,
    parse_getwork,
    parse_offers,
    why_not_followed,
)
from miner.node.handing_in import hand_in
from miner.node.jsonrpc import Reply
from miner.node.refusals import DUPLICATE, failed_submit, rejected_getwork
from miner.node.tip_watch import TipWatch
from miner.node.transport import NodeRpc

_KEPT_WORKS = 64  # on the current tip, for which shares are still handed in


@dataclass(frozen=True, slots=True)
class _Received:
    work: Getwork
    offers: Offers


class GetworkFeed(Feed):
    """Each answer to getwork makes one job, which has nothing to vary but the nonce, and the time as far as the server
    permits. Where it does not permit that, new work is asked for every `scan_time` seconds as well, and when all nonces
    have been tried. `follow` raises StratumOfferedError where the server announces stratum at a URL that may be
    followed."""

    what = "getwork"

    def __init__(self, config: SourceConfig, rpc: NodeRpc, put: Callable[[SourceEvent], None]) -> None:
        self._config, self._rpc, self._put = config, rpc, put
        who = f"user {config.username}" if config.username else "whom it chooses"
        self.payee = f"the server's own: {who}"
        self._poller: polling.Poller[_Received] = polling.Poller(config.scan_time)
        self._job_ids = itertools.count(1)
        self._works: dict[str, Getwork] = {}  # by job id, all on the current tip
        self._tip = b""  # b"": the next job is a fresh start
        self._stratum = ""
        self._watch = TipWatch(rpc, config.scan_time)
        self._closed = False

    async def follow(self) -> None:
        self._tip = b""
        received = self._read(await self._rpc.exchange("getwork"))
        if long_poll := self._long_poll_rpc(received):
            self._put(Connecting("long-polling", long_poll.label))
        else:
            await self._watch.ask()
        try:
            while True:
                self._issue(received)
                received = await self._next(received)
        finally:
            self._poller.drop()

    async def submit(self, share: Share) -> ShareResult:
        work = self._works.get(share.job.job_id)
        if work is None:
            return ShareResult(share, ShareStatus.STALE, "the chain moved on")
        try:
            reply = await hand_in(self._rpc, "getwork", work.submission(share), retries=self._config.retries,
                                  too_late=lambda: self._closed or self._tip not in (b"", work.prev_hash),
                                  tell=lambda text: self._put(Notice(text)))
        except (OSError, MinerError) as error:
            return ShareResult(share, *failed_submit(error, self._rpc.label))
        if reply.result is True:
            self._poller.wake()
            return ShareResult(share, ShareStatus.ACCEPTED)
        reason = parse_offers(reply.headers, self._rpc.label).reject_reason
        if reply.again and (DUPLICATE in reason or await self._is_newest(share)):
            self._poller.wake()
            return ShareResult(share, ShareStatus.ACCEPTED)
        return ShareResult(share, rejected_getwork(reason), reason)

    async def _is_newest(self, share: Share) -> bool:
        """Whether the server's work follows on the block that the share is: it was taken, and only the answer lost."""
        try:
            following = self._read(await self._rpc.exchange("getwork")).work
        except (OSError, MinerError):
            return False
        return following.prev_hash == sha256d(share.header)

    def used_up(self) -> bool:
        self._poller.wake()
        return True

    def close(self) -> None:
        self._closed = True
        self._rpc.close()

    async def _next(self, last: _Received) -> _Received:
        """Wait until there may be something newer, and get it."""
        refresh = polling.REFRESH_SECONDS if last.offers.max_roll else self._config.scan_time
        newer = await self._poller.wait(last.work.prev_hash, self._news(last), refresh)
        if newer is None:
            return self._read(await self._rpc.exchange("getwork"))
        if newer.work.prev_hash == last.work.prev_hash:
            self._poller.defer()
        return newer

    def _news(self, last: _Received) -> Callable[[], Coroutine[Any, Any, _Received]] | None:
        """What waits for something that follows on the last work, and gets it; None where nothing tells of it."""
        rpc = self._long_poll_rpc(last)

        async def long_poll() -> _Received:
            assert rpc is not None
            return self._read(await rpc.exchange("getwork", patient=True))

        async def watch() -> _Received:
            await self._watch.moved(last.work.prev_hash)
            return self._read(await self._rpc.exchange("getwork"))

        return long_poll if rpc else watch if self._watch.known else None

    def _long_poll_rpc(self, last: _Received) -> NodeRpc | None:
        """Where the server offers a long poll, if that is permitted."""
        url = last.offers.long_poll
        return self._rpc.at(url) if self._config.longpoll and url else None

    def _read(self, reply: Reply) -> _Received:
        offers = parse_offers(reply.headers, self._rpc.label)
        if offers.stratum and offers.stratum != self._stratum:
            reason = why_not_followed(offers.stratum, self._config)
            if not reason:
                raise StratumOfferedError(offers.stratum)
            self._put(Notice(f"{self._rpc.label} offers {offers.stratum}, which is not followed: {reason}"))
            self._stratum = offers.stratum
        return _Received(parse_getwork(reply.result), offers)

    def _issue(self, received: _Received) -> None:
        work = received.work
        clean = work.prev_hash != self._tip
        if not clean and work in self._works.values():
            return  # the same header again
        if clean:
            self._works.clear()
            self._tip = work.prev_hash
        job_id = f"{next(self._job_ids):x}"
        self._works[job_id] = work
        if len(self._works) > _KEPT_WORKS:
            del self._works[next(iter(self._works))]
        self._put(work.job(job_id, self._config.algorithm, clean=clean, max_roll=received.offers.max_roll))

"""Mining by getwork, on a real node behind a getwork server."""

import asyncio
import functools
import itertools
import os
import struct
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest

import counterparts
import miner
from miner import session
from miner.config import EngineConfig, SourceConfig
from miner.core.algorithm import Algorithm
from miner.core.errors import SourceError
from miner.core.events import BlockFound, MinerEvent, NewJob, ShareDone, Trouble
from miner.core.model import Job, ShareStatus
from miner.core.source import Connecting, Notice
from miner.node.client import NodeSource
from node.daemon import Daemon
from node.faulty import ScriptedNode, ok
from node.getwork_server import PADDING, GetworkServer, swapped
from node.knots import Knots
from node.litecoind import Litecoind
from node.mining import NEVER, SCRYPT, SHA256D, WAIT, Events, check_headers, next_event, next_job, solve

LONG_POLL = {"X-Long-Polling": "/LP"}
ROLLING = {"X-Roll-NTime": "expire=30"}
LITECOIN = functools.partial(Litecoind, mweb=False)
YOUNG = 200  # blocks before ours
PAYEE = "mxtT9y4YD5yJocLi7zrop7FW63WubeAHjG"

Play = Callable[[NodeSource, Events, GetworkServer, Litecoind], Awaitable[None]]


def play_on(play: Play, headers: dict[str, str] | None = None, **settings: Any) -> None:
    async def main() -> None:
        with Litecoind(mweb=False) as node:
            node.generate(YOUNG)
            async with asyncio.timeout(3 * WAIT), GetworkServer(node, headers) as server:
                config = SourceConfig(**({"url": server.url, "username": "rpc", "password": "secret", "gbt": False,
                                          "retry_pause": 0.05} | settings))
                async with NodeSource(config) as source, aclosing(source.events()) as events:  # type: ignore[type-var]
                    await play(source, events, server, node)

    asyncio.run(main())


@pytest.mark.parametrize(("coin", "algorithm", "headers"), [
    (LITECOIN, SCRYPT, {}), (LITECOIN, SCRYPT, LONG_POLL), (LITECOIN, SCRYPT, LONG_POLL | ROLLING),
    (Knots, SHA256D, LONG_POLL | ROLLING),
])
def test_blocks_by_the_engine(coin: Callable[[], Daemon], algorithm: Algorithm, headers: dict[str, str]) -> None:
    async def main() -> None:
        with coin() as node:
            node.generate(YOUNG)
            async with GetworkServer(node, headers) as server:
                def work() -> None:
                    config = SourceConfig(algorithm, server.url, gbt=False, scan_time=0.5)
                    blocks = 0
                    with miner.mine(config, EngineConfig(threads=2, pin=False)) as mining:
                        for event in mining:
                            if isinstance(event, ShareDone):
                                assert event.result.status is not ShareStatus.REJECTED, event.result.reason
                            blocks += isinstance(event, BlockFound)
                            if blocks == 12:
                                break

                async with asyncio.timeout(2 * WAIT):
                    await asyncio.to_thread(work)
                assert node.height >= YOUNG + 12
                check_headers(node, YOUNG + 1, node.height, algorithm)

    asyncio.run(main())


@pytest.mark.parametrize("path", ["/LP", "/LP?for=us"])
def test_long_poll_tells_of_others_blocks(path: str, no_refresh: None) -> None:
    async def play(source: NodeSource, events: Events, server: GetworkServer, node: Litecoind) -> None:
        assert source.payee == "the server's own: user rpc"
        assert await anext(events) == Connecting("getwork", server.url)
        assert await anext(events) == Connecting("long-polling", server.url + path[1:])
        job = await next_job(events)
        assert job.merkle_root is not None and job.extranonce2_size == 0 and job.clean
        await asyncio.to_thread(node.generate, 1)
        assert (await next_job(events, after=job.prev_hash)).clean
        assert (path, []) in server.calls
        assert all("Authorization: Basic" in head for head in server.sent_headers)
        assert all("X-Mining-Extensions: longpoll" in head for head in server.sent_headers)

    play_on(play, ROLLING | {"X-Long-Polling": path}, scan_time=NEVER)


def test_new_work_is_fetched_when_all_nonces_have_been_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only after scan_time: fast machines are through with 2^32 nonces in a second."""
    monkeypatch.setattr(session, "NONCES", 1 << 10)
    count = itertools.count()

    async def getwork(params: list[Any]) -> bytes:
        header = struct.pack("<I60xIII4x", 1, next(count), 1_700_000_000, 0x1D00FFFF)
        return ok({"data": swapped(header + PADDING).hex(), "target": "01" + "00" * 31})

    async def main() -> None:
        async with asyncio.timeout(WAIT), ScriptedNode({"getwork": getwork}) as node:
            def mine() -> list[MinerEvent]:
                seen: list[MinerEvent] = []
                with miner.mine(SourceConfig(url=node.url, gbt=False, scan_time=NEVER),
                                EngineConfig(threads=2, pin=False)) as mining:
                    for event in mining:
                        seen.append(event)
                        if sum(isinstance(event, NewJob) for event in seen) == 5:
                            break
                return seen

            seen = await asyncio.to_thread(mine)
            assert not [event for event in seen if isinstance(event, Trouble)]
            assert [event.restart for event in seen if isinstance(event, NewJob)] == [True, False, False, False, False]

    asyncio.run(main())


def test_time_is_rolled_only_as_far_as_the_server_permits() -> None:
    async def play(source: NodeSource, events: Events, server: GetworkServer, node: Litecoind) -> None:
        job = await next_job(events)
        assert job.max_roll == 30
        server.headers = {}
        assert (await source.submit(solve(job, ntime=job.ntime + 30))).status is ShareStatus.ACCEPTED
        assert (await next_job(events, after=job.prev_hash)).max_roll == 0

    play_on(play, ROLLING)


def test_refusals_come_with_the_servers_reason() -> None:
    async def play(source: NodeSource, events: Events, server: GetworkServer, node: Litecoind) -> None:
        job = await next_job(events)
        result = await source.submit(solve(job, meets_target=False))
        assert (result.status, result.reason) == (ShareStatus.REJECTED, "high-hash")
        server.known.clear()
        result = await source.submit(solve(job))
        assert (result.status, result.reason) == (ShareStatus.STALE, "unknown-work")

    play_on(play)


def test_falls_back_to_getwork_and_says_whom_that_pays() -> None:
    async def play(source: NodeSource, events: Events, server: GetworkServer, node: Litecoind) -> None:
        notice = await next_event(events, lambda event: isinstance(event, Notice))
        assert f"mining by getwork, which pays whom the server pays and not {PAYEE}" in notice.text
        assert (await source.submit(solve(await next_job(events)))).status is ShareStatus.ACCEPTED

    play_on(play, gbt=True, coinbase_addr=PAYEE)


def test_no_getwork_is_obeyed() -> None:
    async def play(source: NodeSource, events: Events, server: GetworkServer, node: Litecoind) -> None:
        with pytest.raises(SourceError, match="does not offer getblocktemplate; is it"):
            await next_job(events)
        assert not server.calls

    play_on(play, gbt=True, getwork=False, coinbase_addr=PAYEE)


def test_without_an_address_a_node_of_today_says_what_is_missing() -> None:
    async def main() -> None:
        async with (asyncio.timeout(WAIT), ScriptedNode({}) as node,
                    NodeSource(SourceConfig(url=node.url, gbt=False)) as source):
            with pytest.raises(SourceError, match="not offer getwork.*which need `coinbase_addr=ADDRESS`"):
                await next_job(source.events())

    asyncio.run(main())


def test_no_stratum_is_obeyed() -> None:
    async def play(source: NodeSource, events: Events, server: GetworkServer, node: Litecoind) -> None:
        notice = await next_event(events, lambda event: isinstance(event, Notice))
        assert notice.text.endswith("offers stratum+tcp://127.0.0.1:3333, which is not followed: `stratum=False`")
        assert isinstance(await next_job(events), Job)

    play_on(play, {"X-Stratum": "stratum+tcp://127.0.0.1:3333"}, stratum=False)


@pytest.mark.minerd
def test_minerd_mines_on_the_same_server() -> None:
    """So the server speaks getwork as others understand it."""
    program = counterparts.require("minerd", counterparts.minerd(), "name a minerd 2.5.1 by MINERD")

    async def main() -> None:
        with Litecoind(mweb=False) as node:
            node.generate(YOUNG)
            async with GetworkServer(node, LONG_POLL) as server:
                process = subprocess.Popen(
                    [program, "-a", "scrypt", "-t", "1", "--no-gbt", "-o", server.url, "-O", "a:b", "-s", "1"],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
                try:
                    async with asyncio.timeout(WAIT):
                        while await asyncio.to_thread(lambda: node.height) < YOUNG + 3:
                            await asyncio.sleep(0.1)
                finally:
                    process.kill()
                    process.wait(10)

    asyncio.run(main())



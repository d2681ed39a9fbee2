"""A getwork server that announces stratum: a real HTTP server that names a real hub."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

from hub_players import TOKEN, solve
from miner.config import AuxConfig, SourceConfig
from miner.core.algorithm import Algorithm
from miner.core.model import Job, ShareStatus
from miner.core.source import Connecting, MovedTo, Notice, SourceEvent, SourceKind
from miner.hub import Hub, HubConfig
from miner.sandbox import SandboxSource
from miner.sources.open import open_source
from node.faulty import ScriptedNode, ok
from stratum_pool import within_limit

SHA256D = Algorithm.parse("sha256d")
PAYEE = "mxtT9y4YD5yJocLi7zrop7FW63WubeAHjG"
WORK = {"data": "00" * 72 + "207fffff" + "00" * 52, "target": "ff" * 32}


def announcing(url: str) -> ScriptedNode:
    return ScriptedNode({"getwork": ok(WORK).replace(b"\r\n", f"\r\nX-Stratum: {url}\r\n".encode(), 1)})


def config(node: ScriptedNode, **changes: Any) -> SourceConfig:
    settings = {"algorithm": SHA256D, "username": "alice", "password": TOKEN, "gbt": False, "retry_pause": 0.1}
    return SourceConfig(url=node.url, **(settings | changes))


async def next_of(kind: type[SourceEvent], events: AsyncIterator[SourceEvent]) -> Any:
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError("the events ended")


@within_limit
async def test_it_is_mined_at_by_stratum_and_by_getwork_again_when_that_is_gone() -> None:
    async with Hub(SandboxSource(SHA256D), HubConfig(token=TOKEN)) as hub:
        host, port = await hub.start()
        url = f"stratum+tcp://{host}:{port}"
        async with announcing(url) as node, open_source(config(node)) as source:
            events = source.events()
            assert (source.label, source.kind) == (node.url, SourceKind.NODE)
            assert await next_of(Connecting, events) == Connecting("getwork", node.url)
            assert await anext(events) == Notice(f"{node.url} announces {url}: going over to it")
            assert await next_of(MovedTo, events) == MovedTo(url, "pool user alice", SourceKind.POOL)
            job = await next_of(Job, events)
            result = await source.submit(await asyncio.to_thread(solve, job))
            assert (result.status, result.reason) == (ShareStatus.ACCEPTED, "")
            assert [row.accepted for row in hub.snapshot().miners] == [1]
            await hub.aclose()
            assert (source.payee, source.kind) == ("pool user alice", SourceKind.POOL)
            assert await next_of(MovedTo, events) == MovedTo(node.url, "the server's own: user alice", SourceKind.NODE)
            assert (await next_of(Job, events)).merkle_root is not None


@within_limit
async def test_what_may_not_be_followed_is_told_once() -> None:
    async with (announcing("stratum+tcp://elsewhere.example:3333") as node,
                open_source(config(node, scan_time=0.05)) as source):
        events = source.events()
        notice = await next_of(Notice, events)
        assert re.search("offers stratum.*not followed: it is on another host", notice.text)
        await next_of(Job, events)
        while node.count("getwork") < 3:
            await asyncio.sleep(0.01)
        await source.aclose()
        assert [event async for event in events if isinstance(event, Notice)] == []


@within_limit
async def test_where_nothing_can_be_mined_along_it_is_said_and_mined_on() -> None:
    """A server without block templates that announces stratum, and a chain that was to be mined along."""
    async with Hub(SandboxSource(SHA256D), HubConfig(token=TOKEN)) as hub:
        host, port = await hub.start()
        along = AuxConfig("http://127.0.0.1:1/", PAYEE)
        async with (announcing(f"stratum+tcp://{host}:{port}") as node,
                    open_source(config(node, gbt=True, coinbase_addr=PAYEE, aux=along)) as source):
            events = source.events()
            while "nothing is mined along" not in (notice := await next_of(Notice, events)).text:
                pass
            assert notice.text == "nothing is mined along: `aux` needs a node that gives block templates"
            assert await next_of(MovedTo, events) == MovedTo(f"stratum+tcp://{host}:{port}", "pool user alice",
                                                            SourceKind.POOL)
            job = await next_of(Job, events)
            assert (await source.submit(await asyncio.to_thread(solve, job))).status is ShareStatus.ACCEPTED


@within_limit
async def test_closing_before_and_after_the_move() -> None:
    async with announcing("stratum+tcp://127.0.0.1:1") as node:
        source = open_source(config(node))
        await source.aclose()
        assert [event async for event in source.events()] == []
        async with open_source(config(node)) as source:
            events = source.events()
            await next_of(Notice, events)
            await next_of(Connecting, events)
        assert not [event async for event in events if isinstance(event, Job)]

"""Mining on a node that a test has started: by hashlib, as every second hash is a block there, or by the engine."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import miner
from miner.config import EngineConfig, SourceConfig
from miner.core.algorithm import Algorithm
from miner.core.events import BlockFound, ShareDone
from miner.core.model import Job, Share, ShareResult, ShareStatus
from miner.core.source import SourceEvent
from miner.core.target import hash_value, nbits_to_target
from miner.node.client import NodeSource
from node.daemon import Daemon

SCRYPT = Algorithm.parse("scrypt")
SHA256D = Algorithm.parse("sha256d")
WAIT = 30.0  # seconds, for what should happen at once
NEVER = 1e6  # seconds

Events = AsyncIterator[SourceEvent]
Play = Callable[[NodeSource, Events], Awaitable[None]]


def config_for(node: Daemon, **settings: Any) -> SourceConfig:
    return SourceConfig(**({"url": node.url, "username": node.username, "password": node.password,
                            "coinbase_addr": node.address} | settings))


def run(config: SourceConfig, play: Play) -> None:
    """Open the source and let `play` use it."""
    async def main() -> None:
        async with NodeSource(config) as source, aclosing(source.events()) as events:  # type: ignore[type-var]
            await play(source, events)

    asyncio.run(main())


def solve(job: Job, extranonce2: int = 0, ntime: int | None = None, meets_target: bool = True) -> Share:
    """A share that is a block, or surely none."""
    work = job.work(extranonce2.to_bytes(job.extranonce2_size, "big"), ntime)
    for nonce in range(1000):
        share = work.share(nonce)
        if (hash_value(job.algorithm.hash(share.header)) <= job.network_target) is meets_target:
            return share
    raise AssertionError("not one of a thousand hashes is like that")


async def next_event(events: Events, wanted: Callable[[SourceEvent], bool]) -> Any:
    async with asyncio.timeout(WAIT):
        async for event in events:
            if wanted(event):
                return event
    raise AssertionError("the source ended before that")


async def next_job(events: Events, after: bytes = b"") -> Job:
    """The next job on another tip than `after`."""
    job: Job = await next_event(events, lambda event: isinstance(event, Job) and event.prev_hash != after)
    return job


async def mine(source: NodeSource, events: Events, blocks: int,
               before_each: Callable[[], None] = lambda: None) -> list[ShareResult]:
    """Find `blocks` blocks, one on each new tip, all of which the node accepts."""
    results: list[ShareResult] = []
    tip = b""
    for _ in range(blocks):
        before_each()
        job = await next_job(events, after=tip)
        tip = job.prev_hash
        results.append(await source.submit(solve(job)))
        assert results[-1].status is ShareStatus.ACCEPTED, results[-1].reason
    return results


def mine_with_engine(config: SourceConfig, blocks: int, after_each: Callable[[], None] = lambda: None) -> None:
    """Find `blocks` blocks by `miner.mine()` with one thread. None may be refused."""
    found = 0
    with miner.mine(config, EngineConfig(threads=1, pin=False)) as mining:
        for event in mining:
            if isinstance(event, ShareDone):
                assert event.result.status is not ShareStatus.REJECTED, event.result.reason
            if isinstance(event, BlockFound):
                found += 1
                if found == blocks:
                    break
                after_each()
    assert found == blocks


def check_headers(node: Daemon, first: int, last: int, algorithm: Algorithm = SCRYPT) -> None:
    """Each header meets its target, by hashlib."""
    for height in range(first, last + 1):
        header = node.header(height)
        assert hash_value(algorithm.hash(header)) <= nbits_to_target(int.from_bytes(header[72:76], "little")), height

"""Blocks mined through NodeSource on a real Litecoin Core: before, through and after the start of MWEB."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing

import pytest

from miner.config import SourceConfig
from miner.core.algorithm import Algorithm
from miner.core.model import Job, Share, ShareResult, ShareStatus
from miner.core.source import SourceEvent
from miner.core.target import hash_value, nbits_to_target
from miner.node.client import NodeSource
from node.litecoind import MWEB_HEIGHT, Litecoind

SCRYPT = Algorithm("scrypt", 1024)
WAIT = 30.0  # seconds for what happens at once


def config(node: Litecoind, address: str = "", **settings: object) -> SourceConfig:
    return SourceConfig(url=node.url, username=node.username, password=node.password,
                        coinbase_addr=address or node.address, **settings)  # type: ignore[arg-type]


def solve(job: Job, extranonce2: int = 0) -> Share:
    """Every second hash is a block here: hashlib finds one in no time."""
    work = job.work(extranonce2.to_bytes(job.extranonce2_size, "big"))
    for nonce in range(1000):
        share = work.share(nonce)
        if hash_value(SCRYPT.hash(share.header)) <= job.network_target:
            return share
    raise AssertionError("a thousand hashes and no block at the easiest target")


async def next_job(events: AsyncIterator[SourceEvent], wanted: Callable[[Job], bool] = lambda job: True) -> Job:
    async with asyncio.timeout(WAIT):
        async for event in events:
            if isinstance(event, Job) and wanted(event):
                return event
    raise AssertionError("the source ended without such a job")


def run(node: Litecoind, play: Callable[[NodeSource, AsyncIterator[SourceEvent]], Awaitable[None]],
        settings: SourceConfig | None = None) -> None:
    async def main() -> None:
        async with NodeSource(settings or config(node)) as source, aclosing(source.events()) as events:
            await play(source, events)

    asyncio.run(main())


async def mine(source: NodeSource, events: AsyncIterator[SourceEvent], blocks: int) -> list[ShareResult]:
    """So many blocks, one on each new tip."""
    results = []
    tip = b""
    for _ in range(blocks):
        job = await next_job(events, lambda job: job.prev_hash != tip)
        tip = job.prev_hash
        results.append(await source.submit(solve(job)))
    return results


def check_chain(node: Litecoind, first: int, last: int) -> None:
    """Each header meets its target by hashlib."""
    for height in range(first, last + 1):
        header = node.header(height)
        assert hash_value(SCRYPT.hash(header)) <= nbits_to_target(int.from_bytes(header[72:76], "little"))


def test_mines_from_the_first_block_on_with_transactions() -> None:
    with Litecoind(mweb=False) as node:
        payee = node.new_address()

        async def play(source: NodeSource, events: AsyncIterator[SourceEvent]) -> None:
            assert all(r.status is ShareStatus.ACCEPTED for r in await mine(source, events, 101))

        run(node, play, config(node, payee, coinbase_sig="/a test/"))
        assert node.height == 101
        check_chain(node, 1, 101)
        for height in (1, 16, 17, 101):
            coinbase = node.block(height)["tx"][0]
            assert coinbase["vout"][0]["scriptPubKey"]["addresses"] == [payee]
            assert coinbase["vout"][0]["value"] == 50
            assert b"/a test/".hex() in coinbase["vin"][0]["coinbase"]


def test_mines_through_the_start_of_mweb() -> None:
    with Litecoind() as node:
        node.generate(MWEB_HEIGHT - 3)

        async def play(source: NodeSource, events: AsyncIterator[SourceEvent]) -> None:
            results = await mine(source, events, 2)
            node.peg_in()
            results += await mine(source, events, 5)
            assert [r.status for r in results] == [ShareStatus.ACCEPTED] * 7

        run(node, play, config(node, retry_pause=0.2))
        assert node.height == MWEB_HEIGHT + 4
        check_chain(node, MWEB_HEIGHT - 2, MWEB_HEIGHT + 4)
        assert node.block(MWEB_HEIGHT)["tx"][-1]["vout"][0]["scriptPubKey"]["type"] == "witness_mweb_hogaddr"

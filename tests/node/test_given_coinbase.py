"""Templates with a coinbase that the server made, as pools give them, on a real node behind such a server."""

import asyncio
import os
import subprocess
from contextlib import aclosing

import pytest

import counterparts
import miner
from miner.config import EngineConfig, SourceConfig
from miner.core.events import ShareDone
from miner.core.model import Job, ShareStatus
from miner.core.source import Notice
from miner.node.client import NodeSource
from node.coinbase_server import CoinbaseServer
from node.litecoind import Litecoind
from node.mining import NEVER, WAIT, check_headers, next_event, next_job, solve

PAYEE = "rltc1qeult6kgmdfvvz8zntp6rlxdw2wwllqwl34mpuz"
YOUNG = 200  # blocks before ours
EASY = 1 << 250


def config_for(server: CoinbaseServer, scan_time: float = 0.5) -> SourceConfig:
    return SourceConfig(url=server.url, coinbase_addr=PAYEE, coinbase_sig="/ours/", scan_time=scan_time)


def mine(server: CoinbaseServer, count: int) -> list[ShareDone]:
    """So many shares that the server took."""
    done: list[ShareDone] = []
    with miner.mine(config_for(server), EngineConfig(threads=2, pin=False)) as mining:
        for event in mining:
            if isinstance(event, ShareDone):
                assert event.result.status is not ShareStatus.REJECTED, event.result.reason
                done.append(event)
                if event.accepted == count:
                    break
    return done


def test_blocks_pay_whom_the_server_pays() -> None:
    async def main() -> None:
        with Litecoind(mweb=False) as node:
            node.generate(YOUNG)
            sent = {node.send(node.new_address(), 1) for _ in range(3)}
            async with asyncio.timeout(2 * WAIT), CoinbaseServer(node) as server:
                done = await asyncio.to_thread(mine, server, 10)
            assert all(event.result.block for event in done)
            assert not server.shares and node.height >= YOUNG + 10
            check_headers(node, YOUNG + 1, node.height)
            assert {tx["txid"] for tx in node.block(YOUNG + 1)["tx"][1:]} == sent
            for height in range(YOUNG + 1, node.height + 1):
                coinbase = node.block(height)["tx"][0]
                assert coinbase["vout"][0]["scriptPubKey"]["addresses"] == [node.address]
                assert b"pool".hex() in coinbase["vin"][0]["coinbase"].partition(b"/ours/".hex())[0]

    asyncio.run(main())


def test_shares_that_are_no_blocks() -> None:
    """On a chain where a block takes 2^20 hashes, and a share 64."""
    async def main() -> None:
        with Litecoind(chain="test") as node:
            async with asyncio.timeout(2 * WAIT), CoinbaseServer(node, EASY) as server:
                done = await asyncio.to_thread(mine, server, 30)
            headers = [event.result.share.header for event in done if event.result.status is ShareStatus.ACCEPTED]
            assert not server.refused and set(headers) <= set(server.shares) | set(server.blocks)
            assert len(set(headers)) == 30

    asyncio.run(main())


def test_says_that_the_address_is_not_paid_and_that_a_share_came_too_late() -> None:
    async def main() -> None:
        with Litecoind(mweb=False) as node:
            node.generate(YOUNG)
            async with (asyncio.timeout(WAIT), CoinbaseServer(node) as server,
                        NodeSource(config_for(server, scan_time=NEVER)) as source,
                        aclosing(source.events()) as events):  # type: ignore[type-var]
                notice = await next_event(events, lambda event: isinstance(event, Notice))
                assert notice.text.endswith(f"which pays whom the server pays and not {PAYEE}")
                job: Job = await next_job(events)
                refused = await source.submit(solve(job, meets_target=False))
                assert (refused.status, refused.reason, refused.block) == (ShareStatus.REJECTED, "high-hash", False)
                await asyncio.to_thread(node.generate, 1)
                result = await source.submit(solve(job))
                assert (result.status, result.reason, result.block) == (ShareStatus.STALE, "inconclusive", True)

    asyncio.run(main())


@pytest.mark.minerd
def test_minerd_mines_on_the_same_server() -> None:
    """So the server speaks as others understand it."""
    program = counterparts.require("minerd", counterparts.minerd(), "name a minerd 2.5.1 by MINERD")

    async def main() -> None:
        with Litecoind(mweb=False) as node:
            node.generate(YOUNG)
            async with CoinbaseServer(node) as server:
                process = subprocess.Popen(
                    [program, "-a", "scrypt", "-t", "1", "--no-getwork", "-o", server.url, "-O", "a:b", "-s", "1"],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
                try:
                    async with asyncio.timeout(WAIT):
                        while len(server.blocks) < 3:
                            await asyncio.sleep(0.1)
                finally:
                    process.kill()
                    process.wait(10)
            assert node.height >= YOUNG + 3

    asyncio.run(main())

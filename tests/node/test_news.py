"""News of new blocks, on each real node: soon, and without holding any of its few RPC threads."""

import asyncio
import functools
import statistics
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from miner.core.model import ShareStatus
from miner.node.client import NodeSource
from node.bitcoinsv import BitcoinSV
from node.daemon import Daemon
from node.knots import Knots
from node.litecoind import Litecoind
from node.mining import SCRYPT, SHA256D, Events, config_for, mine, mine_with_engine, next_job, run, solve

LITECOIN = functools.partial(Litecoind, mweb=False)
NODES = pytest.mark.parametrize(("coin", "algorithm"), [(LITECOIN, SCRYPT), (Knots, SHA256D), (BitcoinSV, SHA256D)])


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a node with -rpcthreads=1, where one call that waits keeps out all others."""
    monkeypatch.setattr(Daemon, "rpc_threads", 1)


@NODES
def test_miners_that_were_stopped_leave_nothing_in_the_node(coin: Callable[[], Daemon], algorithm: object,
                                                            one_thread: None) -> None:
    """On a quiet chain: no new block frees what they might have left."""
    async def start_and_stop(node: Daemon) -> None:
        async with (NodeSource(config_for(node, algorithm=algorithm)) as source,
                    aclosing(source.events()) as events):  # type: ignore[type-var]
            await next_job(events)
            await asyncio.sleep(0.1)  # what waits for news is out

    with coin() as node:
        for _ in range(20):
            asyncio.run(start_and_stop(node))
            assert node.rpc("getblockcount", timeout=10) == 0

        async def play(source: NodeSource, events: Events) -> None:
            assert (await source.submit(solve(await next_job(events)))).status is ShareStatus.ACCEPTED

        run(config_for(node, algorithm=algorithm), play)
        assert node.height == 1


@NODES
def test_blocks_are_handed_in_at_a_node_with_one_thread(coin: Callable[[], Daemon], algorithm: object,
                                                        one_thread: None) -> None:
    with coin() as node:
        mine_with_engine(config_for(node, algorithm=algorithm), 50)
        assert node.height >= 50


@NODES
def test_a_new_block_is_known_within_a_second_and_a_half_in_the_median(coin: Callable[[], Daemon],
                                                                       algorithm: object) -> None:
    with coin() as node:
        async def play(source: NodeSource, events: Events) -> None:
            delays = []
            for count in range(7):
                tip = (await next_job(events)).prev_hash
                await asyncio.sleep(count / 7)  # at any moment of a second
                await asyncio.to_thread(node.generate, 1)
                generated = time.monotonic()
                await next_job(events, after=tip)
                delays.append(time.monotonic() - generated)
                await asyncio.to_thread(node.generate, 1)
            assert statistics.median(delays) < 1.5, delays

        run(config_for(node, algorithm=algorithm), play)


def test_the_node_is_not_connected_to_anew_for_each_call() -> None:
    with LITECOIN() as node:
        async def play(source: NodeSource, events: Events) -> None:
            await mine(source, events, 10)
            ports = {int(line.split()[1].rpartition(":")[2], 16) for line in _established(node.rpc_port)}
            await mine(source, events, 10)
            assert ports & {int(line.split()[1].rpartition(":")[2], 16) for line in _established(node.rpc_port)}
            assert len(_established(node.rpc_port)) <= 4

        run(config_for(node, scan_time=0.05), play)


def _established(port: int) -> list[str]:
    """Connections of this machine to a port."""
    return [line for line in Path("/proc/net/tcp").read_text().splitlines() if f":{port:04X} 01 " in line]

"""A real Bitcoin SV node: sha256d blocks without segwit, and what its answers have of their own."""

import asyncio
import re

import pytest

from miner.core.errors import SourceError
from miner.core.model import ShareStatus
from miner.core.source import Disconnected
from miner.node.client import NodeSource
from node.bitcoinsv import BitcoinSV
from node.mining import (
    NEVER,
    SHA256D,
    Events,
    check_headers,
    config_for,
    mine,
    mine_with_engine,
    next_event,
    next_job,
    run,
    solve,
)

TEXT = "/a text of ours/"


def test_a_hundred_blocks_by_the_engine() -> None:
    with BitcoinSV() as node:
        mine_with_engine(config_for(node, algorithm=SHA256D, coinbase_sig=TEXT), 110)
        assert node.height >= 110
        check_headers(node, 1, node.height, SHA256D)
        for height in range(1, node.height + 1):
            coinbase = node.block(height)["tx"][0]
            assert TEXT.encode().hex() in coinbase["vin"][0]["coinbase"]
            assert [(out["value"], out["scriptPubKey"]["addresses"]) for out in coinbase["vout"]] == [
                (50, [node.address])]


def test_transactions_of_the_mempool_and_their_fees() -> None:
    with BitcoinSV() as node:
        node.generate(110)
        sent = {node.send(node.new_address(), 1) for _ in range(5)}

        async def play(source: NodeSource, events: Events) -> None:
            await mine(source, events, 1)

        run(config_for(node, algorithm=SHA256D), play)
        block = node.block(111)
        assert {transaction["txid"] for transaction in block["tx"][1:]} == sent
        assert block["tx"][0]["vout"][0]["value"] > 50


def test_script_addresses_which_it_has_given_up() -> None:
    """It calls them valid and takes a proposal that pays one; only the block itself is refused."""
    with BitcoinSV() as node:
        async def play(source: NodeSource, events: Events) -> None:
            result = await source.submit(solve(await next_job(events)))
            assert result.status is ShareStatus.REJECTED
            assert re.search("bad-txns-vout-p2sh.*use a `coinbase_addr` of the oldest kind", result.reason)

        script_address = node.rpc("addmultisigaddress", 1, [node.address])
        run(config_for(node, algorithm=SHA256D, coinbase_addr=script_address), play)


def test_refuses_addresses_of_other_coins() -> None:
    with BitcoinSV() as node:
        address = "rltc1q4nyke9pgv3w9ld9e8nk9fgu8lp9yc79kqr0zrl"

        async def play(source: NodeSource, events: Events) -> None:
            with pytest.raises(SourceError, match=f"`coinbase_addr` {address}: .*no address of its chain"):
                await next_job(events)

        run(config_for(node, algorithm=SHA256D, coinbase_addr=address), play)


def test_others_blocks_are_seen(no_refresh: None) -> None:
    with BitcoinSV() as node:
        async def play(source: NodeSource, events: Events) -> None:
            tip = b""
            for _ in range(3):
                job = await next_job(events, after=tip)
                assert job.clean
                tip = job.prev_hash
                await asyncio.to_thread(node.generate, 1)

        run(config_for(node, algorithm=SHA256D, scan_time=NEVER), play)


def test_block_that_lost_the_race_is_stale(no_news: None) -> None:
    with BitcoinSV() as node:
        async def play(source: NodeSource, events: Events) -> None:
            job = await next_job(events)
            await asyncio.to_thread(node.generate, 1)
            result = await source.submit(solve(job))
            assert (result.status, result.reason) == (ShareStatus.STALE, "inconclusive")

        run(config_for(node, algorithm=SHA256D, scan_time=NEVER), play)


def test_waits_for_a_node_without_peers_and_says_why() -> None:
    with BitcoinSV(peer=False) as node:
        async def play(source: NodeSource, events: Events) -> None:
            trouble = await next_event(events, lambda event: isinstance(event, Disconnected))
            assert "Bitcoin is not connected! (error -9): a node gives no work before it has a peer" in trouble.reason
            await asyncio.to_thread(node.connect_peer)
            assert (await next_job(events)).height == 1

        run(config_for(node, algorithm=SHA256D, retry_pause=0.1), play)

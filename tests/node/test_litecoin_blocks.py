"""Blocks that a real Litecoin Core accepts: before, through and after the start of MWEB, with transactions of every
kind."""

import asyncio
from typing import Any

from miner.core.model import Job
from miner.core.source import Disconnected
from miner.node.client import NodeSource
from node.litecoind import MWEB_HEIGHT, Litecoind
from node.mining import Events, check_headers, config_for, mine, next_event, next_job, run, solve

TEXT = "/a text of ours/"


def outputs(block: dict[str, Any], index: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = block["tx"][index]["vout"]
    return found


def paid_to(block: dict[str, Any]) -> list[str]:
    addresses: list[str] = outputs(block, 0)[0]["scriptPubKey"]["addresses"]
    return addresses


def test_every_block_of_a_young_chain() -> None:
    """Also the heights at which the coinbase script's first push changes its length."""
    with Litecoind(mweb=False) as node:
        payee = node.new_address()

        async def play(source: NodeSource, events: Events) -> None:
            await mine(source, events, 130)

        run(config_for(node, coinbase_addr=payee, coinbase_sig=TEXT), play)
        assert node.height == 130
        check_headers(node, 1, 130)
        for height in range(1, 131):
            block = node.block(height)
            assert paid_to(block) == [payee]
            assert outputs(block, 0)[0]["value"] == 50
            assert TEXT.encode().hex() in block["tx"][0]["vin"][0]["coinbase"]


def test_transactions_of_the_mempool_and_their_fees() -> None:
    with Litecoind(mweb=False) as node:
        node.generate(110)
        sent = [node.send(node.new_address(kind), 1) for kind in ("legacy", "p2sh-segwit", "bech32") for _ in range(3)]

        async def play(source: NodeSource, events: Events) -> None:
            await mine(source, events, 1)

        run(config_for(node), play)
        block = node.block(111)
        assert {transaction["txid"] for transaction in block["tx"][1:]} == set(sent)
        assert outputs(block, 0)[0]["value"] > 50  # with the fees
        check_headers(node, 111, 111)


def test_through_the_start_of_mweb() -> None:
    """Litecoin Core makes no template for the first MWEB block before somebody pegs in: the source waits for it."""
    with Litecoind() as node:
        node.grow(MWEB_HEIGHT - 3)

        async def play(source: NodeSource, events: Events) -> None:
            await mine(source, events, 2)
            trouble = await next_event(events, lambda event: isinstance(event, Disconnected))
            assert "bad-txns-vin-empty" in trouble.reason
            assert "Litecoin's first MWEB block needs a transaction that pegs in" in trouble.reason
            await asyncio.to_thread(node.peg_in)
            await mine(source, events, 5)

        run(config_for(node, retry_pause=0.2), play)
        assert node.height == MWEB_HEIGHT + 4
        check_headers(node, MWEB_HEIGHT - 2, MWEB_HEIGHT + 4)
        for height in range(MWEB_HEIGHT, MWEB_HEIGHT + 5):
            block = node.block(height)
            assert paid_to(block) == [node.address]
            assert outputs(block, -1)[0]["scriptPubKey"]["type"] == "witness_mweb_hogaddr"


def test_peg_ins_and_peg_outs() -> None:
    with Litecoind() as node:
        node.new_wallet("private")
        node.grow(MWEB_HEIGHT - 1)
        node.peg_in(20, to_wallet="private")
        node.generate(10)
        jobs: list[Job] = []

        def transact() -> None:
            node.peg_in(1)
            node.send(node.new_address("legacy"), 0.5)
            node.send(node.new_address(), 0.25, wallet="private")  # it has MWEB coins alone: a peg-out

        async def play(source: NodeSource, events: Events) -> None:
            tip = b""
            for _ in range(6):
                jobs.append(await next_job(events, after=tip))
                tip = jobs[-1].prev_hash
                await source.submit(solve(jobs[-1]))
                transact()

        first = node.height + 1
        transact()
        run(config_for(node), play)
        assert node.height == first + 5
        check_headers(node, first, node.height)
        hogex = [outputs(node.block(height), -1) for height in range(first, first + 6)]
        assert all(outs[0]["scriptPubKey"]["type"] == "witness_mweb_hogaddr" for outs in hogex)
        assert sum(len(outs) - 1 for outs in hogex) >= 5  # what is pegged out leaves through the HogEx
        for height in range(first, first + 6):
            assert paid_to(node.block(height)) == [node.address]

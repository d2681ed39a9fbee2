"""Three hundred blocks on a real Litecoin Core: before, through and after the start of MWEB, with payments, peg-ins and
peg-outs waiting in the mempool."""

import contextlib
import itertools
from typing import Any

import pytest

from miner.core.model import ShareStatus
from miner.node.client import NodeSource
from node.litecoind import MWEB_HEIGHT, Litecoind, RpcRefusal
from node.mining import Events, check_headers, config_for, mine_with_engine, next_job, run, solve

BLOCKS = 100
FIRST_OF_OURS = MWEB_HEIGHT - BLOCKS


def pegged_out(block: dict[str, Any]) -> int:
    """The HogEx keeps the extension block's coins in its first output; the others left it."""
    return len(block["tx"][-1]["vout"]) - 1


def is_hogex(transaction: dict[str, Any]) -> bool:
    kind: str = transaction["vout"][0]["scriptPubKey"]["type"]
    return kind == "witness_mweb_hogaddr"


@pytest.mark.timeout(300)
def test_before_through_and_after_the_start() -> None:
    with Litecoind() as node:
        for name in ("private", "miner"):  # a wallet that gets all the rewards would be slow to pay
            node.new_wallet(name)
        payees = {kind: node.new_address(kind, "miner") for kind in ("legacy", "p2sh-segwit", "bech32")}
        private = node.new_address("mweb", "private")
        node.grow(FIRST_OF_OURS - 1)
        turns = itertools.cycle(["pay", "peg in", "peg out"])

        def transact() -> None:
            match next(turns):
                case "pay":
                    node.send(payees["p2sh-segwit"], 0.1)
                case "peg in":
                    node.send(private, 1)
                case "peg out":
                    with contextlib.suppress(RpcRefusal):  # its coins are all on their way
                        node.send(payees["bech32"], 0.01, wallet="private")

        async def one_by_one(source: NodeSource, events: Events) -> None:
            tip = b""
            for _ in range(BLOCKS):
                job = await next_job(events, after=tip)
                tip = job.prev_hash
                result = await source.submit(solve(job))
                assert result.status is ShareStatus.ACCEPTED, result.reason
                transact()  # in one go: the next template is asked for when it has been done

        mine_with_engine(config_for(node, coinbase_addr=payees["bech32"]), BLOCKS)
        assert node.height == MWEB_HEIGHT - 1
        node.send(private, 20)  # the first MWEB block needs a peg-in
        run(config_for(node, coinbase_addr=payees["legacy"], retry_pause=0.1), one_by_one)
        assert node.height == MWEB_HEIGHT + BLOCKS - 1
        transact()
        mine_with_engine(config_for(node, coinbase_addr=payees["p2sh-segwit"]), BLOCKS)

        check_headers(node, FIRST_OF_OURS, node.height)
        blocks = [node.block(height) for height in range(FIRST_OF_OURS, MWEB_HEIGHT + 2 * BLOCKS)]
        before, through, after = (blocks[at:at + BLOCKS] for at in (0, BLOCKS, 2 * BLOCKS))
        assert not any(is_hogex(block["tx"][-1]) for block in before)
        assert all(is_hogex(block["tx"][-1]) for block in through + after)
        assert sum(len(block["tx"]) > 2 for block in through) >= BLOCKS // 4
        assert sum(pegged_out(block) for block in through) >= BLOCKS // 10
        for part, kind in ((before, "bech32"), (through, "legacy"), (after, "p2sh-segwit")):
            assert all(block["tx"][0]["vout"][0]["scriptPubKey"]["addresses"] == [payees[kind]] for block in part)

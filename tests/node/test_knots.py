"""A real Bitcoin Knots: segwit blocks on regtest, and signets that everybody or only somebody may sign."""

import pytest

from miner.core.errors import SourceError
from miner.core.target import hash_value
from miner.node.client import NodeSource
from node.knots import Knots
from node.mining import SCRYPT, SHA256D, Events, check_headers, config_for, mine, mine_with_engine, next_job, run

OP_TRUE = "51"
SOMEBODYS_KEY = "512103ad5e0edad18cb1f0fc0d28a3d4f1f3e445640337489abb10404f2d1e086be43051ae"


def test_a_hundred_blocks_by_the_engine() -> None:
    with Knots() as node:
        mine_with_engine(config_for(node, algorithm=SHA256D, coinbase_sig="/ours/"), 100)
        check_headers(node, 1, node.height, SHA256D)
        for height in range(1, 101):
            coinbase = node.block(height)["tx"][0]
            assert coinbase["vout"][0]["scriptPubKey"]["address"] == node.address
            assert b"/ours/".hex() in coinbase["vin"][0]["coinbase"]


def test_segwit_transactions_and_every_kind_of_address() -> None:
    with Knots() as node:
        node.generate(110)
        kinds = ("legacy", "p2sh-segwit", "bech32", "bech32m")
        payees = {kind: node.new_address(kind) for kind in kinds}

        async def play(source: NodeSource, events: Events) -> None:
            await mine(source, events, 1)

        sent = {node.send(payees[kind], 1) for kind in kinds}
        for kind in kinds:
            run(config_for(node, algorithm=SHA256D, coinbase_addr=payees[kind]), play)
            assert node.block(node.height)["tx"][0]["vout"][0]["scriptPubKey"]["address"] == payees[kind]
        transactions = node.block(111)["tx"][1:]
        assert {tx["txid"] for tx in transactions} == sent
        assert any(tx["txid"] != tx["hash"] for tx in transactions)


def test_signet_that_everybody_may_sign() -> None:
    """A block takes 2^22 hashes there."""
    with Knots(challenge=OP_TRUE) as node:
        mine_with_engine(config_for(node, algorithm=SHA256D), 2)
        assert node.height >= 2
        check_headers(node, 1, node.height, SHA256D)
        for height in (1, 2):  # a signature that nobody asks for may be left out (BIP 325), but not the commitment
            coinbase = node.block(height)["tx"][0]
            assert coinbase["vout"][1]["scriptPubKey"]["hex"].startswith("6a24aa21a9ed") and len(coinbase["vout"]) == 2
            assert coinbase["hash"] != coinbase["txid"], "it has no witness"


def test_wrong_algorithm_is_said_before_anything_is_hashed() -> None:
    """The latest block must meet its target by the one hash alone, as every second does where that is so easy."""
    with Knots() as node:
        target = 0x7FFFFF << 8 * 29
        node.generate(1)
        while hash_value(SCRYPT.hash(node.header(node.height))) <= target:
            node.generate(1)

        async def play(source: NodeSource, events: Events) -> None:
            with pytest.raises(SourceError, match="proven by sha256d and not by scrypt: use `algorithm=sha256d`"):
                await next_job(events)

        run(config_for(node, algorithm=SCRYPT), play)


def test_signet_that_somebody_must_sign_is_refused() -> None:
    with Knots(challenge=SOMEBODYS_KEY) as node:
        async def play(source: NodeSource, events: Events) -> None:
            with pytest.raises(SourceError, match="must be signed by its operators"):
                await next_job(events)

        run(config_for(node, algorithm=SHA256D), play)

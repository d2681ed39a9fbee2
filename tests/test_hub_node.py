"""The hub in front of a real Litecoin Core: what its miners find becomes the node's chain."""

import threading

import miner
from miner.hub import HubThread
from miner.hub.events import HubBlock, HubShare
from miner.node.client import NodeSource
from node.litecoind import Litecoind
from node.mining import check_headers, config_for

BLOCKS = 30
WAIT = 60.0


def test_two_miners_mine_a_nodes_chain() -> None:
    """On regtest half of all hashes are blocks: the node must see one at a time, and no miner may repeat another."""
    with Litecoind(mweb=False) as node, HubThread(NodeSource(config_for(node))) as hub:
        host, port = hub.address

        def work(name: str) -> None:
            with miner.mine(url=f"stratum+tcp://{host}:{port}", username=name, password=hub.config.token, hub=True,
                            algorithm="scrypt", threads=1, pin=False) as mining:
                for _ in mining:
                    pass

        first = node.height
        threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        blocks: list[HubBlock] = []
        shares: list[HubShare] = []
        while len(blocks) < BLOCKS:
            event = hub.next_event(WAIT)
            assert event is not None, "no block for a minute"
            blocks += [event] if isinstance(event, HubBlock) else []
            shares += [event] if isinstance(event, HubShare) else []
        hub.stop_miners("enough")
        for thread in threads:
            thread.join(WAIT)
        assert node.height >= first + BLOCKS
        check_headers(node, first + 1, node.height)
        for block in blocks:
            found = node.rpc("getblock", block.block_hash, 2)
            assert found["confirmations"] > 0, "it is part of the node's chain"
            paid = [script["scriptPubKey"].get("addresses") or [script["scriptPubKey"].get("address")]
                    for script in found["tx"][0]["vout"] if script["value"] > 0]
            assert paid == [[node.address]]
        submitted = [share.share.header for share in shares if share.share and share.upstream]
        assert len(set(submitted)) == len(submitted)
        assert not [share.reason for share in shares if share.upstream and share.reason], "the node had no objections"

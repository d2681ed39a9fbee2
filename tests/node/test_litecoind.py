"""The helper itself: a real node starts, mines, passes MWEB activation, and is gone afterwards."""

import pytest

from node.litecoind import MWEB_HEIGHT, Litecoind, RpcRefusal

RULES = {"rules": ["mweb", "segwit"]}


def test_mines_and_leaves_nothing_behind() -> None:
    with Litecoind() as node:
        assert node.height == 0
        node.generate(3)
        assert node.height == 3
        assert len(node.header(3)) == 80
        datadir, port = node.datadir, node.rpc_port
        assert node.rpc("getnetworkinfo")["localaddresses"] == []
    assert not datadir.exists()
    node.rpc_port = port
    with pytest.raises(OSError):
        node.rpc("getblockcount")


def test_gives_no_template_without_a_peer() -> None:
    with Litecoind(peer=False) as node:
        with pytest.raises(RpcRefusal, match="-9: Litecoin Core is not connected"):
            node.rpc("getblocktemplate", RULES)
        node.connect_peer()
        assert node.rpc("getblocktemplate", RULES)["height"] == 1


def test_mweb_starts_with_a_peg_in() -> None:
    with Litecoind() as node:
        node.grow(MWEB_HEIGHT - 1)
        with pytest.raises(RpcRefusal, match="bad-txns-vin-empty"):
            node.generate(1)
        node.peg_in()
        assert "mweb" in node.rpc("getblocktemplate", RULES)
        node.generate(2)
        assert node.height == MWEB_HEIGHT + 1


def test_mweb_can_be_put_off() -> None:
    with Litecoind(mweb=False) as node:
        node.generate(MWEB_HEIGHT + 1)
        assert "mweb" not in node.rpc("getblocktemplate", RULES)

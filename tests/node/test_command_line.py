"""`python -m miner` on real nodes, as people type it: what it says, and its exit status."""

import re
import signal
from collections.abc import Iterator

import pytest

from commands import Done, interrupt, run, running, wait_for
from miner.core.algorithm import Algorithm
from node.bitcoinsv import BitcoinSV
from node.daemon import Daemon
from node.knots import Knots
from node.litecoind import Litecoind
from node.mining import check_headers


@pytest.fixture(scope="module")
def node() -> Iterator[Litecoind]:
    with Litecoind(mweb=False) as node:
        yield node


def on(node: Daemon, *args: str, address: str = "", login: str = "", algorithm: str = "scrypt") -> list[str]:
    return ["-a", algorithm, "-t", "1", "-o", node.url, "-O", login or f"{node.username}:{node.password}",
            "--coinbase-addr", address or node.address, *args]


def said(done: Done) -> str:
    return "\n".join(done.lines)


@pytest.mark.parametrize(("coin", "algorithm"), [(Litecoind, "scrypt"), (Knots, "sha256d"), (BitcoinSV, "sha256d")])
@pytest.mark.parametrize("how", [[], ["--no-longpoll", "-s", "1"]])
def test_mines_until_it_is_stopped(coin: type[Litecoind | Knots | BitcoinSV], algorithm: str, how: list[str]) -> None:
    with coin() as node, running(*on(node, "-q", *how, algorithm=algorithm)) as process:
        log = [line for _ in range(5) for line in wait_for(process, "BLOCK found")]
        done = interrupt(process, signal.SIGTERM)
        text = "\n".join([*log, *done.err])
        assert done.status == 0
        assert f"Work from {node.url}, paid to address {node.address}" in text
        assert ("LONGPOLL detected new block" in text) is (not how)
        assert "Long-polling activated" not in text  # that would hold one of the node's threads
        assert re.search(r"accepted: (\d+)/\1 \(100\.00%\), [\d.]+ khash/s \(yay!!!\)", text)
        assert re.search(r"Done: .* 0 rejected, 0 stale; \d+ blocks$", text)
        assert node.password not in text
        assert node.height >= 5
        check_headers(node, 1, node.height, Algorithm.parse(algorithm))


def test_address_of_another_coin(node: Litecoind) -> None:
    done = run(*on(node, address="bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"))
    assert done.status == 1
    assert "--coinbase-addr bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4: the node says that this is no address of its " \
           "chain" in said(done)


def test_mweb_address(node: Litecoind) -> None:
    done = run(*on(node, address=node.new_address("mweb")))
    assert done.status == 1
    assert "a block can't pay an MWEB address; give another" in said(done)


def test_wrong_password(node: Litecoind) -> None:
    done = run(*on(node, login="alice:sesame"))
    assert done.status == 1
    assert "wrong RPC user or password: they must be the node's rpcuser and rpcpassword" in said(done)
    assert "sesame" not in said(done)


def test_no_address(node: Litecoind) -> None:
    """Then getwork is asked for, as by minerd."""
    done = run("-o", node.url, "-O", f"{node.username}:{node.password}", "-t", "1")
    assert done.status == 1
    assert "does not offer getwork" in said(done) and "which need --coinbase-addr ADDRESS" in said(done)


def test_another_port_of_the_node(node: Litecoind) -> None:
    args = on(node, "-r", "0")
    args[args.index(node.url)] = f"http://127.0.0.1:{node.p2p_port}/"
    done = run(*args)
    assert done.status == 1
    assert "the connection was closed without an answer; gave up after 0 retries" in said(done)


def test_node_that_has_no_peer_and_then_is_gone() -> None:
    with Litecoind(mweb=False, peer=False) as node:
        args = on(node, "-r", "1", "-R", "1")
        done = run(*args)
        assert done.status == 1
        assert "Litecoin Core is not connected! (error -9): a node gives no work before it has a peer" in said(done)
        assert "...retry after 1 seconds" in done.lines and "gave up after 1 retries" in done.lines[-1]
        node.kill()
        done = run(*args)
        assert done.status == 1
        assert f"{node.url}: connection refused: does the node run with -server" in said(done)


def test_comes_back_with_the_node() -> None:
    with Litecoind(mweb=False) as node, running(*on(node, "-q", "-R", "1")) as process:
        wait_for(process, "BLOCK found")
        node.kill()
        wait_for(process, "connection refused")
        node.start_again()
        wait_for(process, "is not connected")
        node.connect_peer()
        wait_for(process, "BLOCK found")
        assert interrupt(process).status == 0

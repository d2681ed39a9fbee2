"""Every kind of address on the chains of each coin: a real node says its script, our own decoding agrees, and a block
that pays it is accepted."""

import pytest

from miner.core.address import address_to_script
from miner.core.algorithm import Algorithm, sha256d
from miner.node.client import NodeSource
from node.bitcoinsv import BitcoinSV
from node.daemon import Daemon
from node.knots import Knots
from node.litecoind import Litecoind
from node.mining import SCRYPT, SHA256D, Events, config_for, mine, run

HASH = bytes.fromhex("751e76e8199196d454941c45d1b3a323f1433bd6")
KEY = bytes.fromhex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")  # the curve's generator
PAY_TO_KEY_HASH = b"\x76\xa9\x14" + HASH + b"\x88\xac"
PAY_TO_SCRIPT_HASH = b"\xa9\x14" + HASH + b"\x87"
WITNESS = (b"\x00\x14" + HASH, b"\x00\x20" + KEY, b"\x51\x20" + KEY)  # key hash, script hash: bech32; taproot: bech32m

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58check(version: int, payload: bytes) -> str:
    raw = bytes([version]) + payload
    raw += sha256d(raw)[:4]
    number, text = int.from_bytes(raw), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text


def addresses(node: Daemon, scripts: tuple[bytes, ...]) -> dict[str, bytes]:
    """As the node itself writes them."""
    told = [(node.rpc("decodescript", script.hex()), script) for script in scripts]
    return {said["address"] if "address" in said else said["addresses"][0]: script for said, script in told}


def check_decoding(node: Daemon, scripts: dict[str, bytes]) -> None:
    for address, script in scripts.items():
        assert node.rpc("validateaddress", address)["scriptPubKey"] == script.hex()
        assert address_to_script(address) == script


def check_payment(node: Daemon, algorithm: Algorithm, scripts: dict[str, bytes]) -> None:
    async def play(source: NodeSource, events: Events) -> None:
        await mine(source, events, 1)

    for height, (address, script) in enumerate(scripts.items(), 1):
        run(config_for(node, algorithm=algorithm, coinbase_addr=address), play)
        assert node.block(height)["tx"][0]["vout"][0]["scriptPubKey"]["hex"] == script.hex()


@pytest.mark.parametrize(("chain", "prefix", "older"), [("main", "ltc1", 5), ("test", "tltc1", 196),
                                                        ("regtest", "rltc1", 196)])
def test_litecoin(chain: str, prefix: str, older: int) -> None:
    """Its script addresses had Bitcoin's version once and still count."""
    with Litecoind(chain=chain, mweb=False, peer=chain == "regtest") as node:
        scripts = addresses(node, (PAY_TO_KEY_HASH, PAY_TO_SCRIPT_HASH, *WITNESS))
        assert sum(address.startswith(prefix) for address in scripts) == len(WITNESS)
        scripts[base58check(older, HASH)] = PAY_TO_SCRIPT_HASH
        assert len(scripts) == 6
        check_decoding(node, scripts)
        if chain == "regtest":
            check_payment(node, SCRYPT, scripts)


@pytest.mark.parametrize(("chain", "prefix"), [("main", "bc1"), ("test", "tb1"), ("regtest", "bcrt1")])
def test_bitcoin(chain: str, prefix: str) -> None:
    with Knots(chain=chain, peer=chain == "regtest") as node:
        scripts = addresses(node, (PAY_TO_KEY_HASH, PAY_TO_SCRIPT_HASH, *WITNESS))
        assert sum(address.startswith(prefix) for address in scripts) == len(WITNESS)
        assert len(scripts) == 5
        check_decoding(node, scripts)
        if chain == "regtest":
            check_payment(node, SHA256D, scripts)


def test_bitcoin_sv() -> None:
    """Script addresses, which it has given up, are still valid to it: test_bitcoinsv.py."""
    with BitcoinSV() as node:
        scripts = addresses(node, (PAY_TO_KEY_HASH, PAY_TO_SCRIPT_HASH))
        check_decoding(node, scripts)
        check_payment(node, SHA256D, addresses(node, (PAY_TO_KEY_HASH,)))


@pytest.mark.parametrize(("version", "script"), [
    (30, PAY_TO_KEY_HASH), (22, PAY_TO_SCRIPT_HASH),  # main chain
    (113, PAY_TO_KEY_HASH), (196, PAY_TO_SCRIPT_HASH),  # testnet
    (111, PAY_TO_KEY_HASH),  # regtest, as its recorded addresses
])
def test_dogecoin(version: int, script: bytes) -> None:
    """Whose program can't be had: by the version bytes in its chainparams.cpp."""
    assert address_to_script(base58check(version, HASH)) == script

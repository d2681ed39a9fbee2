"""A chain that is not mined with the algorithm that was asked for is told from one that is. Proposals: tests/node."""

import asyncio
from typing import Any

import pytest

import recordings
from miner.core.algorithm import Algorithm, sha256d
from miner.core.errors import ProtocolError
from miner.core.header import build_header
from miner.core.target import hash_value, nbits_to_target
from miner.node.beforehand import proven_by_another
from miner.node.jsonrpc import JsonRpcError

SCRYPT, SHA256D = Algorithm.parse("scrypt"), Algorithm.parse("sha256d")
BITCOIN = ("0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000e320b6c2"
           "fffc8d750423db8b1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74df2b9441a42a14695")  # block 125552
LITECOIN = recordings.block("litecoin/block-ltc-585-mweb-pegin-pegout.hex")[:80].hex()
MERGED = recordings.recording("dogecoin/getblock-auxpow.json")[0]["response"]["result"]
EASY = 0x207FFFFF


def told(headers: object, algorithm: Algorithm, verbose: object = None) -> Algorithm | None:
    """What is found out from a node that says `headers` (by block id, or one for all), and `verbose` to getblock."""
    asked: list[str] = []

    async def call(method: str, block: str, *verbosity: bool) -> Any:
        asked.append(block)
        if method == "getblock":
            return verbose
        assert method == "getblockheader" and verbosity == (False,)
        if isinstance(headers, Exception):
            raise headers
        return headers.get(block) if isinstance(headers, dict) else headers

    found = asyncio.run(proven_by_another(call, b"\1" * 32, algorithm))
    assert asked[0] == "01" * 32 and len(asked) <= 8
    return found


def test_the_right_one_passes() -> None:
    assert told(BITCOIN, SHA256D) is None
    assert told(LITECOIN, SCRYPT) is None


@pytest.mark.parametrize("algorithm", ["scrypt", "scrypt:2048"])
def test_the_wrong_one_is_known_and_so_is_the_right_one(algorithm: str) -> None:
    assert told(BITCOIN, Algorithm.parse(algorithm)) == SHA256D


def chain(proven_by: Algorithm, also_by: Algorithm, length: int) -> dict[str, str]:
    """Headers by block id, newest first under the id 01…01. All are proven by the one hash, and all but the oldest by
    the other as well."""
    target, previous, headers = nbits_to_target(EASY), b"\2" * 32, []
    for number in range(length):
        for nonce in range(1000):
            header = build_header(0x20000000, previous, bytes(32), 1_700_000_000, EASY, nonce)
            others = hash_value(also_by.hash(header)) <= target
            if hash_value(proven_by.hash(header)) <= target and others is (number > 0):
                break
        else:
            raise AssertionError("no such nonce")
        headers.append(header)
        previous = sha256d(header)
    ids = [sha256d(header)[::-1].hex() for header in headers[:-1]] + ["01" * 32]
    return {block: header.hex() for block, header in zip(ids, headers, strict=True)}


def test_where_hashes_of_the_wrong_kind_meet_the_target_too_older_blocks_tell() -> None:
    assert told(chain(SCRYPT, SHA256D, 4), SHA256D) == SCRYPT
    assert told(chain(SCRYPT, SHA256D, 4), SCRYPT) is None
    assert told(chain(SCRYPT, SHA256D, 12), SHA256D) is None  # as many as that are not asked for


@pytest.mark.parametrize("headers", [
    None, 5, "", "zz", BITCOIN + "00", BITCOIN[:-2], "00" * 80, {"01" * 32: {"hash": "00"}},
    "0001" + BITCOIN[4:],  # merged mined, without its proof
    BITCOIN[:-2] + "00",  # proven by neither: by an algorithm that we don't know
    BITCOIN[:8] + "00" * 32 + BITCOIN[72:],  # the chain's first block, which may have no proof
    JsonRpcError(-5, "Block not found"), ProtocolError("no JSON"),
])
def test_what_proves_nothing_stops_nobody(headers: object) -> None:
    assert told(headers, SCRYPT) is None


def merged_header() -> str:
    fields = (MERGED["version"], bytes.fromhex(MERGED["previousblockhash"])[::-1],
              bytes.fromhex(MERGED["merkleroot"])[::-1], MERGED["time"], int(MERGED["bits"], 16), MERGED["nonce"])
    header = build_header(*fields)
    assert sha256d(header)[::-1].hex() == MERGED["hash"]
    return header.hex()


@pytest.mark.parametrize("in_one", [True, False])
def test_a_block_that_was_mined_along_is_judged_by_its_parents_header(in_one: bool) -> None:
    """In a getblockheader that has the proof behind the header, or in getblock's auxpow."""
    assert len(MERGED["auxpow"]["parentblock"]) == 160
    (parent,) = chain(SCRYPT, SHA256D, 1).values()
    headers = {"01" * 32: merged_header() + ("00" * 200 + parent if in_one else "")}
    verbose = None if in_one else MERGED | {"auxpow": MERGED["auxpow"] | {"parentblock": parent}}
    assert told(headers, SCRYPT, verbose) is None
    assert told(headers, SHA256D, verbose) == SCRYPT


@pytest.mark.parametrize("verbose", [None, [], {}, {"auxpow": 5}, {"auxpow": {"parentblock": "00"}}])
def test_a_proof_that_is_not_told_proves_nothing(verbose: object) -> None:
    assert told({"01" * 32: merged_header()}, SHA256D, verbose) is None

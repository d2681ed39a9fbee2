"""Stratum messages for the tests: the documentation's own session, and a way to write others."""

import json
from typing import Any

from hypothesis import strategies as st

from miner.core.algorithm import Algorithm
from miner.core.model import Job

SHA256D = Algorithm.parse("sha256d")
SCRYPT = Algorithm.parse("scrypt")

# The session that the stratum documentation shows. The share it submits is real: its hash meets difficulty 1.
EXTRANONCE1 = bytes.fromhex("08000002")
NOTIFY: list[Any] = [
    "bf",
    "4d16b6f85af6e2198f44ae2a6de67f78487ae5611b77c6c0440b921e00000000",
    "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff20020862062f503253482f04b8864e5008",
    "072f736c7573682f000000000100f2052a010000001976a914d23fcdf86f7e756a64a7a9688ef9903327048ed988ac00000000",
    [],
    "00000002",
    "1c2ac4af",
    "504e86b9",
    False,
]
SUBMIT = ["slush.miner1", "bf", "00000001", "504e86ed", "b2957c02"]
SUBSCRIPTION = [[["mining.set_difficulty", "b4b6693b72a50c7116db18d6497cac52"],
                 ["mining.notify", "ae6812eb4cd7735a302a8a9dd95cf71f"]], "08000002", 4]

REGTEST_JOB = Job(
    job_id="7", algorithm=SCRYPT, version=0x20000000, prev_hash=bytes(range(32)), coinbase1=b"\x01\x02",
    extranonce1=b"\xaa\xbb\xcc\xdd", extranonce2_size=4, coinbase2=b"\x03", merkle_branch=(b"\x11" * 32, b"\x22" * 32),
    nbits=0x207FFFFF, ntime=1_700_000_000, clean=True, share_target=1 << 240)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=6)


def notify(**changes: Any) -> list[Any]:
    """NOTIFY with some of its parameters changed, by their names."""
    names = ["job_id", "prev_hash", "coinbase1", "coinbase2", "branch", "version", "nbits", "ntime", "clean"]
    assert set(changes) <= set(names)
    return [changes.get(name, value) for name, value in zip(names, NOTIFY, strict=True)]


def request(method: str, params: Any, request_id: Any = None) -> bytes:
    return line({"id": request_id, "method": method, "params": params})


def answer(request_id: Any, result: Any, error: Any = None) -> bytes:
    return line({"id": request_id, "result": result, "error": error})


def line(message: Any) -> bytes:
    return json.dumps(message).encode() + b"\n"


def sent(data: bytes) -> list[dict[str, Any]]:
    """What one end wants to send, read back."""
    assert not data or data.endswith(b"\n")
    return [json.loads(text) for text in data.splitlines()]

"""A chain that is not mined with the algorithm that was asked for is told from one that is. Proposals: tests/node."""

import pytest

import recordings
from miner.core.algorithm import Algorithm
from miner.core.errors import UsageError
from miner.node.beforehand import check_algorithm

SCRYPT, SHA256D = Algorithm.parse("scrypt"), Algorithm.parse("sha256d")
BITCOIN = ("0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000e320b6c2"
           "fffc8d750423db8b1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74df2b9441a42a14695")  # block 125552
LITECOIN = recordings.block("litecoin/block-ltc-585-mweb-pegin-pegout.hex")[:80].hex()


def test_the_right_one_passes() -> None:
    check_algorithm(BITCOIN, SHA256D)
    check_algorithm(LITECOIN, SCRYPT)


@pytest.mark.parametrize("algorithm", ["scrypt", "scrypt:2048"])
def test_the_wrong_one_is_refused_with_the_right_one(algorithm: str) -> None:
    with pytest.raises(UsageError, match=f"proven by sha256d and not by {algorithm}: use --algo sha256d"):
        check_algorithm(BITCOIN, Algorithm.parse(algorithm))


@pytest.mark.parametrize("header", [
    None, 5, "", "zz", BITCOIN + "00", BITCOIN[:-2], "00" * 80, {"hash": "00"},
    "0001" + BITCOIN[4:],  # merged mined
    BITCOIN[:-2] + "00",  # proven by neither: by an algorithm that we don't know
])
def test_what_proves_nothing_stops_nobody(header: object) -> None:
    check_algorithm(header, SCRYPT)

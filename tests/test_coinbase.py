"""The coinbase transaction: what BIP 34 wants in front, and what a node must be able to read back."""

import pytest

from miner.core.algorithm import sha256d
from miner.core.coinbase import (
    compact_size,
    output,
    push,
    push_height,
    split_coinbase,
    split_given_coinbase,
    with_witness,
)
from miner.core.errors import UsageError
from recordings import block

SCRIPT = bytes.fromhex("0014acc96c9868645c1fb4b33eec52870f86a4c5f16d")


@pytest.mark.parametrize(("height", "script"), [
    (0, "00"), (1, "51"), (16, "60"), (17, "0111"), (127, "017f"), (128, "028000"), (255, "02ff00"), (256, "020001"),
    (0x7FFF, "02ff7f"), (0x8000, "03008000"), (227931, "035b7a03"), (0x7FFFFF, "03ffff7f"), (0x800000, "0400008000"),
])
def test_height_is_a_minimal_script_number(height: int, script: str) -> None:
    assert push_height(height).hex() == script


@pytest.mark.parametrize(("number", "data"), [
    (0, "00"), (0xFC, "fc"), (0xFD, "fdfd00"), (0xFFFF, "fdffff"), (0x10000, "fe00000100"),
    (1 << 32, "ff0000000001000000"),
])
def test_compact_size(number: int, data: str) -> None:
    assert compact_size(number).hex() == data


def test_push_of_76_bytes_and_more_has_its_own_opcode() -> None:
    assert push(bytes(75))[:2] == b"\x4b\0"
    assert push(bytes(76))[:2] == b"\x4c\x4c"


def test_is_the_transaction_that_a_node_accepted() -> None:
    recorded = block("litecoin/block-ltc-432-submitted.hex")
    commitment = bytes.fromhex("6a24aa21a9edbca76753ac0eaaed73d97fde0b86ea684f1eeef755ef82ea6cb617f4f27962d7")
    coinbase1, coinbase2 = split_coinbase(432, [output(1250048700, SCRIPT), output(0, commitment)], 0)
    assert recorded[81:].startswith(coinbase1 + coinbase2)


def test_witness_goes_around_the_same_transaction() -> None:
    recorded = block("litecoin/block-ltc-585-mweb-pegin-pegout.hex")
    commitment = bytes.fromhex("6a24aa21a9ed89f347ab802a18416eab02e5f56ad94741844d095394b872d678a1bb5969fd7d")
    coinbase1, coinbase2 = split_coinbase(585, [output(625063500, SCRIPT), output(0, commitment)], 0)
    assert recorded[81:].startswith(with_witness(coinbase1 + coinbase2))
    txid = "9f5cec6fec5aec350268419d3a66c92da7840a06915083a58535ecee80514d75"
    assert sha256d(coinbase1 + coinbase2)[::-1].hex() == txid


def test_extranonce_is_a_push_between_height_and_text() -> None:
    coinbase1, coinbase2 = split_coinbase(500, [output(1, SCRIPT)], 12, "/é/", aux=b"\x02ab")
    script = b"\x02\xf4\x01" + b"\x0c" + b"E" * 12 + b"\x02ab" + b"\x04/\xc3\xa9/"
    assert (coinbase1 + b"E" * 12 + coinbase2)[41:].startswith(bytes([len(script)]) + script + b"\xff\xff\xff\xff")


def test_text_that_fills_the_script_fits_and_one_byte_more_is_refused() -> None:
    coinbase1, _ = split_coinbase(0x7FFFFFFF, [], 12, "x" * 80)
    assert coinbase1[41] == 100
    with pytest.raises(UsageError, match="shorten `coinbase_sig` by 1$"):
        split_coinbase(0x7FFFFFFF, [], 12, "x" * 81)


def test_text_is_not_blamed_for_what_others_put_there() -> None:
    with pytest.raises(UsageError, match="would have 103 bytes, 100 are allowed: the node's part is too long"):
        split_coinbase(500, [], 12, "xx", aux=bytes(84))


def test_given_coinbase_is_appended_to_and_else_left_alone() -> None:
    given = b"".join(split_coinbase(500, [output(7, SCRIPT), output(0, b"\x6a")], 0, "pool"))
    coinbase1, coinbase2 = split_given_coinbase(given, 12, "me", aux=b"\x02ab")
    script = given[42:42 + given[41]]
    longer = script + b"\x0c" + b"E" * 12 + b"\x02ab" + b"\x02me"
    assert coinbase1 + b"E" * 12 + coinbase2 == given[:41] + bytes([len(longer)]) + longer + given[42 + len(script):]
    assert b"".join(split_given_coinbase(given, 0)) == given


def test_given_coinbase_may_have_any_version_sequence_and_lock_time() -> None:
    given = bytes.fromhex("02000000" "01" + "00" * 32 + "ffffffff" "03" "02f401" "fdffffff" "00" "f3010000")
    coinbase1, coinbase2 = split_given_coinbase(given, 1)
    assert (coinbase1 + b"E" + coinbase2).hex() == given.hex().replace("0302f401", "0502f4010145")


GIVEN = b"".join(split_coinbase(500, [output(7, SCRIPT)], 0))


@pytest.mark.parametrize(("coinbase", "complaint"), [
    (b"", "no coinbase"), (GIVEN[:41], "no coinbase"), (GIVEN[:50], "cut off"), (with_witness(GIVEN), "no coinbase"),
    (GIVEN[:5] + b"\1" + GIVEN[6:], "no coinbase"), (GIVEN[:41] + b"\xfd" + GIVEN[42:], "no coinbase"),
    (GIVEN[:41] + b"\1" + GIVEN[42:], "no coinbase"), (GIVEN[:41] + b"\x64" + GIVEN[42:], "cut off"),
])
def test_what_is_no_coinbase(coinbase: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        split_given_coinbase(coinbase, 0)


def test_given_coinbase_without_room_for_an_extranonce() -> None:
    given = b"".join(split_coinbase(500, [], 0, "x" * 85))
    with pytest.raises(UsageError, match="the node's part is too long"):
        split_given_coinbase(given, 12)

"""The pure core against known blocks, hashlib, and the rules of nodes."""

import dataclasses
import hashlib
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner.core.algorithm import Algorithm, Scrypt, sha256d
from miner.core.errors import ProtocolError, UsageError
from miner.core.header import build_header, display_hash, fold_branch, merkle_branch, merkle_root, with_nonce
from miner.core.model import Job
from miner.core.target import (
    MAX_TARGET,
    difficulty_to_target,
    expected_hashes,
    hash_value,
    nbits_to_target,
    target_to_difficulty,
    target_to_nbits,
)
from miner.verify import proof_hash

SCRYPT = Algorithm.parse("scrypt")
SHA256D = Algorithm.parse("sha256d")
GENESIS_COINBASE = bytes.fromhex(
    "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d"
    "65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f7220"
    "62616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f"
    "4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000"
)


def test_bitcoins_first_block_comes_out_of_its_coinbase() -> None:
    job = Job("genesis", SHA256D, 1, bytes(32), GENESIS_COINBASE[:42], GENESIS_COINBASE[42:46], 2,
              GENESIS_COINBASE[48:], (), 0x1D00FFFF, 1231006505, True, 0)
    share = job.work(GENESIS_COINBASE[46:48]).share(2083236893)
    digest = SHA256D.hash(share.header)
    assert display_hash(digest) == "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
    assert hash_value(digest) <= job.network_target


@pytest.mark.parametrize(("root", "ntime", "nonce", "block_id"), [
    pytest.param("97ddfbbae6be97fd6cdf3e7ca13232a3afff2353e29badfab7f73011edd4ced9", 1317972665, 2084524493,
                 "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2", id="litecoin"),
    pytest.param("5b2a3f53f605d62c53e62932dac6925e3d74afa5a4b459745c36d42d0ed26a69", 1386325540, 99943,
                 "1a91e3dace36e2be3bf030a65679fe821aa1d6ef92e7c9902eb318182c355691", id="dogecoin"),
])
def test_first_blocks_of_scrypt_coins_meet_their_target(root: str, ntime: int, nonce: int, block_id: str) -> None:
    header = build_header(1, bytes(32), bytes.fromhex(root)[::-1], ntime, 0x1E0FFFF0, nonce)
    assert display_hash(sha256d(header)) == block_id
    assert hash_value(SCRYPT.hash(header)) <= nbits_to_target(0x1E0FFFF0)
    assert hash_value(SCRYPT.hash(with_nonce(header, nonce + 1))) > nbits_to_target(0x1E0FFFF0)


@pytest.mark.parametrize(("text", "n"), [("scrypt", 1024), ("scrypt:2", 2), ("scrypt:1048576", 1 << 20)])
def test_algorithm_names(text: str, n: int) -> None:
    algorithm = Algorithm.parse(text)
    assert algorithm == Scrypt(n)
    assert (algorithm.name, algorithm.parameters, str(algorithm)) == ("scrypt", (n,), text)


@pytest.mark.parametrize("text", ["", "scrypt:", "scrypt:0", "scrypt:1", "scrypt:1000", "scrypt:2097152", "scrypt:-4",
                                  "scrypt:1e3", "scrypt:" + "9" * 400, "scrypt:²", "sha256d:1", "sha256", "SCRYPT"])
def test_algorithms_that_do_not_exist_are_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match="algorithm"):
        Algorithm.parse(text)


def test_scrypt_fits_into_hashlibs_memory_limit() -> None:
    header = bytes(range(80))
    for n in (2, 1 << 10, 1 << 15):
        reference = hashlib.scrypt(header, salt=header, n=n, r=1, p=1, maxmem=1 << 30, dklen=32)
        assert Scrypt(n).hash(header) == proof_hash(Scrypt(n), header) == reference


def test_scrypt_beyond_hashlibs_range_is_checked_all_the_same() -> None:
    header = bytes(range(80))
    with pytest.raises(ValueError):
        Algorithm.parse("scrypt:65536").hash(header)
    assert proof_hash(Algorithm.parse("scrypt:65536"), header).hex() == (
        "9d2944d46d57649ce2c501645ac143c604c517d74be4a74b2fea0d4045a3d0a8")  # what plain_scrypt() said


def test_scrypt_of_large_n_was_recorded_from_one_that_is_right() -> None:
    header = bytes(range(80))
    assert plain_scrypt(header, 256) == Algorithm.parse("scrypt:256").hash(header)


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=40), st.binary(min_size=32, max_size=32))
def test_a_branch_leads_to_the_root_of_the_whole_tree(txids: list[bytes], coinbase: bytes) -> None:
    assert fold_branch(coinbase, merkle_branch(txids)) == merkle_root([coinbase, *txids])


@pytest.mark.parametrize(("nbits", "target"), [
    (0x1D00FFFF, 0xFFFF << 208), (0x207FFFFF, 0x7FFFFF << 232), (0x03123456, 0x123456), (0x02123456, 0x1234),
    (0x01120000, 0x12)])
def test_compact_targets(nbits: int, target: int) -> None:
    assert nbits_to_target(nbits) == target


@pytest.mark.parametrize("nbits", [0, 0x01000000, 0x1D800001, 0x01FEDCBA, 0xFF123456, 0x00123456])
def test_compact_targets_that_a_node_refuses(nbits: int) -> None:
    with pytest.raises(ValueError, match=f"{nbits:08x}"):
        nbits_to_target(nbits)


@given(st.integers(1, MAX_TARGET))
def test_compact_form_rounds_down_and_is_stable(target: int) -> None:
    rounded = nbits_to_target(target_to_nbits(target))
    assert rounded <= target < rounded + (1 << max(0, target.bit_length() - 15))
    assert target_to_nbits(rounded) == target_to_nbits(target)


@pytest.mark.parametrize("algorithm", [SCRYPT, SHA256D], ids=str)
@given(difficulty=st.floats(1e-9, 1e15))
def test_difficulty_and_target_agree(algorithm: Algorithm, difficulty: float) -> None:
    target = difficulty_to_target(difficulty, algorithm)
    assert target == MAX_TARGET or math.isclose(target_to_difficulty(target, algorithm), difficulty, rel_tol=1e-9)


def test_scrypt_pools_count_65536_times_finer() -> None:
    assert expected_hashes(difficulty_to_target(1, SHA256D)) == pytest.approx(1 << 32, rel=1e-4)
    assert expected_hashes(difficulty_to_target(1, SCRYPT)) == pytest.approx(1 << 16, rel=1e-4)


@pytest.mark.parametrize("difficulty", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_difficulties_that_mean_nothing_are_refused(difficulty: float) -> None:
    with pytest.raises(ValueError, match="difficulty"):
        difficulty_to_target(difficulty, SCRYPT)


def test_tiny_and_huge_difficulties_stay_targets() -> None:
    assert difficulty_to_target(5e-324, SCRYPT) == MAX_TARGET
    assert difficulty_to_target(1e308, SHA256D) == 1


def test_a_job_takes_no_extranonce2_of_another_size() -> None:
    job = Job("1", SCRYPT, 1, bytes(32), b"a", b"b", 4, b"c", (), 0x1D00FFFF, 1, True, 0)
    with pytest.raises(ValueError, match="3 bytes"):
        job.work(bytes(3))


@pytest.mark.parametrize(("field", "value"), [
    ("extranonce2_size", 17), ("extranonce2_size", -1), ("ntime", 1 << 32), ("ntime", -1), ("max_roll", -1),
    ("version", -1), ("version", 1 << 32), ("version_mask", 1 << 32), ("prev_hash", bytes(31)),
    ("merkle_branch", (bytes(32), bytes(33))), ("merkle_root", b""), ("merkle_root", bytes(32)), ("nbits", 0),
    ("nbits", 1 << 32), ("share_target", -1), ("share_target", MAX_TARGET + 1)])
def test_a_job_whose_headers_can_not_be_made_is_refused(field: str, value: object) -> None:
    job = Job("1", SCRYPT, 1, bytes(32), b"a", b"b", 4, b"c", (), 0x1D00FFFF, 1, True, 0)
    with pytest.raises(ProtocolError, match="^job 1: "):
        dataclasses.replace(job, **{field: value})


def test_no_time_is_past_the_end_of_its_field() -> None:
    job = Job("1", SCRYPT, 1, bytes(32), b"a", b"b", 0, b"c", (), 0x1D00FFFF, 0xFFFFFFFE, True, 0, max_roll=600)
    assert job.last_ntime == 0xFFFFFFFF
    assert len(job.work(b"", job.last_ntime).header) == 80


def plain_scrypt(header: bytes, n: int) -> bytes:
    """RFC 7914 word for word, r = p = 1, in plain Python: slow, and independent of any C."""
    block = list(struct.unpack("<32I", hashlib.pbkdf2_hmac("sha256", header, header, 1, 128)))
    rows = []
    for _ in range(n):
        rows.append(block)
        block = block_mix(block)
    for _ in range(n):
        block = block_mix([a ^ b for a, b in zip(block, rows[block[16] % n], strict=True)])
    return hashlib.pbkdf2_hmac("sha256", header, struct.pack("<32I", *block), 1, 32)


def block_mix(block: list[int]) -> list[int]:
    first = salsa20_8([a ^ b for a, b in zip(block[16:], block[:16], strict=True)])
    return first + salsa20_8([a ^ b for a, b in zip(first, block[16:], strict=True)])


def salsa20_8(block: list[int]) -> list[int]:
    x = block[:]
    for _ in range(4):
        for quarters in (((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11)),
                         ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14))):
            for a, b, c, d in quarters:
                for to, one, two, bits in ((b, a, d, 7), (c, b, a, 9), (d, c, b, 13), (a, d, c, 18)):
                    total = (x[one] + x[two]) & 0xFFFFFFFF
                    x[to] ^= (total << bits | total >> 32 - bits) & 0xFFFFFFFF
    return [(a + b) & 0xFFFFFFFF for a, b in zip(x, block, strict=True)]

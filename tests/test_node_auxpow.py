"""AuxPoW against what a real Dogecoin Core gave, took and refused."""

import contextlib
import copy
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import recordings
from miner.core.algorithm import Algorithm
from miner.core.coinbase import MAX_SCRIPT_SIZE
from miner.core.errors import ProtocolError, UsageError
from miner.core.model import ShareStatus
from miner.core.target import hash_value
from miner.node.auxpow import COMMITMENT_SIZE, AuxPow, parse_aux_block, proof
from miner.node.jsonrpc import JsonRpcError
from miner.node.refusals import explain, submit_verdict
from miner.node.template import Payout, parse_template
from node.recorded_dogecoin import GIVEN, BadProof, check_proof

SCRYPT = Algorithm.parse("scrypt")
EASY = int("7fffff" + "00" * 29, 16)
ACCEPTED = recordings.recording("dogecoin/submitauxblock.json")[0]["request"]["params"]
STORED = recordings.recording("dogecoin/getblock-auxpow.json")[0]["response"]["result"]["auxpow"]
PAYOUT = Payout(b"\x51")
PARENTS = [name for name in recordings.TEMPLATES if not name.startswith("dogecoin")]


def test_serialises_as_the_node_took_it_and_tells_it() -> None:
    branches = {key: tuple(bytes.fromhex(text)[::-1] for text in STORED[key])
                for key in ("merklebranch", "chainmerklebranch")}
    made = AuxPow(bytes.fromhex(STORED["tx"]["hex"]), branches["merklebranch"], bytes.fromhex(STORED["parentblock"]),
                  branches["chainmerklebranch"], STORED["chainindex"]).serialize()
    given = bytes.fromhex(ACCEPTED[1])
    parents_id = len(STORED["tx"]["hex"]) // 2
    assert made[:parents_id] + made[parents_id + 32:] == given[:parents_id] + given[parents_id + 32:]
    assert len(made) == len(given)


def test_reads_the_block_that_waits_for_its_proof() -> None:
    block = parse_aux_block(GIVEN)
    assert block.id == GIVEN["hash"] and block.hash[::-1].hex() == GIVEN["hash"]
    assert (block.chain_id, block.height, block.coinbase_value) == (98, 23, 50000000000000)
    assert block.prev_hash[::-1].hex() == GIVEN["previousblockhash"]


def test_reads_a_namecoin_block_that_waits_for_its_proof() -> None:
    """Its node calls the target `_target`, and writes it with its least significant byte first."""
    given = recordings.recording("namecoin/namecoin-createauxblock.json")["result"]
    block = parse_aux_block(given)
    assert (block.id, block.chain_id, block.height, block.coinbase_value) == (given["hash"], 1, 999, 78125000)
    assert block.target == int.from_bytes(bytes.fromhex(given["_target"]), "little")
    template = recordings.recording("namecoin/namecoin-gbt.json")
    assert parse_template(template).prev_hash == block.prev_hash
    assert parse_template(template).version >> 16 == block.chain_id


def test_aux_blocks_begin_where_the_chain_takes_no_blocks_of_the_old_form_any_more() -> None:
    """Recorded from height 2 to 22: before, the node asks for patience; after, blocks of its own templates still pass,
    whose version says what the aux blocks say."""
    heights = recordings.recording("dogecoin/auxpow-boundary.json")
    first = next(step["next_height"] for step in heights if step["createauxblock"]["error"] is None)
    assert first == 20
    for step in heights:
        if step["next_height"] < first:
            error = step["createauxblock"]["error"]
            assert not explain(JsonRpcError(error["code"], error["message"]), "", "createauxblock").for_good
            continue
        block = parse_aux_block(step["createauxblock"]["result"])
        assert block.height == step["next_height"]
        assert int(step["template_version"], 16) >> 16 == block.chain_id
        assert step["template_version_block"]["result"] is None
        assert submit_verdict(step["version1_block"]["result"]) is ShareStatus.REJECTED


def test_target_is_spelled_out_with_its_least_significant_byte_first() -> None:
    assert parse_aux_block(GIVEN).target == EASY == int.from_bytes(bytes.fromhex(GIVEN["target"]), "little")


def test_commitment_is_the_recorded_one_but_for_being_a_push() -> None:
    """getauxblock's recorded proof has a tree of one chain as well, with another nonce."""
    block, recorded = recordings.recording("dogecoin/getauxblock.json")[1]["request"]["params"]
    ours = parse_aux_block(GIVEN | {"hash": block}).commitment
    assert ours[0] == len(ours) - 1 and len(ours) == COMMITMENT_SIZE
    assert bytes.fromhex(recorded).count(ours[1:-4]) == 1
    assert ours[-4:] == bytes(4)


@pytest.mark.parametrize("name", PARENTS)
def test_share_of_any_parent_proves_the_block(name: str) -> None:
    block = parse_aux_block(GIVEN)
    template = parse_template(recordings.template(name))
    job = template.job("1", SCRYPT, PAYOUT, b"\1\2\3\4", clean=True, aux=block)
    assert job.share_target == max(job.network_target, EASY)
    work = job.work(bytes(8))
    share = next(share for share in map(work.share, range(100)) if hash_value(SCRYPT.hash(share.header)) <= EASY)
    assert check_proof(proof(share).serialize(), block.id, EASY) == share.header
    # and it is part of the parent's own block all the same
    assert template.block(share)[:80] == share.header and block.hash[::-1] in template.block(share)


def test_easier_target_of_both_is_the_shares() -> None:
    parent = parse_template(recordings.template(PARENTS[0]) | {"bits": "1d00ffff"})
    assert parent.job("1", SCRYPT, PAYOUT, b"", clean=True, aux=parse_aux_block(GIVEN)).share_target == EASY
    hard = parse_aux_block(GIVEN | {"bits": "1c00ffff"})
    assert parent.job("1", SCRYPT, PAYOUT, b"", clean=True, aux=hard).share_target == 0xFFFF << 208


def test_text_beside_the_commitment_still_fits_or_is_refused() -> None:
    template = parse_template(recordings.template(PARENTS[0]) | {"height": (1 << 31) - 1})
    room = MAX_SCRIPT_SIZE - 6 - 13 - COMMITMENT_SIZE - 1
    settings: dict[str, Any] = {"clean": True, "aux": parse_aux_block(GIVEN)}
    assert template.job("1", SCRYPT, Payout(b"\x51", "x" * (room + 1)), bytes(4), **settings)
    with pytest.raises(UsageError, match="shorten `coinbase_sig` by 1$"):
        template.job("1", SCRYPT, Payout(b"\x51", "x" * (room + 2)), bytes(4), **settings)


def test_our_judge_agrees_with_the_real_node() -> None:
    """What stands for Dogecoin Core in other tests takes what that took, and refuses what that refused."""
    for name, index in (("submitauxblock", 0), ("getauxblock", 1), ("submitauxblock-refusals", 3)):
        exchange = recordings.recording(f"dogecoin/{name}.json")[index]
        assert exchange["response"]["result"] is True
        block, accepted = exchange["request"]["params"]
        check_proof(bytes.fromhex(accepted), block, EASY)
    for index in (0, 2):
        exchange = recordings.recording("dogecoin/submitauxblock-refusals.json")[index]
        assert exchange["response"]["result"] is not True
        block, refused = exchange["request"]["params"]
        with pytest.raises(BadProof):
            check_proof(bytes.fromhex(refused), block, EASY)


@pytest.mark.parametrize(("at", "complaint"), [
    (45, "does not stand once|merkle root"), (-1, "proof of work|"), (-40, "merkle root"),
    (170, "merkle root|end"),
])
def test_our_judge_sees_every_damage(at: int, complaint: str) -> None:
    damaged = bytearray.fromhex(ACCEPTED[1])
    damaged[at] ^= 0x55
    with pytest.raises(BadProof, match=complaint):
        check_proof(bytes(damaged), ACCEPTED[0], EASY >> 3 if at == -1 else EASY)


@pytest.mark.parametrize(("change", "complaint"), [
    ({"hash": "00" * 31}, "hash has 31 bytes"), ({"hash": 5}, "hash is not hexadecimal"),
    ({"chainid": -1}, "chainid is not a whole number"), ({"chainid": 65536}, "chainid is not"),
    ({"bits": "00000000"}, "bits are wrong"), ({"bits": "207fff"}, "bits has 3 bytes"),
    ({"previousblockhash": None}, "previousblockhash is not hexadecimal"), ({"height": 0}, "height is not"),
    ({"coinbasevalue": -1}, "coinbasevalue is not"),
])
def test_names_the_field_that_is_wrong(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ProtocolError, match=f"the aux block's {complaint}"):
        parse_aux_block(GIVEN | change)


@pytest.mark.parametrize("answer", [None, [], True, {}])
def test_refuses_what_is_no_aux_block(answer: object) -> None:
    with pytest.raises(ProtocolError, match="the aux block"):
        parse_aux_block(answer)


@given(st.dictionaries(st.sampled_from(sorted(GIVEN)), st.none() | st.integers() | st.text() | st.lists(st.none())))
def test_whatever_stands_in_the_fields_is_understood_or_refused(changes: dict[str, object]) -> None:
    with contextlib.suppress(ProtocolError):
        assert len(parse_aux_block(copy.deepcopy(GIVEN) | changes).commitment) == COMMITMENT_SIZE


def test_size_of_the_tree_and_nonce_are_those_of_one_chain() -> None:
    assert struct.unpack("<II", parse_aux_block(GIVEN).commitment[-8:]) == (1, 0)

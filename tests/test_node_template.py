"""getblocktemplate against what real nodes said, and the blocks that they accepted."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import recordings
from miner.core.algorithm import Algorithm, sha256d
from miner.core.coinbase import WITNESS_RESERVED_VALUE, split_coinbase, with_witness
from miner.core.errors import ProtocolError, UsageError
from miner.core.header import build_header, display_hash, fold_branch, merkle_root
from miner.core.model import Job, Share
from miner.core.target import hash_value
from miner.node.template import Payout, Template, parse_template, template_request

SCRYPT = Algorithm.parse("scrypt")
PAYOUT = Payout(bytes.fromhex("0014acc96c9868645c1fb4b33eec52870f86a4c5f16d"))
PEG_IN_OUT = "litecoin/gbt-ltc-mweb-pegin-pegout-txs.json"


def job_of(template: Template, payout: Payout = PAYOUT, extranonce1: bytes = b"\1\2\3\4",
           extranonce2_size: int = 8) -> Job:
    return template.job("1", SCRYPT, payout, extranonce1, clean=True, extranonce2_size=extranonce2_size)


def share_of(job: Job, nonce: int = 0, ntime: int | None = None) -> Share:
    return job.work(b"\5" * job.extranonce2_size, ntime).share(nonce)


@pytest.mark.parametrize("name", recordings.TEMPLATES)
def test_every_recording_becomes_a_job_and_a_block(name: str) -> None:
    answer = recordings.template(name)
    template = parse_template(answer)
    job = job_of(template)
    assert job.prev_hash[::-1].hex() == answer["previousblockhash"]
    assert job.share_target == job.network_target == int(answer["target"], 16)
    assert job.ntime == answer["curtime"]
    assert (job.height, job.extranonce2_size) == (answer["height"], 8)

    share = share_of(job, nonce=7)
    coinbase = job.coinbase(b"\5" * 8)
    txids = [sha256d(coinbase)] + [bytes.fromhex(t["txid"])[::-1] for t in answer["transactions"]]
    segwit = "!segwit" in answer.get("rules", [])
    expected = build_header(answer["version"], job.prev_hash, merkle_root(txids), job.ntime, int(answer["bits"], 16), 7)
    expected += bytes([len(txids)]) + (with_witness(coinbase) if segwit else coinbase)
    expected += b"".join(bytes.fromhex(t["data"]) for t in answer["transactions"])
    expected += b"\1" + bytes.fromhex(answer["mweb"]) if "mweb" in answer else b""
    assert template.block(share) == expected
    assert (answer.get("default_witness_commitment", "none") in coinbase.hex()) is segwit


def test_recordings_of_every_kind_are_there() -> None:
    kinds = {name.split("/")[0] for name in recordings.TEMPLATES}
    assert kinds == {"litecoin", "bitcoin", "dogecoin"} and len(recordings.TEMPLATES) == 14


@pytest.mark.parametrize(("template", "block", "witness"), [
    ("litecoin/gbt-ltc-height432-first-mweb-pegin.json", "litecoin/block-ltc-432-submitted.hex", False),
    (PEG_IN_OUT, "litecoin/block-ltc-585-mweb-pegin-pegout.hex", True),
])
def test_builds_the_block_that_litecoin_core_accepted(template: str, block: str, witness: bool) -> None:
    """Byte for byte, from a coinbase without extranonce, as those were. The first was handed in without the coinbase's
    witness, which Litecoin Core adds itself where the commitment asks for it; blocks of ours always carry it."""
    accepted = recordings.block(block)
    parsed = parse_template(recordings.template(template))
    job = job_of(parsed, extranonce1=b"", extranonce2_size=0)
    ntime, nonce = int.from_bytes(accepted[68:72], "little"), int.from_bytes(accepted[76:80], "little")
    share = share_of(job, nonce, ntime)
    if not witness:
        accepted = accepted.replace(job.coinbase(b""), with_witness(job.coinbase(b"")))
    assert parsed.block(share) == accepted


@pytest.mark.parametrize("name", [name for name in recordings.TEMPLATES if recordings.template(name)["transactions"]])
def test_commitment_is_made_over_the_reserved_value_that_we_put_into_the_witness(name: str) -> None:
    answer = recordings.template(name)
    hashes = [bytes(32)] + [bytes.fromhex(t["hash"])[::-1] for t in answer["transactions"]]
    commitment = sha256d(merkle_root(hashes) + WITNESS_RESERVED_VALUE)
    assert answer["default_witness_commitment"] == "6a24aa21a9ed" + commitment.hex()


def test_hogex_stays_last_and_its_id_is_the_nodes_word() -> None:
    answer = recordings.template(PEG_IN_OUT)
    hogex = parse_template(answer).transactions[-1]
    assert hogex.txid[::-1].hex() == answer["transactions"][-1]["txid"]
    assert sha256d(hogex.data) != hogex.txid


def test_dogecoin_gets_no_witness_although_its_template_names_a_commitment() -> None:
    answer = recordings.template("dogecoin/getblocktemplate-h1797-with-tx.json")
    assert "default_witness_commitment" in answer
    template = parse_template(answer)
    job = job_of(template)
    block = template.block(share_of(job))
    assert template.witness_commitment == b""
    assert block[81:].startswith(job.coinbase(b"\5" * 8))
    assert template.version == 0x00620004  # chain id 98, no AuxPoW


def test_job_makes_the_header_that_dogecoin_core_accepted() -> None:
    """A block made of the recorded template, but for its coinbase, which another miner made."""
    block = recordings.recording("dogecoin/getblock-minerd-with-tx.json")
    template = parse_template(recordings.template("dogecoin/getblocktemplate-h1797-with-tx.json"))
    job = job_of(template)
    coinbase, *others = [bytes.fromhex(txid)[::-1] for txid in block["tx"]]
    assert others == [transaction.txid for transaction in template.transactions]
    root = fold_branch(coinbase, job.merkle_branch)
    assert root[::-1].hex() == block["merkleroot"]
    header = build_header(job.version, job.prev_hash, root, block["time"], job.nbits, block["nonce"])
    assert display_hash(sha256d(header)) == block["hash"]
    assert hash_value(SCRYPT.hash(header)) <= job.network_target


@pytest.mark.parametrize("index", [0, 1])
def test_coinbase_has_the_form_that_dogecoin_core_accepted(index: int) -> None:
    """The recorded coinbases (without and with the commitment's output) differ from ours in nothing but the pushes."""
    exchange = recordings.recording("dogecoin/submitblock-witness.json")[index]
    assert exchange["response"] == {"result": None, "error": None, "id": 0}
    recorded = bytes.fromhex(exchange["request"]["params"][0])[81:]
    height = int.from_bytes(recorded[43:45], "little")
    outputs = recorded[recorded.index(b"\xff" * 4, 42) + 5:-4]
    coinbase1, coinbase2 = split_coinbase(height, [outputs], 0, aux=b"\x04lab!")
    assert coinbase1 + coinbase2[:9] == recorded[:len(coinbase1) + 9]
    assert coinbase2[10:] == outputs + bytes(4)


def test_flags_of_coinbaseaux_go_into_the_script() -> None:
    answer = recordings.template("bitcoin/gbt-bsv-height1.json")
    answer["coinbaseaux"] = {"flags": "062f503253482f", "more": "0151"}
    job = job_of(parse_template(answer), payout=Payout(PAYOUT.script, "me"))
    script = bytes.fromhex("062f503253482f" "0151") + b"\2me" + b"\xff" * 4
    assert job.coinbase2.startswith(script)


def pools_template(name: str, **changes: object) -> dict[str, Any]:
    """A recorded template as a pool would give it, that makes the coinbase itself."""
    answer = recordings.template(name)
    ours = job_of(parse_template(answer), extranonce1=b"", extranonce2_size=0)
    data = (ours.coinbase1 + ours.coinbase2).hex()
    data = data[:82] + "02" "0164" + data[84 + 2 * int(data[82:84], 16):]  # a script that is easy to recognize
    del answer["coinbasevalue"]
    answer |= {"coinbasetxn": {"data": data}, "mutable": ["time", "coinbase/append"], "target": "ff" * 32}
    return answer | changes


@pytest.mark.parametrize("name", recordings.TEMPLATES)
def test_coinbase_that_the_server_made_is_appended_to(name: str) -> None:
    answer = pools_template(name)
    template = parse_template(answer)
    job = job_of(template, Payout(b"never paid", "/text/"))
    script = bytes.fromhex("0164") + b"\x0c" + b"\1\2\3\4" + b"\5" * 8 + b"\x06/text/"
    data = bytes.fromhex(answer["coinbasetxn"]["data"])
    expected = data[:41] + bytes([len(script)]) + script + data[44:]
    coinbase = job.coinbase(b"\5" * 8)
    assert coinbase == expected
    assert job.share_target == (1 << 256) - 1 and job.network_target == int(recordings.template(name)["target"], 16)
    segwit = "!segwit" in recordings.template(name).get("rules", [])
    assert template.block(share_of(job))[81:].startswith(with_witness(coinbase) if segwit else coinbase)


def test_coinbase_that_the_server_made_without_a_commitment_gets_no_witness() -> None:
    bare = b"".join(split_coinbase(433, [], 0)).hex()
    answer = pools_template("bitcoin/gbt-btc-height1.json", coinbasetxn={"data": bare})
    for known in (answer, {key: value for key, value in answer.items() if key != "default_witness_commitment"}):
        template = parse_template(known)
        job = job_of(template)
        assert template.block(share_of(job))[81:] == job.coinbase(b"\5" * 8)


def test_target_that_is_harder_than_the_networks_misses_no_block() -> None:
    template = parse_template(pools_template(PEG_IN_OUT, target="00" * 32))
    assert job_of(template).share_target == job_of(template).network_target


@pytest.mark.parametrize(("change", "complaint"), [
    ({"mutable": ["time"]}, "lets nobody append to it: try `gbt=False`"),
    ({"mutable": None}, "lets nobody append to it"),
    ({"coinbasetxn": None}, "coinbasetxn is not a JSON object"), ({"coinbasetxn": {}}, "coinbasetxn has no data"),
    ({"coinbasetxn": {"data": "00" * 60}}, "coinbasetxn is no coinbase"),
    ({"target": "00"}, "target has 1 bytes"), ({"target": 5}, "target is not hexadecimal"),
])
def test_coinbase_of_the_server_that_can_not_be_used(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        parse_template(pools_template(PEG_IN_OUT, **change))


def test_workid_and_negative_version_and_mintime() -> None:
    answer = recordings.template("bitcoin/gbt-btc-height1.json")
    answer |= {"workid": "w1", "version": -2, "mintime": answer["curtime"] + 9}
    template = parse_template(answer)
    assert (template.workid, template.version, template.ntime) == ("w1", 0xFFFFFFFE, answer["curtime"] + 9)


def test_request_asks_for_every_rule_and_passes_the_longpollid() -> None:
    assert template_request()["rules"] == ["mweb", "segwit", "signet"]
    assert {"coinbasevalue", "coinbasetxn", "coinbase/append"} < set(template_request()["capabilities"])
    assert "longpollid" not in template_request()
    assert template_request("abc")["longpollid"] == "abc"


def test_same_work_looks_at_what_a_block_earns_not_at_the_time() -> None:
    answer = recordings.template(PEG_IN_OUT)
    first = parse_template(answer)
    assert first.same_work(parse_template(answer | {"curtime": answer["curtime"] + 60, "longpollid": "other"}))
    pools = pools_template(PEG_IN_OUT)
    for other in ({"coinbasetxn": {"data": pools["coinbasetxn"]["data"].replace("0164", "0165")}},
                  {"target": "7f" * 32}):
        assert not parse_template(pools).same_work(parse_template(pools | other))
    for other in ({"coinbasevalue": 1}, {"transactions": answer["transactions"][1:]}, {"mweb": "00"},
                  {"previousblockhash": "00" * 32}, {"version": 2}, {"bits": "1e0fffff"}):
        assert not first.same_work(parse_template(answer | other))


@pytest.mark.parametrize(("change", "complaint"), [
    ({"previousblockhash": "00" * 31}, "previousblockhash has 31 bytes"),
    ({"previousblockhash": "zz" * 32}, "previousblockhash is not hexadecimal"),
    ({"previousblockhash": "00 " * 32}, "previousblockhash is not hexadecimal"),
    ({"previousblockhash": None}, "previousblockhash is not hexadecimal"),
    ({"bits": "00000000"}, "bits are wrong"),
    ({"bits": "ff7fffff"}, "bits are wrong"),
    ({"bits": 545259519}, "bits is not hexadecimal"),
    ({"height": 0}, "height is not a whole number from 1"),
    ({"height": True}, "height is not a whole number"),
    ({"height": 1.0}, "height is not a whole number"),
    ({"height": 1 << 31}, "height is not a whole number"),
    ({"curtime": -1}, "curtime is not"),
    ({"curtime": 1 << 32}, "curtime is not"),
    ({"version": 1 << 32}, "version is not"),
    ({"coinbasevalue": -1}, "coinbasevalue is not"),
    ({"coinbasevalue": 1 << 63}, "coinbasevalue is not"),
    ({"transactions": {}}, "transactions is not a list"),
    ({"transactions": [7]}, "transaction 0 is not a JSON object"),
    ({"transactions": [{"txid": "00" * 32}]}, "transaction 0 has no data"),
    ({"transactions": [{"txid": "00" * 32, "data": ""}]}, "transaction 0's data has 0 bytes"),
    ({"transactions": [{"data": "00"}]}, "transaction 0 has no hash"),
    ({"mweb": ""}, "mweb has 0 bytes"),
    ({"mweb": None}, "mweb is not hexadecimal"),
    ({"coinbaseaux": {"flags": "0"}}, "coinbaseaux's flags is not hexadecimal"),
    ({"coinbaseaux": {"\x1e\x1b[31m": None}}, r"coinbaseaux's \[31m is not hexadecimal"),
    ({"coinbaseaux": []}, None),
    ({"coinbaseaux": [1]}, "coinbaseaux is not a JSON object"),
    ({"longpollid": 5}, "longpollid is not a text"),
    ({"longpollid": "x" * 257}, "longpollid is not a text"),
    ({"rules": "segwit"}, "rules is not a list"),
    ({"rules": ["csv", "!segwit", "!quantum"]}, "the rule 'quantum', which this miner doesn't know"),
    ({"rules": ["csv", "!segwit", "quantum"]}, None),
    ({"default_witness_commitment": "6a"}, "default_witness_commitment has 1 bytes"),
])
def test_names_the_field_that_is_wrong(change: dict[str, object], complaint: str | None) -> None:
    answer = recordings.template(PEG_IN_OUT) | change
    if complaint is None:
        parse_template(answer)
        return
    with pytest.raises(ProtocolError, match=complaint):
        parse_template(answer)


@pytest.mark.parametrize("missing", ["previousblockhash", "bits", "height", "curtime", "version", "coinbasevalue",
                                     "transactions", "default_witness_commitment"])
def test_names_the_field_that_is_missing(missing: str) -> None:
    answer = recordings.template(PEG_IN_OUT)
    del answer[missing]
    with pytest.raises(ProtocolError, match=f"template has no {missing}"):
        parse_template(answer)


@pytest.mark.parametrize("answer", [None, [], "", 0, {}])
def test_refuses_what_is_no_template(answer: object) -> None:
    with pytest.raises(ProtocolError, match="the template"):
        parse_template(answer)


def test_only_a_signet_that_everybody_may_sign_is_mined() -> None:
    answer = recordings.template("bitcoin/gbt-btc-signet-height1.json")
    assert answer["signet_challenge"] == "51"
    parse_template(answer)
    somebodys_key = "512103ad5e0edad18cb1f0fc0d28a3d4f1f3e445640337489abb10404f2d1e086be43051ae"
    with pytest.raises(ProtocolError, match="must be signed by its operators"):
        parse_template(answer | {"signet_challenge": somebodys_key})


def test_text_too_long_for_the_script_is_refused() -> None:
    with pytest.raises(UsageError, match="coinbase_sig"):
        job_of(parse_template(recordings.template(PEG_IN_OUT)), payout=Payout(PAYOUT.script, "x" * 90))


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70)
                     | st.binary(max_size=40).map(bytes.hex),
                     lambda inner: st.lists(inner, max_size=4)
                     | st.dictionaries(st.text(max_size=9), inner, max_size=4), max_leaves=8)
_ANSWERS = [recordings.template(PEG_IN_OUT), pools_template(PEG_IN_OUT)]
_FIELDS = sorted({*_ANSWERS[0], *_ANSWERS[1], "workid", "signet_challenge", "longpolluri"})


@given(st.sampled_from(_ANSWERS), st.dictionaries(st.sampled_from(_FIELDS), _JSON, min_size=1, max_size=3))
def test_whatever_stands_in_the_fields_is_understood_or_refused(given: dict[str, Any],
                                                                changes: dict[str, object]) -> None:
    answer = copy.deepcopy(given) | changes
    try:
        template = parse_template(json.loads(json.dumps(answer)))
        job = job_of(template)
    except (ProtocolError, UsageError) as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert template.block(share_of(job))

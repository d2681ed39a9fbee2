"""What a node's refusals mean to a person, and which of them are for good."""

import re
import socket
import ssl

import pytest

from miner.core.errors import MinerError, ProtocolError, UsageError
from miner.core.model import ShareStatus
from miner.node.jsonrpc import HttpError, JsonRpcError
from miner.node.payout import check_address, script_from_answer
from miner.node.refusals import download_progress, explain, submit_verdict

LABEL = "http://127.0.0.1:19332/"
SETTING = "coinbase_addr"


@pytest.mark.parametrize(("error", "words", "for_good"), [
    (JsonRpcError(-9, "Litecoin Core is not connected!"), "is not connected! .error -9.: .*peer", False),
    (JsonRpcError(-10, "Litecoin Core is in initial sync and waiting for blocks..."), "initial sync", False),
    (JsonRpcError(-28, "Loading block index..."), "Loading block index", False),
    (JsonRpcError(-1, "CreateNewBlock: TestBlockValidity failed: bad-cb"), "TestBlockValidity", False),
    (JsonRpcError(-1, "TestBlockValidity failed: bad-txns-vin-empty"), "first MWEB block needs .* pegs in", False),
    (JsonRpcError(-8, "must be called with x"), "with x .*asked with the rules mweb, segwit, signet", True),
    (JsonRpcError(-32601, "Method not found"), "does not offer getblocktemplate", True),
    (HttpError(401, "Unauthorized"), "wrong RPC user or password.*rpcuser", True),
    (HttpError(403, "Forbidden"), "rpcallowip.*rpcwhitelist", True),
    (HttpError(404, "Not Found"), "404 Not Found", True),
    (HttpError(503, "Service Unavailable"), "503", False),
    (ConnectionRefusedError(111, "Connect call failed"), "connection refused.*-server", False),
    (TimeoutError(), "does not answer", False),
    (OSError(113, "Connect call failed ('10.0.0.1', 1)"), "No route to host", False),
    (socket.gaierror(-2, "Name or service not known"), "Name or service not known", False),
    (ConnectionResetError(), "Connection reset by peer", False),
    (ConnectionError("the connection was closed without an answer"), "closed without an answer", False),
    (ProtocolError("the template has no height"), "the template has no height", True),
])
def test_explained(error: MinerError | OSError, words: str, for_good: bool) -> None:
    trouble = explain(error, LABEL, "getblocktemplate")
    assert re.search(words, trouble.text)
    assert trouble.for_good is for_good


def test_certificate_that_is_not_trusted_is_for_good() -> None:
    error = ssl.SSLCertVerificationError(1, "…")
    error.verify_message = "self-signed certificate"
    trouble = explain(error, LABEL, "getblocktemplate")
    assert "self-signed certificate" in trouble.text and trouble.for_good


@pytest.mark.parametrize(("reason", "status"), [
    ("inconclusive", ShareStatus.STALE), ("stale-prevblk", ShareStatus.STALE), ("duplicate", ShareStatus.REJECTED),
    ("duplicate-inconclusive", ShareStatus.STALE), ("duplicate-invalid", ShareStatus.REJECTED),
    ("inconclusive-not-best-prevblk", ShareStatus.STALE), ("bad-prevblk", ShareStatus.STALE),
    ("prev-blk-not-found", ShareStatus.STALE), ("stale-work", ShareStatus.STALE), ("unknown-work", ShareStatus.STALE),
    ("high-hash", ShareStatus.REJECTED), ("bad-txnmrklroot", ShareStatus.REJECTED), ("", ShareStatus.REJECTED),
    ("time-too-old", ShareStatus.REJECTED), ("bad-version(0x00000001)", ShareStatus.REJECTED),
    ("late-legacy-block", ShareStatus.REJECTED), ("rejected", ShareStatus.REJECTED),
])
def test_submit_verdict(reason: str, status: ShareStatus) -> None:
    assert submit_verdict(reason) is status


@pytest.mark.parametrize(("answer", "words"), [
    ({"verificationprogress": 0.4319}, " (initial block download: 43%)"),
    ({"verificationprogress": 0}, " (initial block download: 0%)"),
    ({"verificationprogress": 0.9989}, " (initial block download: 99%)"),
    ({"verificationprogress": 1}, ": its newest block is old; .*-maxtipage=1000000000"),
    ({"verificationprogress": "43"}, ""), ({"verificationprogress": 1e999}, ""), ({}, ""), ([], ""), (None, ""),
])
def test_download_progress(answer: object, words: str) -> None:
    assert re.fullmatch(re.escape(words) if "(" in words else words, download_progress(answer))


def test_script_is_the_nodes_word() -> None:
    assert script_from_answer("anything", {"isvalid": True, "scriptPubKey": "51"}, SETTING) == b"\x51"


def test_without_a_script_the_address_stands_for_itself() -> None:
    script = script_from_answer("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", {"isvalid": True}, SETTING)
    assert script.hex() == "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac"
    with pytest.raises(UsageError, match="checksum"):
        script_from_answer("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", {"isvalid": True}, SETTING)


@pytest.mark.parametrize(("answer", "complaint"), [
    ({"isvalid": False}, "no address of its chain"),
    ({"isvalid": True, "scriptPubKey": "", "ismweb": True}, "can't pay an MWEB address"),
    ({"isvalid": True, "scriptPubKey": ""}, "no script that pays it"),
    ({"isvalid": True, "scriptPubKey": "xy"}, "no script that pays it"),
    ({"isvalid": True, "scriptPubKey": 7}, "no script that pays it"),
    ({"isvalid": True, "scriptPubKey": "51" * 10_001}, "no script that pays it"),
])
def test_address_that_can_not_be_paid(answer: object, complaint: str) -> None:
    with pytest.raises(UsageError, match=f"`coinbase_addr` addr…?: .*{complaint}"):
        script_from_answer("addr", answer, SETTING)


@pytest.mark.parametrize("answer", [None, [], {}, {"isvalid": 1}])
def test_answer_that_says_neither_yes_nor_no(answer: object) -> None:
    with pytest.raises(ProtocolError):
        script_from_answer("addr", answer, SETTING)


def test_no_address_no_mining() -> None:
    with pytest.raises(UsageError, match="`coinbase_addr=ADDRESS`"):
        check_address("", SETTING)
    for wrong in ("two words", "a\nb", "é", "x" * 201):
        with pytest.raises(UsageError, match="is no address"):
            check_address(wrong, SETTING)

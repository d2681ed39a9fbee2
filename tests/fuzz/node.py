"""A node's answer over HTTP, taken for each thing that it may be the answer to, and work made of it."""

import contextlib
import json

import recordings
from fuzz.target import Target
from miner.core.algorithm import Algorithm
from miner.core.errors import MinerError, ProtocolError
from miner.core.model import Job
from miner.node.auxpow import parse_aux_block, proof
from miner.node.getwork import parse_getwork, parse_offers
from miner.node.http_answer import AnswerParser
from miner.node.jsonrpc import decode_answer
from miner.node.payout import script_from_answer
from miner.node.refusals import explain, failed_submit, rejected_getwork
from miner.node.template import Payout, parse_template

SCRYPT = Algorithm.parse("scrypt")
ADDRESS = "mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8"


def node(data: bytes) -> None:
    """Whatever is wrong with it has words for a person."""
    try:
        parser = AnswerParser()
        reply = decode_answer(parser.feed(data) or parser.end(), 1)
    except (MinerError, ConnectionError) as error:
        trouble = explain(error, "http://127.0.0.1:8332/", "getblocktemplate").text
        assert trouble.isprintable()
        assert failed_submit(error, "http://127.0.0.1:8332/")[1].isprintable()
        return
    offers = parse_offers(reply.headers, "http://127.0.0.1:8332/")
    assert offers.stratum.isprintable()
    rejected_getwork(offers.reject_reason)
    for use in (_mine_template, _mine_getwork, _mine_aux_block):
        with contextlib.suppress(ProtocolError):
            use(reply.result)
    with contextlib.suppress(MinerError):
        script_from_answer(ADDRESS, reply.result, "--coinbase-addr")


def _mine_template(answer: object) -> None:
    template = parse_template(answer)
    with contextlib.suppress(MinerError):  # a coinbaseaux that leaves no room
        job = template.job("1", SCRYPT, Payout(b"\x51", "text"), bytes(4), clean=True)
        assert template.block(_mined(job))


def _mine_getwork(answer: object) -> None:
    work = parse_getwork(answer)
    job = work.job("1", SCRYPT, clean=True, max_roll=60)
    assert len(work.submission(_mined(job))) == 256


def _mine_aux_block(answer: object) -> None:
    aux = parse_aux_block(answer)
    template = parse_template(recordings.template(recordings.TEMPLATES[0]))
    assert proof(_mined(template.job("1", SCRYPT, Payout(b"\x51"), bytes(4), clean=True, aux=aux))).serialize()


def _mined(job: Job):  # type: ignore[no-untyped-def]
    return job.work(bytes(job.extranonce2_size)).share(7)


def _http(result: object) -> bytes:
    body = json.dumps({"result": result, "error": None, "id": 1}).encode()
    return (b"HTTP/1.1 200 OK\r\nX-Long-Polling: /lp\r\nX-Stratum: stratum+tcp://127.0.0.1:3333\r\n"
            b"X-Reject-Reason: stale\r\nX-Roll-NTime: expire=9\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


_SEEDS = (
    *(_http(recordings.template(name)) for name in recordings.TEMPLATES),
    _http({"data": "00" * 72 + "207fffff" + "00" * 52, "target": "ff" * 32}),
    _http({"hash": "11" * 32, "chainid": 98, "previousblockhash": "22" * 32, "coinbasevalue": 1, "bits": "207fffff",
           "height": 2, "_target": "00" * 32}),
    _http({"isvalid": True, "address": ADDRESS, "scriptPubKey": "51"}), _http({"isvalid": True}),
    b'HTTP/1.1 500 Error\r\nContent-Length: 47\r\n\r\n{"error":{"code":-10,"message":"downloading"}}  ',
    b"HTTP/1.1 500 Error\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"err\r\n0\r\n\r\n", b"HTTP/1.0 401 No\r\n\r\n")

TARGETS = {"node": Target(node, _SEEDS, (
    "HTTP/1.1 ", "\r\n", "Transfer-Encoding: chunked", '"result":', '"error":', '"code":', "-10", "1e999", "NaN",
    "bits", "rules", "!segwit", "coinbasevalue", "isvalid", "X-Stratum: ", "X-Long-Polling: "))}

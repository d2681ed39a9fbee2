"""What is fuzzed: everything that makes sense of bytes from the network. A target takes any bytes, and must not raise.

Each has seeds, from the documentation's session and from recordings of real nodes, and words that fuzzers put in.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import recordings
from miner.core.algorithm import Algorithm
from miner.core.errors import MinerError, ProtocolError
from miner.core.model import Job, MinerReport
from miner.core.source import Traffic
from miner.core.text import one_line
from miner.node.auxpow import parse_aux_block
from miner.node.getwork import parse_getwork, parse_offers
from miner.node.jsonrpc import decode_answer
from miner.node.template import parse_template
from miner.stratum import client_protocol, server_protocol
from miner.stratum.client_events import Answered, Ignored, LoginRefused
from miner.stratum.client_protocol import ClientProtocol, State
from miner.stratum.dump import Dump
from miner.stratum.server_protocol import Authorizing, ServerProtocol, Submitting, Subscribing
from stratum_samples import NOTIFY, SUBMIT, SUBSCRIPTION, answer, request

PASSWORD = "s3cret-pass"
ALGORITHMS = Algorithm("scrypt", 1024), Algorithm("sha256d", 0)


def pieces(data: bytes) -> Iterator[bytes]:
    """The bytes as a socket may give them: the second says how many come at once, the first is for the target."""
    size = 1 + data[1] * 32 if len(data) > 1 else 1
    for at in range(2, len(data), size):
        yield data[at : at + size]


def pool(data: bytes) -> None:
    """A pool's bytes at the miner's end, from the first byte on or, with an odd first byte, after the login."""
    mode = data[0] if data else 0
    protocol = ClientProtocol(ALGORITHMS[mode >> 1 & 1], "alice", PASSWORD, user_agent="fuzz", hub=mode & 4 > 0,
                              session="08000002" if mode & 8 else "", difficulty_scale=65536 if mode & 16 else 1)
    protocol.start()
    with contextlib.suppress(ProtocolError):
        if mode & 1:
            for number in range(1, 4):
                list(protocol.receive_data(answer(number, SUBSCRIPTION if protocol.state is State.SUBSCRIBING else {})))
            list(protocol.receive_data(answer(protocol._request_id, True)))
        hear_pool(protocol, data)


def hear_pool(protocol: ClientProtocol, data: bytes) -> None:
    """Raises ProtocolError when the connection is to be closed."""
    dump = Dump(client_protocol.MAX_LINE)
    for piece in pieces(data):
        for traffic in dump.received(piece):
            assert one_line(traffic.text).isprintable()
        for event in protocol.receive_data(piece):
            match event:
                case Job():
                    with contextlib.suppress(ProtocolError):
                        protocol.submit(event.work(bytes(event.extranonce2_size), version=max(event.versions())
                                                   if event.version_mask.bit_count() < 4 else None).share(7))
                    assert event.share_target >= event.network_target
                case Ignored(reason) | LoginRefused(reason) | Answered(reason=reason):
                    assert reason.isprintable()
                    assert len(reason) < 1000
        if protocol.extension:
            protocol.report(MinerReport("portable", 1, 2, 3.0))
        for sent in dump.sent(protocol.data_to_send()):
            assert isinstance(sent, Traffic)
            assert PASSWORD not in sent.text
        assert len(protocol._lines._buffer) <= client_protocol.MAX_LINE + len(piece)
        assert len(protocol._issued) <= client_protocol.MAX_JOBS
        assert len(protocol._unanswered) <= client_protocol.MAX_UNANSWERED + 5


class OldConnection:
    """One connection that hears all inputs, so that what it keeps too long adds up."""

    def __init__(self) -> None:
        self._connect()

    def _connect(self) -> None:
        self._protocol = ClientProtocol(ALGORITHMS[0], "alice", PASSWORD, user_agent="fuzz")
        self._protocol.start()
        for number, result in ((1, SUBSCRIPTION), (2, True)):
            list(self._protocol.receive_data(answer(number, result)))
        assert self._protocol.state is State.READY

    def __call__(self, data: bytes) -> None:
        """A pool's bytes on a connection that has heard much before."""
        try:
            hear_pool(self._protocol, data + b"\n")
        except ProtocolError:
            self._connect()


def miner(data: bytes) -> None:
    """A miner's bytes at the hub's end, which takes whatever is asked for."""
    protocol = ServerProtocol()
    with contextlib.suppress(ProtocolError):
        for piece in pieces(data):
            for event in protocol.receive_data(piece):
                match event:
                    case Subscribing():
                        protocol.subscribe(event, b"\x08\0\0\2", 4)
                    case Authorizing() | Submitting():
                        protocol.accept(event)
            for line in protocol.data_to_send().splitlines():
                json.loads(line)
            assert len(protocol._lines._buffer) <= server_protocol.MAX_LINE + len(piece)
            assert len(protocol.users) <= server_protocol.MAX_USERS


def node(data: bytes) -> None:
    """A node's answer over HTTP, taken for each thing that it may be the answer to."""
    with contextlib.suppress(MinerError, ConnectionError):
        reply = decode_answer(data, 1)
        offers = parse_offers(reply.headers, "http://127.0.0.1:8332/")
        assert offers.stratum.isprintable()
        for parse in (parse_template, parse_getwork, parse_aux_block):
            with contextlib.suppress(ProtocolError):
                parse(reply.result)


@dataclass(frozen=True)
class Target:
    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[str, ...] = ()


def _http(result: object) -> bytes:
    body = json.dumps({"result": result, "error": None, "id": 1}).encode()
    return b"HTTP/1.1 200 OK\r\nX-Long-Polling: /lp\r\nX-Roll-NTime: expire=9\r\nContent-Length: %d\r\n\r\n" % len(
        body) + body


_POOL_SAYS = [
    request("mining.set_difficulty", [0.5]), request("mining.notify", NOTIFY),
    request("mining.set_extranonce", ["0800", 8]), request("mining.set_version_mask", ["1fffe000"]),
    request("client.reconnect", ["h", 1, 2]), request("client.show_message", ["x"]),
    request("client.get_version", [], 9), request("mining.ping", [], "9"), answer("5", None, [21, "stale", None]),
    answer(5, False, {"code": 23, "message": "low"}), request("sparkminer.pause", ["x", 1])]
_GRANTED = answer(1, {"version-rolling": True, "version-rolling.mask": "1fffe000", "sparkminer": True})
_POOL_SEEDS = tuple(
    bytes([mode, 255]) + handshake + b"".join(_POOL_SAYS)
    for mode, handshake in ((1, b""), (3, b""), (17, b""), (0, answer(1, SUBSCRIPTION) + answer(2, True)),
                            (2, _GRANTED + answer(2, SUBSCRIPTION) + answer(3, True)),
                            (4, _GRANTED + answer(2, SUBSCRIPTION) + answer(3, True))))
_MINER_SEEDS = tuple(b"\0\xff" + b"".join(said) for said in (
    [request("mining.configure", [["version-rolling", "sparkminer"], {}], 1),
     request("mining.subscribe", ["x", "1"], 2), request("mining.authorize", ["slush.miner1", "x"], 3),
     request("mining.submit", SUBMIT, 4), request("mining.suggest_difficulty", [1], 5),
     request("mining.extranonce.subscribe", [], 6),
     request("sparkminer.report", [{"kernel": "k", "threads": 1, "hashes": 2, "hashrate": 3.5, "host": "h"}])],
    [request("mining.subscribe", [], 2), request("mining.authorize", ["slush.miner1"], 3),
     request("mining.submit", [*SUBMIT, "00000000"], 4)]))
_NODE_SEEDS = (
    *(_http(recordings.template(name)) for name in recordings.TEMPLATES),
    _http({"data": "00" * 68 + "ffff7f20" + "00" * 56, "target": "ff" * 32}),
    _http({"hash": "11" * 32, "chainid": 98, "previousblockhash": "22" * 32, "coinbasevalue": 1, "bits": "207fffff",
           "height": 2, "_target": "00" * 32}),
    b"HTTP/1.1 500 Error\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"err\r\n0\r\n\r\n", b"HTTP/1.0 401 No\r\n\r\n")
_STRATUM_WORDS = ('{"id": ', '"method": "', '"params": [', '"result": ', '"error": [', "null", "true", "1e999", "NaN",
                  "mining.notify", "mining.set_difficulty", "mining.set_extranonce", "mining.set_version_mask",
                  "client.reconnect", "client.show_message", "reject-reason", "\n", "\\u0000", "[[[[[[[[")

TARGETS = {
    "pool": Target(pool, _POOL_SEEDS, _STRATUM_WORDS),
    "old-connection": Target(OldConnection(), _POOL_SEEDS, _STRATUM_WORDS),
    "miner": Target(miner, _MINER_SEEDS, (*_STRATUM_WORDS, "mining.submit", "mining.subscribe", "mining.authorize")),
    "node": Target(node, _NODE_SEEDS, ("HTTP/1.1 ", "\r\n", "Transfer-Encoding: chunked", '"result":', '"error":',
                                       '"code":', "-10", "1e999", "NaN", "bits", "rules", "!segwit", "coinbasevalue")),
}

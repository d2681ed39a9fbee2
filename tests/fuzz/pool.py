"""A pool's bytes at the miner's end, up to the lines that a person reads."""

import contextlib
from collections.abc import Iterator

from fuzz.target import PASSWORD, STRATUM_WORDS, Target, pieces
from miner.config import SourceConfig
from miner.core.algorithm import Algorithm
from miner.core.errors import MinerError, ProtocolError
from miner.core.events import NewJob
from miner.core.model import Job, MinerReport
from miner.core.source import Traffic
from miner.core.text import one_line
from miner.front.report import Report
from miner.stratum import client_protocol, pool_jobs
from miner.stratum.client import StratumSource
from miner.stratum.client_events import Answered, ClientEvent, Ignored, LoginRefused
from miner.stratum.client_protocol import ClientProtocol
from miner.stratum.dump import Dump
from miner.stratum.handshake import State
from miner.stratum.lost import LostError
from stratum_samples import NOTIFY, SUBSCRIPTION, answer, request

ALGORITHMS = Algorithm.parse("scrypt"), Algorithm.parse("sha256d")
CONFIG = SourceConfig(url="stratum+tcp://pool.example:3333", username="alice", password=PASSWORD,
                      redirect_to=("example",))


def pool(data: bytes) -> None:
    """From the first byte on or, with an odd first byte, after the login."""
    mode = data[0] if data else 0
    protocol = ClientProtocol(ALGORITHMS[mode >> 1 & 1], "alice", PASSWORD, user_agent="fuzz", hub=mode & 4 > 0,
                              session="08000002" if mode & 8 else "", difficulty_scale=65536 if mode & 16 else 1,
                              suggest_difficulty=0.5 if mode & 32 else 0)
    protocol.start()
    with contextlib.suppress(ProtocolError):
        if mode & 1:
            for number in range(1, 4):
                list(protocol.receive_data(answer(number, SUBSCRIPTION if protocol.state is State.SUBSCRIBING else {})))
            list(protocol.receive_data(answer(protocol._calls._number, True)))
        hear_pool(protocol, data)


def hear_pool(protocol: ClientProtocol, data: bytes) -> None:
    """Raises ProtocolError when the connection is to be closed."""
    dump, reader = Dump(client_protocol.MAX_LINE), Reader()
    for piece in pieces(data):
        for traffic in dump.received(piece):
            assert one_line(traffic.text).isprintable()
        for event in protocol.receive_data(piece):
            match event:
                case Job():
                    with contextlib.suppress(ProtocolError):
                        protocol.submit(event.work(bytes(event.extranonce2_size), version=max(event.versions())
                                                   if event.version_mask.bit_count() < 4 else None).share(7))
                case Ignored(reason) | LoginRefused(reason) | Answered(reason=reason):
                    assert reason.isprintable()
                    assert len(reason) < 1000
            reader.read(event)
        if protocol.extension:
            protocol.report(MinerReport("portable", 1, 2, 3.0))
        for sent in dump.sent(protocol.data_to_send()):
            assert isinstance(sent, Traffic)
            assert PASSWORD not in sent.text
        assert len(protocol._lines._buffer) <= client_protocol.MAX_LINE + len(piece)
        assert len(protocol.jobs) <= pool_jobs.MAX_JOBS
        assert len(protocol._calls) <= client_protocol.MAX_UNANSWERED + 5


class Reader:
    """Who mines, and reads what the program says of it."""

    def __init__(self) -> None:
        self._source, self._report = StratumSource(CONFIG), Report(debug=True)

    def allow_notice(self, text: str) -> bool:
        return True

    def read(self, event: ClientEvent) -> None:
        for line in self._lines(event):
            assert line.isprintable()
            assert len(line) < 1000
            assert PASSWORD not in line

    def _lines(self, event: ClientEvent) -> Iterator[str]:
        try:
            self._source._on_event(event, self)  # type: ignore[arg-type]  # in place of a connection
        except (LostError, MinerError) as error:
            yield one_line(self._source._address.masked(str(error)))
        while (told := self._source._events.take(0.0)) is not None:
            yield from self._report.lines(NewJob(told, restart=True) if isinstance(told, Job) else told)


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


_SAID = [
    request("mining.set_difficulty", [0.5]), request("mining.notify", NOTIFY),
    request("mining.set_extranonce", ["0800", 8]), request("mining.set_version_mask", ["1fffe000"]),
    request("client.reconnect", ["a.example", 1, 2]), request("client.show_message", ["x"]),
    request("client.get_version", [], 9), request("mining.ping", [], "9"), answer("5", None, [21, "stale", None]),
    answer(5, False, {"code": 23, "message": "low"}), request("sparkminer.pause", ["x", 1]),
    request("sparkminer.stop", ["x"])]
_GRANTED = answer(1, {"version-rolling": True, "version-rolling.mask": "1fffe000", "sparkminer": True})
_SEEDS = tuple(
    bytes([mode, 255]) + handshake + b"".join(_SAID)
    for mode, handshake in ((1, b""), (3, b""), (17, b""), (0, answer(1, SUBSCRIPTION) + answer(2, True)),
                            (2, _GRANTED + answer(2, SUBSCRIPTION) + answer(3, True)),
                            (4, _GRANTED + answer(2, SUBSCRIPTION) + answer(3, True)),
                            (40, answer(1, None, [20, "no session"]) + answer(2, SUBSCRIPTION) + answer(3, True)),
                            (0, answer(1, SUBSCRIPTION) + answer(2, None, "no s3cret-pass"))))

TARGETS = {
    "pool": Target(pool, _SEEDS, STRATUM_WORDS),
    "old-connection": Target(OldConnection(), _SEEDS, STRATUM_WORDS),
}

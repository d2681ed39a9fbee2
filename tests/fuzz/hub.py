"""A miner's bytes at the hub's end: the protocol by itself, and a whole hub behind it."""

import asyncio
import contextlib
import itertools
import json

from fuzz.target import STRATUM_WORDS, Target, pieces
from hub_players import TOKEN, ScriptedSource, make_job
from miner.core.errors import ProtocolError
from miner.front.hub_report import HubReport
from miner.hub.config import HubConfig
from miner.hub.connection import Connection
from miner.hub.events import HubEvent
from miner.hub.floor import Floor
from miner.hub.judge import Judge
from miner.stratum import server_protocol
from miner.stratum.server_events import Authorizing, Submitting, Subscribing
from miner.stratum.server_protocol import ServerProtocol
from stratum_samples import SUBMIT, request


def miner(data: bytes) -> None:
    """At a protocol that grants whatever is asked for."""
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


class OpenHub:
    """A hub that miners come and go at, on a new block each; nothing of them may be left but a row in its books."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._source = ScriptedSource()
        self._floor = Floor(HubConfig(token=TOKEN), Judge(self._source, lambda notice: None), self._read)
        self._report = HubReport("a script", self._source.kind)
        self._tips = itertools.count()
        self._closed = asyncio.Event()

    def __call__(self, data: bytes) -> None:
        """A miner's bytes, at a socket of its own."""
        self._floor.new_job(make_job(tip=next(self._tips), hashes=2))
        self._source.submitted.clear()
        socket = _Socket()
        self._loop.run_until_complete(self._converse(data, socket))
        assert self._floor.members == 0
        assert not self._floor.slices._taken
        for line in bytes(socket.written).splitlines():
            json.loads(line)

    async def _converse(self, data: bytes, socket: "_Socket") -> None:
        self._closed.clear()
        connection = Connection(self._floor, self)
        connection.connection_made(socket)
        for piece in pieces(data):
            if connection.ended:
                break
            connection.data_received(piece)
        while connection._checks:  # the miner stays until every share has been judged
            await asyncio.sleep(0)
        connection.connection_lost(None)
        await self._closed.wait()

    def opened(self, connection: Connection) -> None: ...

    def closed(self, connection: Connection) -> None:
        self._closed.set()

    def failed(self, error: Exception) -> None:
        raise error

    def _read(self, event: HubEvent) -> None:
        for line in self._report.lines(event):
            assert line.isprintable()


class _Socket(asyncio.Transport):
    """What a connection writes to."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.written = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


_REPORT = request("sparkminer.report", [{"kernel": "k", "threads": 1, "hashes": 2, "hashrate": 3.5, "host": "h"}])


def _session(password: str, *shares: list[str]) -> bytes:
    return b"\0\xff" + b"".join(
        [request("mining.configure", [["version-rolling", "sparkminer"], {"version-rolling.mask": "1fffe000"}], 1),
         request("mining.subscribe", ["x", "1"], 2), request("mining.authorize", ["slush.miner1", password], 3),
         *(request("mining.submit", share, 4 + number) for number, share in enumerate(shares)),
         request("mining.suggest_difficulty", [1], 5), request("mining.extranonce.subscribe", [], 6), _REPORT])


_SHARES = [["slush.miner1", "1", "0000000000", "6553f100", f"{nonce:08x}"] for nonce in (0, 1, 1, 2, 3)]
_SEEDS = (_session("x", SUBMIT), _session(TOKEN, *_SHARES),
          _session(TOKEN, *([*share, "1fffe000"] for share in _SHARES)),
          b"\0\xff" + request("mining.subscribe", [], 2) + request("mining.authorize", ["slush.miner1"], 3)
          + request("mining.submit", [*SUBMIT, "00000000"], 4))
_WORDS = (*STRATUM_WORDS, "mining.submit", "mining.subscribe", "mining.authorize", TOKEN)

TARGETS = {"miner": Target(miner, _SEEDS, _WORDS), "hub": Target(OpenHub(), _SEEDS, _WORDS)}

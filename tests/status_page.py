"""A status server over facts of a test's own, and raw HTTP to talk to it."""

import contextlib
import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

from hub_players import make_job
from miner.core.model import MinerReport, ShareResult, ShareStatus
from miner.core.source import Disconnected, SourceKind
from miner.core.target import MAX_TARGET
from miner.front.facts import Facts
from miner.front.settings import StatusSettings
from miner.hub.events import HubBlock, HubShare, MinerJoined
from miner.hub.roster import Roster
from miner.status.server import StatusServer

TOKEN = "correct horse battery staple"
LIMIT = 60.0  # seconds for what should happen at once
BLOCK = "00" * 4 + "ab" * 28


def a_hub(miners: int = 3) -> tuple[Facts, Roster]:
    """Facts of a hub with so many miners, the last of which has left, a share of each verdict and a block."""
    roster, facts = Roster(), Facts("hub")
    facts.works_for("stratum+tcp://pool.example:3333", "pool user u", SourceKind.POOL, "sha256d")
    facts.attach(roster, "127.0.0.1:3333")
    job = make_job("j", 7)
    facts.take(job)
    rows = []
    for number in range(miners):
        row = roster.join(f"miner-{number}", f"10.0.{number >> 8}.{number & 255}", "agent/1", 5.0 + number)
        roster.report(row, MinerReport("avx2", 2, 1000 * number, 50.0 + number))
        facts.take(MinerJoined(row.stats()))
        rows.append(row)
    share = job.work(bytes(job.extranonce2_size)).share(1)
    for status in ShareStatus:
        roster.share(rows[0], status, MAX_TARGET // 100, status is ShareStatus.ACCEPTED)
        facts.take(HubShare(rows[0].name, status, "", True, True, share, roster.accepted, roster.rejected, roster.stale,
                            roster.hashrate, 0.02))
    facts.take(HubBlock(rows[0].name, ShareResult(share, ShareStatus.ACCEPTED, block=True), BLOCK))
    facts.message("a line <b>with</b> markup")
    roster.leave(rows[-1])
    return facts, roster


def lose_source(facts: Facts) -> None:
    facts.take(Disconnected("connection refused", 5.0))


@dataclass(slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Site:
    """A server, as those who read it see it."""

    port: int
    context: ssl.SSLContext | None = None
    faults: list[str] = field(default_factory=list)

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        """One request. Names of headers have _ in place of -."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def connect(self, data: bytes = b"") -> socket.socket:
        """A connection on which these bytes have been sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT)
        connection.sendall(data)
        return connection


@contextlib.contextmanager
def served(facts: Facts, **settings: Any) -> Iterator[Site]:
    """The facts, served on loopback. No fault of the program's own may come to light."""
    faults: list[str] = []
    with StatusServer(StatusSettings("127.0.0.1", 0, **settings), facts, faults.append) as server:
        yield Site(int(server.url.rstrip("/").rpartition(":")[2]), faults=faults)
    assert not faults

"""One miner of the swarm, without a socket: what it makes of a server's lines, and the lines that it makes."""

import asyncio
from typing import Any

import pytest

from hub_players import SHA256D
from miner import _native
from miner.core.errors import ProtocolError
from miner.stratum.from_miner import Authorize, Submit
from miner.stratum.from_server import Notify, Subscription
from miner.stratum.wire import Request, decode, encode_request
from miner.swarm.book import Book
from miner.swarm.member import Member
from miner.swarm.plan import Role
from miner.swarm.work import Digger, JobLine
from stratum_samples import NOTIFY

EASY = 1 / (1 << 32)  # a difficulty: every hash is a share


class Wire(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: Any) -> None:
        self.written += data

    def abort(self) -> None:
        pass


class Nobody:
    def ready(self, member: Member) -> None:
        pass

    def gone(self, member: Member, reason: str) -> None:
        pass


def notify(job_id: object) -> bytes:
    return encode_request(None, Notify.METHOD, [job_id, *NOTIFY[1:]])


@pytest.mark.parametrize(("answer", "accepted"), [
    (b'{"id": %d, "result": true, "error": null}\n', True),
    (b'{"id":%d,"result":true,"error":null}\r\n', True),
    (b'{"error":null,"jsonrpc":"2.0","id":"%d","result":true}\n', True),
    (b'{"id": %d, "result": false, "error": null}\n', False),
    (b'{"id": %d, "result": null, "error": [21, "job not found", null]}\n', False),
])
def test_a_verdict_is_understood_however_a_server_writes_it(answer: bytes, accepted: bool) -> None:
    book, wire = Book(1, 0.0, 0.0), Wire()
    member = Member(1, Role.HONEST, "test", Authorize("w1", "x"), Nobody(), book, lambda: 1.0)
    member.connection_made(wire)
    member.data_received(b'{"id": 1, "result": [[], "ab", 4], "error": null}\n'
                         b'{"id": 2, "result": true, "error": null}\n'
                         + encode_request(None, "mining.set_difficulty", [EASY]) + notify("a1"))
    digger = Digger(SHA256D, _native.kernels("sha256d")[-1])
    found = member.search(digger)
    assert found is not None
    member.hand_in(*found)
    request = decode(wire.written.splitlines()[-1])
    assert isinstance(request, Request) and request.params[:2] == ("w1", "a1")
    assert member.unanswered == 1
    member.data_received(answer % request.id)
    assert member.unanswered == 0
    assert (book.accepted, book.refused) == ((1, 0) if accepted else (0, 1))


@pytest.mark.parametrize("username", ["w1", 'a "b"', "☃", "%d%s", "00000000"])
def test_a_line_is_what_the_message_is_as_json(username: str) -> None:
    work = JobLine(notify("a1"), EASY, Subscription(b"\xab", 4)).read(SHA256D, username)
    for number, nonce in ((3, 0), (4, 0xFFFFFFFF), (10**6, 1)):
        assert work.line(number, nonce) == encode_request(number, Submit.METHOD, work.submit(nonce).params)
        assert work.submit(nonce).username == username


@pytest.mark.parametrize("job_id", ["a1", "a2", "", 17, "a b", "☃", 'a"b', "0" * 64, "0" * 65])
def test_a_job_that_many_have_is_read_as_one_that_nobody_else_has(job_id: object) -> None:
    for _ in range(2):
        share = JobLine(notify(job_id), EASY, Subscription(b"\xab", 4)).read(SHA256D, "w1").submit(5)
        expected = Notify.parse([job_id, *NOTIFY[1:]])
        assert (share.job_id, share.raw_job_id) == (expected.job_id, expected.raw_job_id)
        assert share.ntime == expected.ntime


def test_what_is_no_job_is_an_error_each_time() -> None:
    line = b'{"method": "mining.notify", "params": ["a1", "no hex"]}'
    for _ in range(2):
        with pytest.raises(ProtocolError):
            JobLine(line, EASY, Subscription(b"", 4)).read(SHA256D, "w1")

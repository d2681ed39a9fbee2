"""One miner of the swarm: its connection, from the first byte to the last."""

import asyncio
import re
import socket
from collections.abc import Callable
from typing import Any, Protocol

from miner.core.errors import ProtocolError
from miner.core.text import one_line
from miner.receiving import Receiver
from miner.stratum.from_miner import Authorize, Submit, Subscribe
from miner.stratum.from_server import Reconnect, SetDifficulty, SetExtranonce, Subscription
from miner.stratum.wire import Request, RpcError, decode, encode_request, encode_response
from miner.swarm.book import Book
from miner.swarm.plan import Role
from miner.swarm.work import Digger, JobLine, MinerWork

MAX_LINE = 512 << 10  # bytes: a notify with a coinbase that pays thousands has some 100 kB
MAX_WAITING = 64  # shares without an answer; then this miner hands in no more
MAX_UNSENT = 64 << 10  # bytes that the server has not taken; then neither
SLOWLY = 512  # bytes that a slow reader reads at a time
SLOW_SECONDS = 1.0  # from one time to the next
RECEIVE_BUFFER = 4096  # bytes of the system's that a miner which doesn't read fills up

_SUBSCRIBE, _AUTHORIZE, _FIRST_SHARE = 1, 2, 3  # ids of requests
_NOTIFY = b'"mining.notify"'
_ACCEPTED = re.compile(rb'\{"id": ?(\d{1,9}), ?"result": ?true, ?"error": ?null\}')  # as most servers write it
_PREV_HASH = re.compile(rb'"params"\s*:\s*\[\s*(?:"[^"]*"|\d+)\s*,\s*"([0-9a-fA-F]{64})"')


class Keeper(Protocol):
    """Who has the members, and is told what becomes of them."""

    def ready(self, member: "Member") -> None:
        """It has logged in, and has its first job."""

    def gone(self, member: "Member", reason: str) -> None:
        """Its connection has ended, for this reason."""


class Member(Receiver):
    """Subscribes, logs in, keeps the newest job, hands in shares when it is told to, and times the answers."""

    __slots__ = ("number", "role", "ended", "counted", "_keeper", "_book", "_clock", "_login", "_transport", "_rest",
                 "_subscription", "_difficulty", "_job", "_hash", "_earlier", "_work", "_began", "_waiting", "_next_id",
                 "_entered", "_timer", "_wrongs", "_reason", "_agent")

    def __init__(self, number: int, role: Role, agent: str, login: Authorize, keeper: Keeper, book: Book,
                 clock: Callable[[], float]) -> None:
        """`agent`: what the miner calls itself."""
        self.number, self.role, self._agent = number, role, agent
        self.ended = False
        self.counted = False  # the keeper's note: it is among those that are ready
        self._login, self._keeper, self._book, self._clock = login, keeper, book, clock
        self._transport: asyncio.Transport | None = None
        self._rest = b""  # a line that has begun
        self._subscription: Subscription | None = None
        self._difficulty = 1.0
        self._job: JobLine | None = None
        self._hash = b""  # the previous hash of that, in hex as it came
        self._earlier: JobLine | None = None  # a job on the previous hash before
        self._work: MinerWork | None = None  # of _job, or for a STALE miner of _earlier, once it was read
        self._began = clock()
        self._waiting: dict[int, float] = {}  # ids of shares, and when they were handed in
        self._next_id = _FIRST_SHARE
        self._entered = False  # it has logged in
        self._timer: asyncio.TimerHandle | None = None
        self._wrongs = 0  # wrong shares made so far
        self._reason = ""

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        now = self._clock()
        self._book.connected(now - self._began, now)
        if self.ended:
            transport.abort()
        else:
            self._call(_SUBSCRIBE, Subscribe.METHOD, Subscribe(self._agent).params)

    def data_received(self, data: bytes) -> None:
        now = self._clock()
        *lines, self._rest = (self._rest + data).split(b"\n") if self._rest else data.split(b"\n")
        try:
            for line in lines:
                if self._subscription is not None and _NOTIFY in line:
                    self._take_job(line, now)
                elif ((yes := _ACCEPTED.fullmatch(line)) is not None
                      and (sent := self._waiting.pop(int(yes[1]), None)) is not None):
                    self._answered(None, now - sent)
                elif line.strip():
                    self._take(line, now)
            if len(self._rest) > MAX_LINE:
                raise ProtocolError(f"a line is longer than {MAX_LINE} bytes")
        except ProtocolError as error:
            self.end(f"the server makes no sense: {one_line(str(error), 80)}")

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        words = one_line(getattr(error, "strerror", "") or type(error).__name__) if error else ""
        reason = self._reason or (f"the server broke the connection: {words}" if words else "the server hung up")
        self.ended = True
        self._book.unanswered += len(self._waiting) if self.role is Role.HONEST else 0
        self._waiting.clear()
        self._keeper.gone(self, reason)

    # What the keeper calls

    @property
    def has_job(self) -> bool:
        """It can search for a share now."""
        return not self.ended and (self._job if self.role is not Role.STALE else self._earlier) is not None

    @property
    def held_back(self) -> bool:
        """The server has left too much of it unanswered, or unread."""
        assert self._transport is not None
        return len(self._waiting) >= MAX_WAITING or self._transport.get_write_buffer_size() > MAX_UNSENT

    @property
    def unanswered(self) -> int:
        """Shares that wait for an answer."""
        return len(self._waiting)

    def search(self, digger: Digger) -> tuple[bytes, bool] | None:
        """The line of the miner's next share, of its kind, and whether that makes a block; None where one more slice of
        searching brought none, or there is no job any more."""
        try:
            if self._work is None:
                line = self._job if self.role is not Role.STALE else self._earlier
                if line is None or self.ended:
                    return None
                self._work = line.read(digger.algorithm, self._login.username)
            if self.role is Role.JUNK:
                self._wrongs += 1
                wrong = self._work.wrong(self._wrongs)
                return encode_request(self._next_id, Submit.METHOD, wrong.params), False
            if (found := self._work.search(digger)) is None:
                return None
            return self._work.line(self._next_id, found[0]), found[1]
        except ProtocolError as error:
            self.end(f"no share can be made: {one_line(str(error), 80)}")
            return None

    def hand_in(self, line: bytes, block: bool) -> None:
        """Send the share that the last `search` has found."""
        number, now = self._next_id, self._clock()
        self._next_id += 1
        self._waiting[number] = now
        if block:
            self._book.block_sent(self._hash, now)
        self._send(line)

    def end(self, reason: str) -> None:
        """Hang up at once."""
        self.ended, self._reason = True, self._reason or reason
        if self._transport is not None:
            self._transport.abort()

    # What the server says

    def _take_job(self, line: bytes, now: float) -> None:
        assert self._subscription is not None
        match = _PREV_HASH.search(line)
        if match is None:
            raise ProtocolError("a mining.notify has no previous hash")
        prev_hash, before = match[1], self._hash
        if prev_hash != before:
            if before and self.role in (Role.HONEST, Role.STALE, Role.JUNK):
                self._book.new_hash(before, prev_hash, now)
            if self.role is Role.STALE:
                self._earlier, self._work = self._job, None
        first, self._hash = self._job is None, prev_hash
        self._job = JobLine(line, self._difficulty, self._subscription)
        if self.role is not Role.STALE:
            self._work = None
        if first and self._entered:
            self._start(now)

    def _start(self, now: float) -> None:
        self._book.first_job.add(now - self._began)
        self._keeper.ready(self)
        if self.role is Role.HALF_OPEN:
            self._stop_reading()
        elif self.role is Role.SLOW_READER:
            self._stop_reading()
            self._timer = asyncio.get_running_loop().call_later(SLOW_SECONDS, self._read_a_little)

    def _take(self, line: bytes, now: float) -> None:
        message = decode(line)
        if isinstance(message, Request):
            self._told(message)
        elif isinstance(message.id, int) and (sent := self._waiting.pop(message.id, None)) is not None:
            self._answered(None if message.result is True and message.error is None else _words(message.error),
                           now - sent)
        elif message.id == _SUBSCRIBE and self._subscription is None:
            if message.error is not None:
                self.end(f"mining.subscribe was refused: {_words(message.error)}")
            else:
                self._subscription = Subscription.parse(message.result)
                self._call(_AUTHORIZE, Authorize.METHOD, self._login.params)
        elif message.id == _AUTHORIZE and not self._entered:
            if message.result is not True:
                self.end(f"the login was refused: {_words(message.error)}")
            else:
                self._entered = True
                if self._job is not None:
                    self._start(now)

    def _told(self, request: Request) -> None:
        match request.method:
            case SetDifficulty.METHOD:
                self._difficulty = SetDifficulty.parse(request.params).difficulty
            case SetExtranonce.METHOD:
                changed = SetExtranonce.parse(request.params)
                self._subscription = Subscription(changed.extranonce1, changed.extranonce2_size)
            case Reconnect.METHOD:
                self.end("the server asked to reconnect")  # where it is: a swarm goes nowhere else
            case "mining.ping":
                self._send(encode_response(request.id, "pong"))

    def _answered(self, refusal: str | None, seconds: float) -> None:
        """A verdict on a share came. `refusal`: why it is not accepted; None: it is."""
        honest = self.role is Role.HONEST
        if honest:
            self._book.answer(seconds, self._clock())
            self._book.accepted += refusal is None
        elif self.role is Role.JUNK:
            self._book.wrong_accepted += refusal is None
        if refusal is not None:
            self._book.refusal(refusal, honest)

    # The small steps

    def _call(self, number: int, method: str, params: list[object]) -> None:
        self._send(encode_request(number, method, params))

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self.ended:
            self._transport.write(data)

    def _stop_reading(self) -> None:
        assert self._transport is not None
        connected: socket.socket | Any = self._transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._transport.pause_reading()

    def _read_a_little(self) -> None:
        """A slow reader's second: what the system has for it by now is read once, and no more."""
        assert self._transport is not None
        if not self.ended:
            self._transport.resume_reading()
            loop = asyncio.get_running_loop()
            loop.call_later(0.0, self._pause)
            self._timer = loop.call_later(SLOW_SECONDS, self._read_a_little)

    def _pause(self) -> None:
        if self._transport is not None and not self.ended and not self._transport.is_closing():
            self._transport.pause_reading()


def _words(error: RpcError | None) -> str:
    return f"{error.code} {one_line(error.text, 60)}".strip() if error else "no reason given"

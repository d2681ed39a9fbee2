"""One miner's socket: bounds on what it may send, how long it may be silent and how much may wait for it."""

import asyncio
import math
import secrets
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Protocol, cast

from miner.core.errors import ProtocolError
from miner.core.source import Notice
from miner.core.text import one_line
from miner.hub.config import HubConfig
from miner.hub.floor import Floor
from miner.hub.miner import GoneError, HubMiner, JunkError
from miner.receiving import Receiver
from miner.stratum.server_events import Authorizing, Reported, ServerEvent, Submitting, Subscribing
from miner.stratum.server_protocol import ServerProtocol
from miner.wrong_door import WrongDoorError

REPORTS_STOPPED = 60.0  # seconds of silence of a miner that reports each second: its host is gone
SHARES_AT_ONCE = 64  # of one miner that are being checked; then its socket waits
STRANGER_MESSAGES = 24  # and
STRANGER_BYTES = 16 << 10  # of one that has not logged in
WASTE_SECONDS = 0.005  # of CPU on a share that was none count as another message
BURST_SECONDS = 10.0  # for which a miner may have saved up messages
READ_AT_ONCE = 1 << 10  # bytes, some nine shares: who floods doesn't keep the loop from the others, and from a new job
GOODBYE_SECONDS = 2.0  # for what is still to be sent when the hub hangs up


class Host(Protocol):
    """Who has the connections, and is told what becomes of them."""

    def opened(self, connection: "Connection") -> None:
        """It has begun: a place for `Connection.end` where it can't stay."""

    def closed(self, connection: "Connection") -> None:
        """It has ended, and so have the checks of its shares."""

    def failed(self, error: Exception) -> None:
        """What happened is our own fault."""


class Connection(Receiver):
    """From the first byte to the last. A protocol of asyncio's, and not a task: thousands of them wait at no cost, and
    what a miner sends is answered as it comes in."""

    at_once = READ_AT_ONCE

    __slots__ = ("host", "greeted", "miner", "ended", "_floor", "_hub", "_protocol", "_transport", "_clock",
                 "_heard_at", "_checks", "_reason", "_left", "_paused", "_goodbye", "_stranger", "_bytes", "_tokens",
                 "_filled_at", "_refill", "_hang_up")

    def __init__(self, floor: Floor, hub: Host) -> None:
        loop = asyncio.get_running_loop()
        self.host = ""
        self.greeted = False  # the door knows it
        self.ended = False  # the socket is closed, or about to be
        self._floor, self._hub, self._clock = floor, hub, loop.time
        self._protocol = ServerProtocol(nonce=secrets.token_bytes(16))
        self.miner = HubMiner(floor, self._protocol, self.end)
        self._transport: asyncio.Transport | None = None
        self._hang_up: Callable[[], object] | None = None  # ends a TLS handshake
        self._heard_at = self._filled_at = self._clock()
        self._stranger = True  # has not logged in
        self._bytes = 0  # that it sent as one
        self._tokens = self._config.messages_per_second * BURST_SECONDS  # messages that it may send at once
        self._refill: asyncio.TimerHandle | None = None  # until it may send the next
        self._checks: set[asyncio.Task[None]] = set()
        self._reason = ""  # why it ended
        self._left = self._paused = False
        self._goodbye: asyncio.TimerHandle | None = None

    def greet(self, host: str, hang_up: Callable[[], object]) -> None:
        """A connection from `host` is about to be made: it is a stranger from now on, while TLS shakes hands. `hang_up`
        ends that, and must be safe to call more than once."""
        self.host, self.greeted, self._hang_up = host, True, hang_up
        self._floor.door.arrive(self)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # by its methods: uvloop's has none of asyncio's classes
        peer = transport.get_extra_info("peername")
        self.host = str(peer[0]) if peer else ""
        self.miner.host = self.host
        self._transport.set_write_buffer_limits(high=self._config.max_buffer)
        self._hub.opened(self)

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._clock()
        self._take(data)

    def pause_writing(self) -> None:
        """More waits for it than may wait."""
        assert self._transport is not None
        self.ended, self._reason = True, self._reason or "the miner doesn't read what it is sent"
        self._transport.abort()

    def eof_received(self) -> None:
        self.ended, self._reason = True, self._reason or "the miner closed the connection"

    def connection_lost(self, error: Exception | None) -> None:
        for timer in (self._goodbye, self._refill):
            if timer is not None:
                timer.cancel()
        self._floor.door.forget(self)
        reason = one_line(getattr(error, "strerror", "") or str(error) or type(error).__name__) if error else ""
        self.ended, self._reason = True, self._reason or reason or "the miner closed the connection"
        self._left = True
        self._transport = self._hang_up = None  # asyncio's TLS holds the protocol for as long as that is held
        self.miner.leave(self._reason)
        if not self._checks:  # else what the miner brought before it left still counts
            self._hub.closed(self)

    # What the hub calls

    def acting(self) -> "_Acting":
        """Around everything that makes the miner's protocol say something: sends it, and ends the connection where that
        is what came of it."""
        return _Acting(self)

    def acted(self, error: Exception | None) -> None:
        """What `acting` does at its end."""
        match error:
            case None:
                self._flush()
                return
            case WrongDoorError():
                self._floor.wrong_door(self.host, error.speech)
            case JunkError() | ProtocolError():
                self._floor.thrown_out(self.host, str(error))
            case GoneError():
                pass
            case _:
                self._hub.failed(error)
                self.end("the hub failed")
        self.end(str(error))

    def end(self, reason: str) -> None:
        """Hang up, after what is still to be sent, unless that takes too long."""
        if not self.ended:
            self._flush()
            self.ended, self._reason = True, self._reason or reason
            if self._transport is None:
                assert self._hang_up is not None
                self._hang_up()
                return
            self._transport.close()
            self._goodbye = asyncio.get_running_loop().call_later(GOODBYE_SECONDS, self._transport.abort)

    def end_if_silent(self, now: float) -> None:
        """Hang up where the miner has said nothing for too long. `now`: the event loop's clock."""
        patience = min(self._config.idle_seconds, REPORTS_STOPPED if self._protocol.extension else math.inf)
        if (self.miner.logged_in or self.waiting) and not self._paused and now - self._heard_at > patience:
            self.end("silent for too long")

    @property
    def waiting(self) -> bool:
        """See door.Guest."""
        return self.miner.waiting

    def give_up_slice(self) -> bool:
        """See door.Guest."""
        return self.miner.give_up_slice()

    def abandon(self) -> None:
        """Wait no longer for the verdicts that are still out."""
        if left := len(self._checks):
            self._floor.emit(Notice(f"{self.miner.name}: no verdict by the end on {left} of its shares"))
        for task in self._checks:
            task.cancel()
        if self._transport is not None:
            self._transport.abort()

    def hand_out(self, clean: bool, anew: bool) -> None:
        """Give the miner the hub's newest job. `clean`: its jobs so far are void; `anew`: the slices were cut anew."""
        miner = self.miner
        try:
            if anew:
                miner.move()
            if miner.waiting:
                miner.admit()
            miner.give(clean)
        except Exception as error:
            self.acted(error)
        else:
            self._flush()

    # What is in between

    @property
    def _config(self) -> HubConfig:
        return self._floor.config

    def _flush(self) -> None:
        data = self._protocol.data_to_send()
        if data and not self.ended and self._transport is not None:
            self._transport.write(data)

    def _take(self, data: bytes) -> None:
        """Read as many messages as are allowed now. The rest waits, at last in the miner's socket."""
        unread = False
        try:
            unread = self._read(data)
        except Exception as error:
            self.acted(error)
        else:
            self._flush()
        self._pause(unread)

    def _read(self, data: bytes) -> bool:
        """Whether some of it has to wait."""
        if self._stranger:
            self._bytes += len(data)
        allowed = self._allowance()
        while True:
            before = self._protocol.messages
            for event in self._protocol.receive_data(data, allowed):
                self._handle(event)
                if self.ended:
                    return False
            read = self._protocol.messages - before
            self._tokens -= read
            unread = read >= allowed and self._protocol.unread
            if self._stranger and (unread or self._bytes > STRANGER_BYTES):
                raise JunkError("too much was said before a login")
            if not unread:
                return False
            data, allowed = b"", self._allowance()
            if not allowed:
                return True

    def _allowance(self) -> int:
        """How many messages may be read now."""
        if self._stranger:
            return STRANGER_MESSAGES - self._protocol.messages
        now, rate = self._clock(), self._floor.config.messages_per_second
        if self.miner.wasted:
            self._tokens -= self.miner.wasted / WASTE_SECONDS
            self.miner.wasted = 0.0
        self._tokens = min(self._tokens + (now - self._filled_at) * rate, rate * BURST_SECONDS)
        self._filled_at = now
        if self._tokens < 1.0 and self._refill is None:
            self._refill = asyncio.get_running_loop().call_later((1.0 - self._tokens) / rate, self._refilled)
        return max(0, min(SHARES_AT_ONCE - len(self._checks), int(self._tokens)))

    def _refilled(self) -> None:
        self._refill = None
        if not self.ended:
            self._take(b"")

    def _pause(self, wanted: bool) -> None:
        if wanted is not self._paused and not self.ended and self._transport is not None:
            self._paused = wanted
            if wanted:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _handle(self, event: ServerEvent) -> None:
        match event:
            case Submitting():
                if (rest := self.miner.check(event)) is not None:
                    task = asyncio.create_task(self._check(rest))
                    self._checks.add(task)
                    task.add_done_callback(self._checked)
            case Subscribing():
                self.miner.subscribe(event)
            case Authorizing():
                self.miner.authorize(event)
                if self._stranger and self.miner.logged_in:
                    self._stranger = False
                    self._floor.door.forget(self)
            case Reported():
                self.miner.report(event.report)

    async def _check(self, rest: Coroutine[Any, Any, None]) -> None:
        with self.acting():
            await rest

    def _checked(self, task: asyncio.Task[None]) -> None:
        self._checks.discard(task)
        if self._paused and not self.ended:
            self._take(b"")
        if self._left and not self._checks:
            self._hub.closed(self)


class _Acting:
    """A context without a generator, which takes twice as long: each share and each job given goes through one."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> bool:
        if error is not None and not isinstance(error, Exception):  # cancelled
            self._connection.acted(None)
            return False
        self._connection.acted(error)
        return error is not None

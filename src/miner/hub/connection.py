"""One miner's socket: bounds on what it may send, how long it may be silent and how much may wait for it."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from miner.core.errors import ProtocolError
from miner.core.source import Notice
from miner.core.text import one_line
from miner.hub.floor import Floor
from miner.hub.miner import GoneError, HubMiner
from miner.stratum.server_events import Authorizing, Reported, ServerEvent, Submitting, Subscribing
from miner.stratum.server_protocol import ServerProtocol
from miner.wrong_door import WrongDoorError

READ_SIZE = 1 << 14
REPORTS_STOPPED = 60.0  # seconds of silence of a miner that reports each second: its host is gone
SHARES_AT_ONCE = 64  # of one miner that are being checked; then its socket waits
GOODBYE_SECONDS = 2.0  # for what is still to be sent when the hub hangs up


class Connection:
    """From the first byte to the last. `run` ends with the connection, and raises only what is our own fault."""

    def __init__(self, floor: Floor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._floor, self._config, self._reader, self._writer = floor, floor.config, reader, writer
        peer = writer.get_extra_info("peername")
        self._host = str(peer[0]) if peer else ""
        self._protocol = ServerProtocol()
        self.miner = HubMiner(floor, self._protocol, self._host)
        self._checks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(SHARES_AT_ONCE)
        self._reason = ""  # why it ended
        self._bug: BaseException | None = None

    async def run(self) -> None:
        try:
            await self._converse()
        finally:
            self.end("the hub was closed")  # unless there was a reason before
            self.miner.leave(self._reason)
            await self._finish_checks()
            with suppress(OSError):
                await self._writer.wait_closed()
        if self._bug is not None:
            raise self._bug

    async def _finish_checks(self) -> None:
        """What the miner brought before it left still counts. Cancelled: the hub waits no longer."""
        try:
            if self._checks:
                await asyncio.wait(self._checks)
        finally:
            if left := len(self._checks):
                self._floor.emit(Notice(f"{self.miner.name}: no verdict by the end on {left} of its shares"))
            for task in self._checks:
                task.cancel()

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Around everything that makes the miner's protocol say something: sends it, and ends the connection where that
        is what came of it."""
        try:
            yield
        except WrongDoorError as error:
            self._floor.wrong_door(self._host, error.speech)
            self.end(str(error))
        except (GoneError, ProtocolError) as error:
            self.end(str(error))
        except OSError as error:
            self.end(one_line(error.strerror or type(error).__name__))
        finally:
            self._flush()

    def end(self, reason: str) -> None:
        """Hang up, after what is still to be sent, unless that takes too long."""
        if not self._reason:
            self._reason = reason
            self._flush()
            self._writer.close()
            asyncio.get_running_loop().call_later(GOODBYE_SECONDS, self._writer.transport.abort)

    def _flush(self) -> None:
        data = self._protocol.data_to_send()
        if data and not self._writer.is_closing():
            self._writer.write(data)
            if self._writer.transport.get_write_buffer_size() > self._config.max_buffer:
                self._reason = self._reason or "the miner doesn't read what it is sent"
                self._writer.transport.abort()

    async def _converse(self) -> None:
        clock = asyncio.get_running_loop().time
        login_by = clock() + self._config.login_seconds
        while not self._reason:
            with self.acting():
                try:
                    async with asyncio.timeout(self._patience(login_by - clock())):
                        data = await self._reader.read(READ_SIZE)
                except TimeoutError:
                    raise GoneError("silent for too long" if self.miner.patient else "no login in time") from None
                if not data:
                    raise GoneError("the miner closed the connection")
                for event in self._protocol.receive_data(data):
                    await self._handle(event)

    def _patience(self, to_login: float) -> float:
        """Seconds of silence before we hang up."""
        if not self.miner.patient:
            return max(to_login, 0.0)
        return min(self._config.idle_seconds, REPORTS_STOPPED if self._protocol.extension else math.inf)

    async def _handle(self, event: ServerEvent) -> None:
        match event:
            case Subscribing():
                self.miner.subscribe(event)
            case Authorizing():
                self.miner.authorize(event)
            case Reported():
                self.miner.report(event.report)
            case Submitting():
                await self._room.acquire()
                task = asyncio.create_task(self._check(event))
                self._checks.add(task)
                task.add_done_callback(self._checked)

    async def _check(self, event: Submitting) -> None:
        with self.acting():
            await self.miner.check(event)

    def _checked(self, task: asyncio.Task[None]) -> None:
        self._checks.discard(task)
        self._room.release()
        if not task.cancelled() and (bug := task.exception()):
            self._bug = bug
            self.end("the hub failed")

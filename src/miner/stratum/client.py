"""A stratum pool, or a hub, as a source of work: one TCP connection at a time, and a new one when it breaks."""

import asyncio
import collections
import dataclasses
import random
import re
from collections.abc import AsyncIterator, Callable, Iterator

from miner import __version__
from miner.config import SourceConfig
from miner.core.errors import ProtocolError, SourceError
from miner.core.model import Job, MinerReport, Share, ShareResult, ShareStatus
from miner.core.source import Connecting, Disconnected, Finished, Notice, SourceEvent, WorkSource
from miner.core.target import hash_value
from miner.stratum import messages
from miner.stratum.address import PoolAddress
from miner.stratum.client_protocol import (
    Answered,
    ClientEvent,
    ClientProtocol,
    Ignored,
    LoginRefused,
    State,
)
from miner.stratum.wire import one_line
from miner.verify import proof_hash

USER_AGENT = f"sparkminer/{__version__}"
CONNECT_SECONDS = 30.0
HANDSHAKE_SECONDS = 60.0  # from the connection to the login
ANSWER_SECONDS = 60.0  # for a share's verdict
FAREWELL_SECONDS = 1.0  # for what is still to be sent when we leave
MAX_PAUSE = 300.0  # between two tries, unless the configured pause is longer
MIN_PAUSE = 0.1
READ_BYTES = 64 << 10
MAX_UNSENT = 256 << 10  # bytes that the pool may leave unread
MAX_EVENTS = 64  # that wait for the consumer
MAX_NOTICES = 100  # from one connection: a person reads them


class StratumSource(WorkSource):
    """Work from stratum+tcp://host:port.

    Lost connections are tried again with exponential backoff and full jitter: a pool's thousand miners don't come back
    in the same second. A refused login raises SourceError at once. `uniform` gives random numbers from 0 to 1.
    """

    def __init__(self, config: SourceConfig, *, uniform: Callable[[], float] = random.random) -> None:
        """Raises UsageError when the URL or the user won't do. Nothing is sent before `events()` is read."""
        self.algorithm = config.algorithm
        self._config = config
        self._address = PoolAddress.of(config)
        self._port = self._address.port  # where a client.reconnect sent us, until that fails
        self._uniform = uniform
        self._offer_extranonce = True
        self._connection: _Connection | None = None
        self._events = _EventQueue()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self.label = str(self._address)
        self.payee = "the hub's payee" if config.hub else f"pool user {self._address.username}"

    def events(self) -> AsyncIterator[SourceEvent]:
        return self._follow()

    async def submit(self, share: Share) -> ShareResult:
        connection = self._connection
        answer = await connection.submit(share) if connection else Answered(0, ShareStatus.STALE, "not connected")
        block = False
        if answer.status is ShareStatus.ACCEPTED:
            digest = await asyncio.to_thread(proof_hash, self.algorithm, share.header)
            block = hash_value(digest) <= share.job.network_target
        return ShareResult(share, answer.status, self._masked(answer.reason), block)

    async def report(self, report: MinerReport) -> None:
        if self._connection:
            self._connection.report(report)

    async def aclose(self) -> None:
        self._closed = True
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._events.close()

    async def _follow(self) -> AsyncIterator[SourceEvent]:
        if self._closed:
            return
        if not self._task:
            self._task = asyncio.create_task(self._connect_again_and_again())
            self._task.add_done_callback(lambda _: self._events.close())
        while (event := await self._events.get()) is not None:
            yield event
        if not self._closed:
            await self._task  # raises what ended it

    async def _connect_again_and_again(self) -> None:
        failures = 0
        while True:
            self._events.put(Connecting("Stratum", self.label))
            try:
                reason = await self._converse()
                self._events.put(Finished(reason))
                return
            except _LostError as lost:
                failures = 1 if lost.had_jobs else failures + 1
                reason = self._masked(str(lost))
                if 0 <= self._config.retries < failures:
                    raise SourceError(f"{self.label}: {reason}; gave up after {self._config.retries} retries") from None
                pause = self._pause(failures) if lost.wait is None else lost.wait + self._pause(0)
            self._events.put(Disconnected(reason, pause))
            await asyncio.sleep(pause)

    def _pause(self, failures: int) -> float:
        """Full jitter: anything from 0 to a ceiling that doubles with each failure. A pool that asked us to come back
        (0 failures) gets us within a few seconds."""
        first = max(self._config.retry_pause, MIN_PAUSE)
        if failures == 0:
            return self._uniform() * min(first, 5.0)
        return self._uniform() * min(first * 2.0 ** min(failures - 1, 32), max(first, MAX_PAUSE))

    async def _converse(self) -> str:
        """One connection, from the first byte to the last. Returns the reason of a hub that has ended its job; every
        other end raises _LostError, or SourceError where there is no use in coming back."""
        try:
            async with asyncio.timeout(min(CONNECT_SECONDS, self._config.timeout)):
                reader, writer = await asyncio.open_connection(self._address.host, self._port)
        except TimeoutError:
            raise self._unreachable("no answer to the connection attempt") from None
        except OSError as error:
            raise self._unreachable(_words(error)) from None
        protocol = ClientProtocol(self.algorithm, self._address.username, self._address.password, user_agent=USER_AGENT,
                                  hub=self._config.hub, extranonce_subscribe=self._offer_extranonce)
        self._connection = connection = _Connection(protocol, reader, writer, self._config.timeout)
        try:
            while True:
                for event in await connection.receive():
                    if isinstance(event, messages.Stop):
                        return event.reason
                    self._on_event(event, connection)
        except _LostError as lost:
            lost.had_jobs = connection.had_jobs
            raise
        finally:
            self._connection = None
            # Some pools close the connection on this offer: they don't get it twice.
            self._offer_extranonce = not protocol.offer_unanswered
            await connection.aclose()

    def _unreachable(self, reason: str) -> "_LostError":
        self._port = self._address.port
        return _LostError(reason)

    def _on_event(self, event: ClientEvent, connection: "_Connection") -> None:
        match event:
            case Job():
                self._events.put(event)
            case LoginRefused():
                words = self._masked(event.reason) or "it gave no reason"
                raise SourceError(f"{self.label} refused the login of user {self._address.username}: {words}")
            case messages.Reconnect():
                self._on_reconnect(event, connection)
            case messages.ShowMessage():
                self._notice(f"message from the pool: {event.text}", connection)
            case Ignored():
                self._notice(f"ignored what the pool sent: {event.reason}", connection)

    def _on_reconnect(self, event: messages.Reconnect, connection: "_Connection") -> None:
        """To the same host, another port perhaps; elsewhere never: whoever can write into the connection could take the
        miners away with it."""
        host, port = event.host.lower() or self._address.host, event.port or self._port
        if host != self._address.host or port != self._address.port and not self._config.redirect:
            self._notice(f"the pool would send us to {host}, port {port}: not followed", connection)
            return
        self._port = port
        raise _LostError(f"the pool asks to reconnect to port {port}", event.wait)

    def _notice(self, text: str, connection: "_Connection") -> None:
        if connection.allow_notice(text):
            self._events.put(Notice(self._masked(text)))

    def _masked(self, text: str) -> str:
        """The pool's words without our password. A short one like "x" is only taken out where it stands alone."""
        secret = re.escape(self._address.password)
        if not secret:
            return text
        return re.sub(secret if len(self._address.password) > 3 else rf"(?<!\w){secret}(?!\w)", "***", text)


class _LostError(Exception):
    """The connection is gone. `wait`: how long the pool asked us to stay away."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait
        self.had_jobs = False


class _Connection:
    """The protocol on a socket, and the shares that wait for their verdicts on it."""

    def __init__(self, protocol: ClientProtocol, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                 timeout: float) -> None:
        self.had_jobs = False
        self._protocol = protocol
        self._reader = reader
        self._writer = writer
        self._timeout = timeout
        self._deadline = asyncio.get_running_loop().time() + min(HANDSHAKE_SECONDS, timeout)
        self._verdicts: dict[int, asyncio.Future[Answered]] = {}
        self._fault = ""  # why we tore the connection down ourselves
        self._notices = 0
        self._last_notice = ""
        protocol.start()

    async def receive(self) -> Iterator[ClientEvent]:
        """Wait for the pool, send what is due meanwhile. The verdicts among its events go to who waits in `submit`.
        Raises _LostError, and so does the iterator."""
        self._flush()
        return self._understand(await self._read())

    def _understand(self, data: bytes) -> Iterator[ClientEvent]:
        heard = self._protocol.heard
        try:
            for event in self._protocol.receive_data(data):
                self.had_jobs = self.had_jobs or isinstance(event, Job)
                if isinstance(event, Answered):
                    self._settle(event)
                else:
                    yield event
        except ProtocolError as error:
            raise _LostError(str(error)) from None
        if self._protocol.state is State.READY and self._protocol.heard > heard:
            self._deadline = asyncio.get_running_loop().time() + self._timeout

    async def submit(self, share: Share) -> Answered:
        try:
            request_id = self._protocol.submit(share)
        except ProtocolError as error:
            return Answered(0, ShareStatus.STALE, str(error))
        heard = self._protocol.heard
        verdict = self._verdicts[request_id] = asyncio.get_running_loop().create_future()
        self._flush()
        seconds = min(ANSWER_SECONDS, self._timeout)
        try:
            return await asyncio.wait_for(verdict, seconds)
        except TimeoutError:
            if self._protocol.heard == heard:  # not one word since: the connection is half open
                self._tear_down(f"no answer to a share, nor anything else, for {seconds:g} seconds")
            return Answered(request_id, ShareStatus.STALE, f"no answer within {seconds:g} seconds")
        finally:
            self._verdicts.pop(request_id, None)
            self._protocol.forget(request_id)

    def report(self, report: MinerReport) -> None:
        if self._protocol.extension:
            self._protocol.report(report)
            self._flush()

    def allow_notice(self, text: str) -> bool:
        """Not the same line twice in a row, and an end to them all at some point."""
        if text == self._last_notice or self._notices >= MAX_NOTICES:
            return False
        self._last_notice = text
        self._notices += 1
        return True

    async def aclose(self) -> None:
        """Everything that waits here is told; what is unsent gets a moment."""
        for verdict in self._verdicts.values():
            if not verdict.done():
                verdict.set_result(Answered(0, ShareStatus.STALE, "the connection was lost before the answer"))
        self._flush()
        self._writer.close()
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            pass  # it ends this way or that
        finally:
            self._writer.transport.abort()

    async def _read(self) -> bytes:
        try:
            async with asyncio.timeout_at(self._deadline):
                data = await self._reader.read(READ_BYTES)
        except TimeoutError:
            what = "is silent" if self._protocol.state is State.READY else "does not let us in"
            raise _LostError(f"the pool {what}: gave it {self._timeout:g} seconds") from None
        except OSError as error:
            raise _LostError(self._fault or _words(error)) from None
        if not data:
            raise _LostError(self._fault or "the pool closed the connection")
        return data

    def _flush(self) -> None:
        self._writer.write(self._protocol.data_to_send())
        if self._writer.transport.get_write_buffer_size() > MAX_UNSENT:
            self._tear_down("the pool does not read what we send")

    def _tear_down(self, fault: str) -> None:
        self._fault = self._fault or fault
        self._writer.transport.abort()

    def _settle(self, answer: Answered) -> None:
        verdict = self._verdicts.get(answer.request_id)
        if verdict and not verdict.done():
            verdict.set_result(answer)


class _EventQueue:
    """Events on their way to the one consumer. Bounded: of the jobs only the newest waits, and notices give way."""

    def __init__(self) -> None:
        self._events: collections.deque[SourceEvent] = collections.deque()
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, event: SourceEvent) -> None:
        if isinstance(event, Job):
            waiting = [old for old in self._events if isinstance(old, Job)]
            for old in waiting:
                self._events.remove(old)
            event = dataclasses.replace(event, clean=event.clean or any(old.clean for old in waiting))
        elif len(self._events) >= MAX_EVENTS:
            self._events.remove(next((old for old in self._events if isinstance(old, Notice)), self._events[0]))
        self._events.append(event)
        self._changed.set()

    def close(self) -> None:
        self._closed = True
        self._changed.set()

    async def get(self) -> SourceEvent | None:
        """The next event; None when there will be none."""
        while not self._events:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._events.popleft()


def _words(error: OSError) -> str:
    return one_line(error.strerror or str(error)) or type(error).__name__

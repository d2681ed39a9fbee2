"""One TCP connection to a pool: the protocol on a socket, and the shares that wait for their verdicts on it."""

import asyncio
from collections.abc import Callable, Iterator

from miner.core.errors import ProtocolError
from miner.core.model import Job, MinerReport, Share, ShareStatus
from miner.core.source import Traffic
from miner.net import words_of
from miner.stratum.client_events import Answered, ClientEvent
from miner.stratum.client_protocol import MAX_LINE, ClientProtocol
from miner.stratum.dump import Dump
from miner.stratum.handshake import State
from miner.stratum.lost import LostError
from miner.wrong_door import WrongDoorError

HANDSHAKE_SECONDS = 60.0  # from the connection to the login
ANSWER_SECONDS = 60.0  # for a share's verdict
FAREWELL_SECONDS = 1.0  # for what is still to be sent when we leave
READ_BYTES = 64 << 10
MAX_UNSENT = 256 << 10  # bytes that the pool may leave unread
MAX_NOTICES = 100  # from one connection: a person reads them


class PoolConnection:
    """One connection to a pool, from the first byte to the last. What the pool can make us wait for, keep or show is
    bounded. `had_jobs`: a job has come on it."""

    def __init__(self, protocol: ClientProtocol, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                 timeout: float, on_traffic: Callable[[Traffic], None] | None = None) -> None:
        """`timeout`: seconds that the pool may be silent. `on_traffic` is called with every message, sent and received,
        without passwords."""
        self.had_jobs = False
        self._spoke = False  # a byte has come
        self._protocol = protocol
        self._reader = reader
        self._writer = writer
        self._timeout = timeout
        self._patience = min(HANDSHAKE_SECONDS, timeout)  # seconds without a word; the login may not take longer
        self._deadline = asyncio.get_running_loop().time() + self._patience
        self._verdicts: dict[int, asyncio.Future[Answered | None]] = {}  # None: the connection is gone
        self._fault = ""  # why we tore the connection down ourselves
        self._on_traffic = on_traffic
        self._dump = Dump(MAX_LINE)
        self._notices = 0
        self._last_notice = ""
        protocol.start()

    async def receive(self) -> Iterator[ClientEvent]:
        """Wait for the pool, send what is due meanwhile. The verdicts among its events go to who waits in `submit`.
        Raises LostError, and so does the iterator."""
        self._flush()
        data = await self._read()
        if self._on_traffic:
            for traffic in self._dump.received(data):
                self._on_traffic(traffic)
        return self._understand(data)

    def _understand(self, data: bytes) -> Iterator[ClientEvent]:
        heard = self._protocol.heard
        try:
            for event in self._protocol.receive_data(data):
                self.had_jobs = self.had_jobs or isinstance(event, Job)
                if isinstance(event, Answered):
                    self._settle(event)
                else:
                    yield event
        except WrongDoorError as error:
            raise LostError(str(error), speech=error.speech) from None
        except ProtocolError as error:
            raise LostError(str(error)) from None
        if self._protocol.state is State.READY and self._protocol.heard > heard:
            self._patience = self._timeout
            self._deadline = asyncio.get_running_loop().time() + self._patience

    async def submit(self, share: Share) -> Answered:
        """Hand in a share. Returns the pool's verdict, or STALE where the share can't go out on this connection, or
        where a pool that says other things leaves it without an answer. Raises LostError where the connection is lost
        before."""
        try:
            request_id = self._protocol.submit(share)
        except ProtocolError as error:
            return Answered(0, ShareStatus.STALE, str(error))
        heard = self._protocol.heard
        verdict: asyncio.Future[Answered | None] = asyncio.get_running_loop().create_future()
        self._verdicts[request_id] = verdict
        self._flush()
        seconds = min(ANSWER_SECONDS, self._timeout)
        try:
            async with asyncio.timeout(seconds):
                answer = await verdict
            if answer is None:
                raise LostError("the connection was lost before the answer")
            return answer
        except TimeoutError:
            if self._protocol.heard == heard:  # not one word since: the connection is half open
                self._tear_down(f"no answer to a share, nor anything else, for {seconds:g} seconds")
                raise LostError(f"no answer within {seconds:g} seconds") from None
            return Answered(request_id, ShareStatus.STALE, f"no answer within {seconds:g} seconds")
        finally:
            self._verdicts.pop(request_id, None)
            self._protocol.forget(request_id)

    def report(self, report: MinerReport) -> None:
        """Tell the other end how we do, if it is a hub that takes reports."""
        if self._protocol.extension:
            self._protocol.report(report)
            self._flush()

    def allow_notice(self, text: str) -> bool:
        """Whether a notice with this text is to be told: not twice in a row, and MAX_NOTICES on one connection."""
        if text == self._last_notice or self._notices >= MAX_NOTICES:
            return False
        self._last_notice = text
        self._notices += 1
        return True

    async def aclose(self) -> None:
        """Close the connection: shares without a verdict get none, and what is unsent has FAREWELL_SECONDS."""
        for verdict in self._verdicts.values():
            if not verdict.done():
                verdict.set_result(None)
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
            raise LostError(f"the pool {what}: gave it {self._patience:g} seconds") from None
        except OSError as error:
            raise LostError(self._fault or words_of(error), mute=not self._spoke) from None
        if not data:
            words = "" if self._protocol.heard else " without a word"
            raise LostError(self._fault or f"the pool closed the connection{words}", mute=not self._spoke)
        self._spoke = True
        return data

    def _flush(self) -> None:
        data = self._protocol.data_to_send()
        if self._on_traffic:
            for traffic in self._dump.sent(data):
                self._on_traffic(traffic)
        self._writer.write(data)
        if self._writer.transport.get_write_buffer_size() > MAX_UNSENT:
            self._tear_down("the pool does not read what we send")

    def _tear_down(self, fault: str) -> None:
        self._fault = self._fault or fault
        self._writer.transport.abort()

    def _settle(self, answer: Answered) -> None:
        verdict = self._verdicts.get(answer.request_id)
        if verdict and not verdict.done():
            verdict.set_result(answer)

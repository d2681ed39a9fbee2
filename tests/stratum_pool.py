"""A pool on loopback, in this process: the server's end of the protocol on a socket, and a script for what it does."""

import asyncio
import contextlib
import dataclasses
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

from loopback_server import LoopbackServer
from miner.config import SourceConfig
from miner.core.model import Job
from miner.core.source import SourceEvent
from miner.stratum.client import StratumSource
from miner.stratum.server_events import Authorizing, ServerEvent, Submitting, Subscribing
from miner.stratum.server_protocol import ServerProtocol
from miner.wrong_door import WrongDoorError
from stratum_samples import REGTEST_JOB, SCRYPT

LIMIT = 30.0  # seconds for a whole test
PASSWORD = "s3cret-pass"
HARD_JOB = dataclasses.replace(REGTEST_JOB, nbits=0x1D00FFFF)


def within_limit(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test to its end, or fail it when it takes too long."""

    @functools.wraps(test)
    def run(*arguments: Any, **keywords: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*arguments, **keywords), LIMIT))

    return run


class Miner:
    """One miner's connection, seen from the pool."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.protocol = ServerProtocol(nonce=bytes(16))
        self.received = bytearray()
        self.reader, self.writer = reader, writer
        self._events = iter(())  # type: ignore[var-annotated]

    async def next(self) -> ServerEvent:
        """What the miner wants next; before waiting, what is due is sent. EOFError when the miner has gone."""
        while True:
            for event in self._events:
                return event  # type: ignore[no-any-return]
            self.flush()
            data = await self.reader.read(65536)
            if not data:
                raise EOFError
            self.received += data
            self._events = self.protocol.receive_data(data)

    async def next_share(self) -> Submitting:
        while not isinstance(event := await self.next(), Submitting):
            pass
        return event

    async def let_in(self, *jobs: Job, difficulty: float = 1e-6, extranonce1: bytes = REGTEST_JOB.extranonce1) -> None:
        subscribing = await self.next()
        assert isinstance(subscribing, Subscribing)
        self.protocol.subscribe(subscribing, extranonce1, REGTEST_JOB.extranonce2_size)
        authorizing = await self.next()
        assert isinstance(authorizing, Authorizing)
        self.protocol.accept(authorizing)
        self.protocol.set_difficulty(difficulty)
        for job in jobs:
            self.protocol.notify(job, job.clean)
        self.flush()

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    def flush(self) -> None:
        self.writer.write(self.protocol.data_to_send())

    def reset(self) -> None:
        self.writer.transport.abort()

    async def until_gone(self) -> None:
        """Read on, and answer nothing."""
        while data := await self.reader.read(65536):
            self.received += data


class Pool(LoopbackServer):
    """Runs `script` for each miner; its connection ends with it."""

    def __init__(self, script: Callable[[Miner], Awaitable[None]], **settings: Any) -> None:
        super().__init__(**settings)
        self.miners: list[Miner] = []
        self._script = script

    @property
    def url(self) -> str:
        return f"{'stratum+tcps' if self.tls else 'stratum+tcp'}://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        miner = Miner(reader, writer)
        self.miners.append(miner)
        with contextlib.suppress(WrongDoorError):  # a miner asks what is spoken here
            await self._script(miner)
        miner.flush()


def source_of(pool: Pool | str, *, uniform: float = 0.0, **changes: Any) -> StratumSource:
    """A source at this pool or URL, ready to connect; tries again at once and for ever, waits 20 seconds for a peer."""
    url = pool if isinstance(pool, str) else pool.url
    settings = {"algorithm": SCRYPT, "username": "alice", "password": PASSWORD, "timeout": 20.0, "retry_pause": 0.1}
    return StratumSource(SourceConfig(url=url, **(settings | changes)), uniform=lambda: uniform)


async def next_of(kind: type[SourceEvent], events: AsyncIterator[SourceEvent]) -> Any:
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"the events ended without {kind.__name__}")


async def stay(miner: Miner) -> None:
    """Let the miner in, give it a job and stay silent."""
    await miner.let_in(REGTEST_JOB)
    await miner.until_gone()

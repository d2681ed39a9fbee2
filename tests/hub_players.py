"""Who plays against a hub in its tests: a source whose jobs, verdicts and faults come on demand, and a miner that says
whatever a test wants to have said."""

import asyncio
import hashlib
import json
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, ClassVar

from miner.config import SourceConfig
from miner.core.algorithm import Algorithm, sha256d
from miner.core.model import Job, MinerReport, Share, ShareResult, ShareStatus
from miner.core.source import SourceEvent, SourceKind, WorkSource
from miner.core.target import MAX_TARGET, hash_value, target_to_nbits
from miner.hub import Hub, HubConfig
from miner.hub.events import HubEvent
from miner.stratum.client import StratumSource

WAIT = 30.0  # seconds, for what should happen at once
TOKEN = "token-of-the-tests"
SHA256D = Algorithm.parse("sha256d")
ACCEPTED, REJECTED, STALE = ShareStatus.ACCEPTED, ShareStatus.REJECTED, ShareStatus.STALE


def make_job(job_id: str = "a", tip: int = 1, *, clean: bool = True, hashes: int = 64, share_hashes: int | None = None,
             extranonce1: bytes = b"\xee\xee", size: int = 8, ntime: int = 1_700_000_000) -> Job:
    """A job on the previous hash number `tip`. One in `hashes` hashes is a block, and one in `share_hashes` (by
    default: in `hashes`) a share of the source."""
    share_target = MAX_TARGET // (share_hashes or hashes)
    nbits = target_to_nbits(MAX_TARGET // hashes)
    return Job(job_id, SHA256D, 0x20000000, sha256d(tip.to_bytes(4, "big")), b"begin", extranonce1, size, b"end",
               (bytes(32),), nbits, ntime, clean, max(share_target, MAX_TARGET // hashes), height=tip)


class ScriptedSource(WorkSource):
    """Gives the events that are pushed into it, and the verdicts that `verdict` says."""

    label, payee, algorithm, kind = "a script", "nobody", SHA256D, SourceKind.POOL

    def __init__(self, *events: SourceEvent) -> None:
        self._events: asyncio.Queue[SourceEvent | Exception | None] = asyncio.Queue()
        self.push(*events)
        self.submitted: list[Share] = []
        self.verdict: Callable[[Share], ShareResult] = lambda share: ShareResult(
            share, ShareStatus.ACCEPTED, block=hash_value(sha256d(share.header)) <= share.job.network_target)
        self.answer_now = asyncio.Event()
        self.answer_now.set()

    def push(self, *events: SourceEvent | Exception | None) -> None:
        """Let these happen next. An exception is raised; None is the end."""
        for event in events:
            self._events.put_nowait(event)

    async def events(self) -> AsyncIterator[SourceEvent]:
        while (event := await self._events.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event

    async def submit(self, share: Share) -> ShareResult:
        self.submitted.append(share)
        await self.answer_now.wait()
        return self.verdict(share)

    async def aclose(self) -> None:
        self.push(None)


def solve(job: Job, extranonce2: int = 0, most: int | None = None, above: int = -1, **changes: Any) -> Share:
    """A share of a miner's job whose hash is above one number and at most another (the share target unless given)."""
    work = job.work(extranonce2.to_bytes(job.extranonce2_size, "big"), **changes)
    most = job.share_target if most is None else most
    head, hash_of = work.header[:-4], job.algorithm.hash
    for nonce in range(1 << 22):
        if above < hash_value(hash_of(head + nonce.to_bytes(4, "little"))) <= most:
            return work.share(nonce)
    raise AssertionError("nothing found")


def proof(share: Share) -> bytes:
    """A share's hash, worked out from what the source issued and the share brought, with hashlib alone."""
    def sha256d(data: bytes) -> bytes:
        return hashlib.sha256(hashlib.sha256(data).digest()).digest()

    job, work = share.job, share.work
    root = sha256d(job.coinbase1 + job.extranonce1 + work.extranonce2 + job.coinbase2)
    for node in job.merkle_branch:
        root = sha256d(root + node)
    return sha256d(struct.pack("<I32s32sIII", work.version, job.prev_hash, root, work.ntime, job.nbits, share.nonce))


class RawMiner:
    """A socket and JSON. It keeps the notifications that it hears while it waits for something else."""

    everyone: ClassVar[list["RawMiner"]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.everyone.append(self)
        self._reader, self._writer = reader, writer
        self._heard: list[dict[str, Any]] = []
        self._number = 0

    @classmethod
    async def connect(cls, address: tuple[str, int], tls: ssl.SSLContext | None = None) -> "RawMiner":
        return cls(*await asyncio.open_connection(*address, ssl=tls))

    @classmethod
    async def join(cls, address: tuple[str, int], name: str = "raw", tls: ssl.SSLContext | None = None) -> "RawMiner":
        miner = await cls.connect(address, tls)
        await miner.call("mining.subscribe", "raw/1")
        assert (await miner.call("mining.authorize", name, TOKEN))["result"] is True
        return miner

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def ask(self, method: str, *params: Any) -> int:
        """Send a request; returns its id."""
        self._number += 1
        self.send(json.dumps({"id": self._number, "method": method, "params": params}).encode() + b"\n")
        return self._number

    async def call(self, method: str, *params: Any) -> dict[str, Any]:
        number = self.ask(method, *params)
        return await self.hear(lambda message: message["id"] == number)

    async def notice(self, method: str, wanted: Callable[[list[Any]], bool] = lambda params: True) -> list[Any]:
        """The parameters of the next notification of this kind."""
        message = await self.hear(lambda message: message.get("method") == method and wanted(message["params"]))
        return list(message["params"])

    async def hear(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        for message in self._heard:
            if wanted(message):
                self._heard.remove(message)
                return message
        async with asyncio.timeout(WAIT):
            while line := await self._reader.readline():
                message = json.loads(line)
                if wanted(message):
                    return dict(message)
                self._heard.append(message)
        raise AssertionError(f"the hub hung up; before that it said {self._heard}")

    async def silent(self) -> bool:
        """Whether the hub has said nothing by the time at which it has answered somebody else."""
        other = await RawMiner.connect(self._writer.get_extra_info("peername"))
        await other.call("mining.authorize", "other", TOKEN)
        other.close()
        try:
            async with asyncio.timeout(0.1):
                self._heard.append(json.loads(await self._reader.readline()))
        except TimeoutError:
            return not self._heard
        return False

    async def hung_up(self) -> bool:
        """Wait until the hub ends the connection."""
        async with asyncio.timeout(WAIT):
            try:
                while await self._reader.read(1 << 16):
                    pass
            except ConnectionError:
                pass
        return True

    def close(self) -> None:
        self._writer.close()

    @classmethod
    async def close_all(cls) -> None:
        while cls.everyone:
            writer = cls.everyone.pop()._writer
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


class Player:
    """One of our own clients at the hub."""

    def __init__(self, address: tuple[str, int], name: str, token: str = TOKEN, algorithm: Algorithm = SHA256D,
                 retries: int = 0) -> None:
        host, port = address
        self.source = StratumSource(SourceConfig(algorithm, f"stratum+tcp://{host}:{port}", name, token, hub=True,
                                                 retries=retries, retry_pause=0.1))
        self.events = self.source.events()

    async def next(self, kind: type[Any], wanted: Callable[[Any], bool] = lambda event: True) -> Any:
        async with asyncio.timeout(WAIT):
            async for event in self.events:
                if isinstance(event, kind) and wanted(event):
                    return event
        raise AssertionError(f"the source ended before a {kind}")

    async def job(self, wanted: Callable[[Job], bool] = lambda job: True) -> Job:
        job: Job = await self.next(Job, wanted)
        return job


class Watched:
    """A hub, and all that it told."""

    def __init__(self, source: WorkSource, config: HubConfig) -> None:
        self.told: list[HubEvent] = []
        self._news = asyncio.Event()
        self.hub = Hub(source, config, self._tell)
        self.address = ("", 0)
        self._players: list[Player] = []

    def _tell(self, event: HubEvent) -> None:
        self.told.append(event)
        self._news.set()

    def player(self, name: str = "player", **options: Any) -> Player:
        self._players.append(Player(self.address, name, **options))
        return self._players[-1]

    async def leave(self) -> None:
        for player in self._players:
            await player.source.aclose()
        await RawMiner.close_all()

    async def heard(self, kind: type[Any], wanted: Callable[[Any], bool] = lambda event: True, count: int = 1) -> Any:
        """Wait until the hub has told of that many such events; the last of them."""
        async with asyncio.timeout(WAIT):
            while len(found := [event for event in self.told if isinstance(event, kind) and wanted(event)]) < count:
                self._news.clear()
                await self._news.wait()
        return found[count - 1]


def with_hub(source: Callable[[], WorkSource], play: Callable[[Watched, Any], Awaitable[None]], **config: Any) -> None:
    """Run a hub on the source, and let `play` use it. The source is made inside the event loop."""
    async def main() -> None:
        made = source()
        watched = Watched(made, HubConfig(**({"token": TOKEN} | config)))
        async with watched.hub:
            watched.address = await watched.hub.start()
            try:
                await play(watched, made)
            finally:
                await watched.leave()

    asyncio.run(main())


Play = Callable[[Watched, ScriptedSource], Awaitable[None]]


def scripted(play: Play, *events: SourceEvent, **config: Any) -> None:
    """Play against a hub whose source starts with these events (one easy job unless given)."""
    with_hub(lambda: ScriptedSource(*(events or (make_job(),))), play, **config)


async def as_slow_miner(watched: Watched, name: str, hashes: int) -> tuple[Any, Job]:
    """A player whose reports have made its shares so easy; and its job."""
    player = watched.player(name)
    job = await player.job()
    while job.share_target < MAX_TARGET // hashes:
        await player.source.report(MinerReport("test", 1, 1000, hashes / 4, "slow-host"))
        job = await player.job()
    return player, job

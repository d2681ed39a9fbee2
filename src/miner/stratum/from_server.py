"""What a pool or a hub says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

from miner.core.algorithm import Algorithm
from miner.core.errors import ProtocolError
from miner.core.model import Job
from miner.core.target import difficulty_to_target, nbits_to_target
from miner.core.text import one_line
from miner.stratum.fields import (
    hex_bytes,
    hex_u32,
    integer,
    number,
    parse_difficulty,
    parse_extranonce,
    parse_job_id,
    plain,
    swap_words,
    text,
    u32_hex,
    want,
)
from miner.stratum.from_miner import Subscribe
from miner.stratum.message import Message
from miner.stratum.wire import encode_request

MAX_BRANCH = 64  # a tree of 2^64 transactions


@dataclass(frozen=True, slots=True)
class Subscription:
    """The answer to mining.subscribe: `[[[method, session], …], extranonce1, extranonce2_size]`."""

    extranonce1: bytes
    extranonce2_size: int
    session: str = ""

    @classmethod
    def parse(cls, result: object) -> Self:
        """From the answer as JSON was decoded: a pool may have made it up. Raises ProtocolError where it has another
        shape, or an extranonce beyond its bounds."""
        if not isinstance(result, list) or len(result) < 3:
            raise ProtocolError("the answer to mining.subscribe is no list of three")
        return cls(*parse_extranonce(result[1], result[2], Subscribe.METHOD), session=_session(result[0]))

    @property
    def result(self) -> list[object]:
        """The answer as JSON is made from it, extranonce1 in hexadecimal digits."""
        session = self.session or self.extranonce1.hex()
        details = [["mining.set_difficulty", session], ["mining.notify", session]]
        return [details, self.extranonce1.hex(), self.extranonce2_size]


@dataclass(frozen=True, slots=True)
class SetDifficulty(Message):
    """mining.set_difficulty: for the jobs that follow it."""

    METHOD: ClassVar[str] = "mining.set_difficulty"
    difficulty: float

    @classmethod
    def parse(cls, params: Sequence[object]) -> Self:
        return cls(parse_difficulty(params, cls.METHOD))

    @property
    def params(self) -> list[object]:
        return [plain(self.difficulty)]


@dataclass(frozen=True, slots=True)
class SetExtranonce(Message):
    """mining.set_extranonce: for the jobs that follow it (NiceHash's extension)."""

    METHOD: ClassVar[str] = "mining.set_extranonce"
    extranonce1: bytes
    extranonce2_size: int

    @classmethod
    def parse(cls, params: Sequence[object]) -> Self:
        want(params, 2, cls.METHOD)
        return cls(*parse_extranonce(params[0], params[1], cls.METHOD))

    @property
    def params(self) -> list[object]:
        return [self.extranonce1.hex(), self.extranonce2_size]


@dataclass(frozen=True, slots=True)
class Notify(Message):
    """mining.notify: a job, without the extranonces and the share target, which the connection knows.

    prev_hash and merkle_branch are in header order. `raw_job_id` is the id as the pool wrote it, if a number."""

    METHOD: ClassVar[str] = "mining.notify"
    job_id: str
    prev_hash: bytes
    coinbase1: bytes
    coinbase2: bytes
    merkle_branch: tuple[bytes, ...]
    version: int
    nbits: int
    ntime: int
    clean: bool
    raw_job_id: str | int | None = field(default=None, compare=False)

    @classmethod
    def parse(cls, params: Sequence[object]) -> Self:
        """Eight parameters will do (clean is then false), and more than nine as well."""
        want(params, 8, cls.METHOD)
        job_id, prev_hash, coinbase1, coinbase2, branch, version, nbits, ntime = params[:8]
        if not isinstance(branch, list) or len(branch) > MAX_BRANCH:
            raise ProtocolError(f"{cls.METHOD}: merkle branch: a list of up to {MAX_BRANCH} hashes expected")
        bits = hex_u32(nbits, f"{cls.METHOD}: nbits")
        try:
            nbits_to_target(bits)
        except ValueError as error:
            raise ProtocolError(f"{cls.METHOD}: {error}") from None
        return cls(
            job_id=parse_job_id(job_id, cls.METHOD),
            raw_job_id=job_id if isinstance(job_id, int) else None,
            prev_hash=swap_words(hex_bytes(prev_hash, f"{cls.METHOD}: prevhash", 32, 32)),
            coinbase1=hex_bytes(coinbase1, f"{cls.METHOD}: coinbase1"),
            coinbase2=hex_bytes(coinbase2, f"{cls.METHOD}: coinbase2"),
            merkle_branch=tuple(hex_bytes(node, f"{cls.METHOD}: merkle branch", 32, 32) for node in branch),
            version=hex_u32(version, f"{cls.METHOD}: version"),
            nbits=bits,
            ntime=hex_u32(ntime, f"{cls.METHOD}: ntime"),
            clean=len(params) > 8 and params[8] in (True, "true"),
        )

    @property
    def params(self) -> list[object]:
        return [
            self.job_id if self.raw_job_id is None else self.raw_job_id, swap_words(self.prev_hash).hex(),
            self.coinbase1.hex(), self.coinbase2.hex(), [node.hex() for node in self.merkle_branch],
            u32_hex(self.version), u32_hex(self.nbits), u32_hex(self.ntime), self.clean,
        ]

    @classmethod
    def from_job(cls, job: Job, clean: bool) -> Self:
        """The message that hands out a job. `clean`: the jobs before it are worthless."""
        return cls(job.job_id, job.prev_hash, job.coinbase1, job.coinbase2, job.merkle_branch, job.version & 0xFFFFFFFF,
                   job.nbits, job.ntime, clean)

    def to_job(self, algorithm: Algorithm, extranonce1: bytes, extranonce2_size: int, difficulty: float,
               version_mask: int = 0) -> Job:
        """The core's Job; its share target is the difficulty's. Raises ProtocolError where it can't be mined."""
        return Job(
            job_id=self.job_id, algorithm=algorithm, version=self.version, prev_hash=self.prev_hash,
            coinbase1=self.coinbase1, extranonce1=extranonce1, extranonce2_size=extranonce2_size,
            coinbase2=self.coinbase2, merkle_branch=self.merkle_branch,
            nbits=self.nbits, ntime=self.ntime, clean=self.clean, version_mask=version_mask,
            share_target=difficulty_to_target(difficulty, algorithm),
        )


class NotifyLine:
    """A job's mining.notify as bytes, made once for many connections. They differ in how the job id ends."""

    __slots__ = ("_before", "_behind")

    def __init__(self, job: Job, clean: bool) -> None:
        """`job.job_id`: how it begins, in hex."""
        _, *rest = Notify.from_job(job, clean).params
        line = encode_request(None, Notify.METHOD, [f"{job.job_id}@", *rest])  # all else is hex
        self._before, self._behind = line.split(b"@")

    def of(self, id_end: bytes) -> bytes:
        """The line for one connection, its end included. `id_end`: ASCII letters and digits."""
        return self._before + id_end + self._behind


@dataclass(frozen=True, slots=True)
class Reconnect(Message):
    """client.reconnect: connect again, after `wait` seconds. A host of "" and a port of 0 are those of this
    connection."""

    METHOD: ClassVar[str] = "client.reconnect"
    host: str = ""
    port: int = 0
    wait: float = 0.0

    @classmethod
    def parse(cls, params: Sequence[object]) -> Self:
        host, port, wait = (*params, None, None, None)[:3]
        return cls(
            host=text("" if host is None else host, f"{cls.METHOD}: host", 255),
            port=integer(0 if port in (None, "") else port, f"{cls.METHOD}: port", 0, 65535),
            wait=min(number(0 if wait in (None, "") else wait, f"{cls.METHOD}: wait"), 300.0),
        )

    @property
    def params(self) -> list[object]:
        return [self.host, self.port, plain(self.wait)] if self.host or self.port or self.wait else []


@dataclass(frozen=True, slots=True)
class ShowMessage(Message):
    """client.show_message: something for the person who mines; one printable line."""

    METHOD: ClassVar[str] = "client.show_message"
    text: str

    @classmethod
    def parse(cls, params: Sequence[object]) -> Self:
        want(params, 1, cls.METHOD)
        return cls(one_line(params[0]))

    @property
    def params(self) -> list[object]:
        return [self.text]


def _session(details: object) -> str:
    """The session id in a subscription's details: a list of pairs, one flat pair, or nothing."""
    if not isinstance(details, list):
        return ""
    if len(details) == 2 and isinstance(details[0], str):
        return one_line(details[1], 128)
    pairs = [pair for pair in details[:16] if isinstance(pair, list) and len(pair) > 1]
    named = [pair for pair in pairs if pair[0] == Notify.METHOD] or pairs
    return one_line(named[0][1], 128) if named else ""

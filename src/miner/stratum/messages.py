"""Stratum's methods, one dataclass each: `parse` from untrusted parameters, `params` for the wire.

From https://en.bitcoin.it/wiki/Stratum_mining_protocol, NiceHash's mining.extranonce.subscribe and BIP 310.
Hex and byte order end here: fields are bytes and integers as core.model has them. Every `parse` raises ProtocolError.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import ClassVar, Self

from miner.core.algorithm import Algorithm
from miner.core.errors import ProtocolError
from miner.core.model import Job, MinerReport
from miner.core.target import difficulty_to_target, nbits_to_target
from miner.core.text import one_line
from miner.stratum.fields import hex_bytes, hex_u32, integer, number, swap_words, text, u32_hex, want

EXTENSION = "sparkminer"  # ours, asked for by mining.configure: reports up to a hub, the end of its job down
VERSION_MASK = 0x1FFFE000  # the bits of a version that BIP 320 leaves to miners
MAX_EXTRANONCE1 = 32
MAX_EXTRANONCE2 = 16
MAX_BRANCH = 64  # a tree of 2^64 transactions
MAX_NAME = 512


# From the miner


@dataclass(frozen=True, slots=True)
class Configure:
    """mining.configure (BIP 310): the extensions that a miner asks for, before anything else."""

    METHOD: ClassVar[str] = "mining.configure"
    extensions: tuple[str, ...]
    settings: dict[str, object] = field(default_factory=dict)  # "extension.name" -> value

    @classmethod
    def parse(cls, params: Sequence[object]) -> Self:
        want(params, 1, cls.METHOD)
        names = params[0]
        if not isinstance(names, list) or len(names) > 32:
            raise ProtocolError(f"{cls.METHOD}: a list of up to 32 extensions expected")
        return cls(tuple(text(name, f"{cls.METHOD}: extension", 64) for name in names))

    @property
    def params(self) -> list[object]:
        return [list(self.extensions), self.settings]


VERSION_ROLLING = Configure(("version-rolling",), {"version-rolling.mask": u32_hex(VERSION_MASK),
                                                   "version-rolling.min-bit-count": 2})


def granted_version_mask(result: object) -> int | None:
    """The mask in the answer to VERSION_ROLLING; None where the pool doesn't grant it."""
    if not isinstance(result, dict) or result.get("version-rolling") is not True:
        return None
    return SetVersionMask.parse([result.get("version-rolling.mask")]).mask


@dataclass(frozen=True, slots=True)
class Subscribe:
    """mining.subscribe: who the miner is and, where it was here before, the session it would like back."""

    METHOD: ClassVar[str] = "mining.subscribe"
    user_agent: str = ""
    session: str = ""

    @classmethod
    def parse(cls, params: Sequence[object]) -> Self:
        return cls(one_line(params[0], 128) if params else "", one_line(params[1], 128) if len(params) > 1 else "")

    @property
    def params(self) -> list[object]:
        return [self.user_agent, self.session] if self.session else [self.user_agent]


@dataclass(frozen=True, slots=True)
class Authorize:
    """mining.authorize: a worker's name and password."""

    METHOD: ClassVar[str] = "mining.authorize"
    username: str
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, params: Sequence[object]) -> Self:
        want(params, 1, cls.METHOD)
        password = params[1] if len(params) > 1 and params[1] is not None else ""
        return cls(username=text(params[0], f"{cls.METHOD}: username", MAX_NAME),
                   password=text(password, f"{cls.METHOD}: password", MAX_NAME))

    @property
    def params(self) -> list[object]:
        return [self.username, self.password]


@dataclass(frozen=True, slots=True)
class Submit:
    """mining.submit: a share. `raw_job_id` is what the job's id was on the wire: some pools have numbers."""

    METHOD: ClassVar[str] = "mining.submit"
    username: str
    job_id: str
    extranonce2: bytes
    ntime: int
    nonce: int
    version_bits: int | None = None  # BIP 310: the version's bits under the mask; None where none was agreed upon
    raw_job_id: str | int | None = field(default=None, compare=False)

    @classmethod
    def parse(cls, params: Sequence[object]) -> Self:
        want(params, 5, cls.METHOD)
        name, job_id, extranonce2, ntime, nonce = params[:5]
        return cls(
            username=text(name, f"{cls.METHOD}: username", MAX_NAME),
            job_id=parse_job_id(job_id, cls.METHOD),
            extranonce2=hex_bytes(extranonce2, f"{cls.METHOD}: extranonce2", 0, MAX_EXTRANONCE2),
            ntime=hex_u32(ntime, f"{cls.METHOD}: ntime"),
            nonce=hex_u32(nonce, f"{cls.METHOD}: nonce"),
            version_bits=hex_u32(params[5], f"{cls.METHOD}: version bits") if len(params) > 5 else None,
        )

    @property
    def params(self) -> list[object]:
        job_id = self.job_id if self.raw_job_id is None else self.raw_job_id
        bits = [] if self.version_bits is None else [u32_hex(self.version_bits)]
        return [self.username, job_id, self.extranonce2.hex(), u32_hex(self.ntime), u32_hex(self.nonce), *bits]


@dataclass(frozen=True, slots=True)
class SuggestDifficulty:
    """mining.suggest_difficulty: what the miner would like."""

    METHOD: ClassVar[str] = "mining.suggest_difficulty"
    difficulty: float

    @classmethod
    def parse(cls, params: Sequence[object]) -> Self:
        return cls(parse_difficulty(params, cls.METHOD))

    @property
    def params(self) -> list[object]:
        return [_plain(self.difficulty)]


@dataclass(frozen=True, slots=True)
class Report:
    """sparkminer.report, of our extension: how a miner does."""

    METHOD: ClassVar[str] = "sparkminer.report"
    report: MinerReport

    @classmethod
    def parse(cls, params: Sequence[object]) -> Self:
        want(params, 1, cls.METHOD)
        fields = params[0]
        if not isinstance(fields, dict):
            raise ProtocolError(f"{cls.METHOD}: an object expected")
        return cls(MinerReport(
            kernel=text(fields.get("kernel"), f"{cls.METHOD}: kernel", 64),
            threads=integer(fields.get("threads"), f"{cls.METHOD}: threads", 0, 4096),
            hashes=integer(fields.get("hashes"), f"{cls.METHOD}: hashes", 0, (1 << 63) - 1),
            hashrate=number(fields.get("hashrate"), f"{cls.METHOD}: hashrate", 1e18),
            host=text(fields.get("host", ""), f"{cls.METHOD}: host", 255),
        ))

    @property
    def params(self) -> list[object]:
        return [asdict(self.report)]


# From the server


@dataclass(frozen=True, slots=True)
class Subscription:
    """The answer to mining.subscribe: `[[[method, session], …], extranonce1, extranonce2_size]`."""

    extranonce1: bytes
    extranonce2_size: int
    session: str = ""

    @classmethod
    def parse(cls, result: object) -> Self:
        if not isinstance(result, list) or len(result) < 3:
            raise ProtocolError("the answer to mining.subscribe is no list of three")
        return cls(*parse_extranonce(result[1], result[2], Subscribe.METHOD), session=_session(result[0]))

    @property
    def result(self) -> list[object]:
        session = self.session or self.extranonce1.hex()
        details = [["mining.set_difficulty", session], ["mining.notify", session]]
        return [details, self.extranonce1.hex(), self.extranonce2_size]


@dataclass(frozen=True, slots=True)
class SetDifficulty:
    """mining.set_difficulty: for the jobs that follow it."""

    METHOD: ClassVar[str] = "mining.set_difficulty"
    difficulty: float

    @classmethod
    def parse(cls, params: Sequence[object]) -> Self:
        return cls(parse_difficulty(params, cls.METHOD))

    @property
    def params(self) -> list[object]:
        return [_plain(self.difficulty)]


@dataclass(frozen=True, slots=True)
class SetExtranonce:
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
class SetVersionMask:
    """mining.set_version_mask (BIP 310): which bits of a block's version the miner may choose, from now on."""

    METHOD: ClassVar[str] = "mining.set_version_mask"
    mask: int

    @classmethod
    def parse(cls, params: Sequence[object]) -> Self:
        want(params, 1, cls.METHOD)
        return cls(hex_u32(params[0], f"{cls.METHOD}: mask") & VERSION_MASK)

    @property
    def params(self) -> list[object]:
        return [u32_hex(self.mask)]


@dataclass(frozen=True, slots=True)
class Notify:
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
        return cls(job.job_id, job.prev_hash, job.coinbase1, job.coinbase2, job.merkle_branch, job.version & 0xFFFFFFFF,
                   job.nbits, job.ntime, clean)

    def to_job(self, algorithm: Algorithm, extranonce1: bytes, extranonce2_size: int, difficulty: float,
               version_mask: int = 0) -> Job:
        """The core's Job. Its share target is the difficulty's, but never harder than the network's."""
        return Job(
            job_id=self.job_id, algorithm=algorithm, version=self.version, prev_hash=self.prev_hash,
            coinbase1=self.coinbase1, extranonce1=extranonce1, extranonce2_size=extranonce2_size,
            coinbase2=self.coinbase2, merkle_branch=self.merkle_branch,
            nbits=self.nbits, ntime=self.ntime, clean=self.clean, version_mask=version_mask,
            share_target=max(difficulty_to_target(difficulty, algorithm), nbits_to_target(self.nbits)),
        )


@dataclass(frozen=True, slots=True)
class Reconnect:
    """client.reconnect: to the same place where host is "" and port 0, after `wait` seconds."""

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
        return [self.host, self.port, _plain(self.wait)] if self.host or self.port or self.wait else []


@dataclass(frozen=True, slots=True)
class ShowMessage:
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


@dataclass(frozen=True, slots=True)
class Stop:
    """sparkminer.stop, of our extension: the hub's job has ended, don't come back."""

    METHOD: ClassVar[str] = "sparkminer.stop"
    reason: str

    @classmethod
    def parse(cls, params: Sequence[object]) -> Self:
        return cls(one_line(params[0]) if params else "")

    @property
    def params(self) -> list[object]:
        return [self.reason]


@dataclass(frozen=True, slots=True)
class Pause:
    """sparkminer.pause, of our extension: the hub lost its source, which tries again after so many seconds. Jobs so far
    are void; the next one ends the pause."""

    METHOD: ClassVar[str] = "sparkminer.pause"
    reason: str
    seconds: float

    @classmethod
    def parse(cls, params: Sequence[object]) -> Self:
        want(params, 2, cls.METHOD)
        return cls(one_line(params[0]), number(params[1], f"{cls.METHOD}: seconds", 1e9))

    @property
    def params(self) -> list[object]:
        return [self.reason, self.seconds]


FromServer = SetDifficulty | SetExtranonce | SetVersionMask | Notify | Reconnect | ShowMessage | Stop | Pause

# Methods without parameters

EXTRANONCE_SUBSCRIBE = "mining.extranonce.subscribe"
PING = "mining.ping"
GET_VERSION = "client.get_version"


def parse_job_id(value: object, method: str) -> str:
    """The id as text: some pools count their jobs in plain numbers."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 64:
        return str(value)
    return text(value, f"{method}: job id", 128)


def parse_difficulty(params: Sequence[object], method: str) -> float:
    want(params, 1, method)
    difficulty = number(params[0], f"{method}: difficulty")
    if difficulty == 0:
        raise ProtocolError(f"{method}: difficulty 0 means nothing")
    return difficulty


def parse_extranonce(extranonce1: object, size: object, method: str) -> tuple[bytes, int]:
    return (hex_bytes(extranonce1, f"{method}: extranonce1", 0, MAX_EXTRANONCE1),
            integer(size, f"{method}: extranonce2_size", 0, MAX_EXTRANONCE2))


def _session(details: object) -> str:
    """The session id in a subscription's details: a list of pairs, one flat pair, or nothing."""
    if not isinstance(details, list):
        return ""
    if len(details) == 2 and isinstance(details[0], str):
        return one_line(details[1], 128)
    pairs = [pair for pair in details[:16] if isinstance(pair, list) and len(pair) > 1]
    named = [pair for pair in pairs if pair[0] == Notify.METHOD] or pairs
    return one_line(named[0][1], 128) if named else ""


def _plain(value: float) -> int | float:
    """Whole numbers without ".0": some miners read them with an integer parser."""
    return int(value) if float(value).is_integer() and value < 1 << 53 else value

"""What a miner says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

from miner.core.model import MAX_EXTRANONCE2
from miner.core.text import one_line
from miner.stratum.fields import (
    MAX_NAME,
    hex_bytes,
    hex_u32,
    parse_difficulty,
    parse_job_id,
    plain,
    text,
    u32_hex,
    want,
)
from miner.stratum.message import Message


@dataclass(frozen=True, slots=True)
class Subscribe(Message):
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
class Authorize(Message):
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
class Submit(Message):
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
class SuggestDifficulty(Message):
    """mining.suggest_difficulty: what the miner would like."""

    METHOD: ClassVar[str] = "mining.suggest_difficulty"
    difficulty: float

    @classmethod
    def parse(cls, params: Sequence[object]) -> Self:
        return cls(parse_difficulty(params, cls.METHOD))

    @property
    def params(self) -> list[object]:
        return [plain(self.difficulty)]

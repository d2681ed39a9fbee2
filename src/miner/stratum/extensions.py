"""What a miner asks for with mining.configure: version rolling (BIP 310), and our own extension with its messages."""

import hmac
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import ClassVar, Self

from miner.core.errors import ProtocolError
from miner.core.model import MinerReport
from miner.core.text import one_line
from miner.stratum.fields import hex_bytes, hex_u32, integer, number, text, u32_hex, want
from miner.stratum.message import Message

EXTENSION = "sparkminer"  # ours: reports up to a hub; down, that it pauses, or that its job has ended
NONCE = f"{EXTENSION}.nonce"  # beside its being granted: what a login proves the token with, see `login_proof`
NO_BLOCK = "no block"  # in place of true, of a share that met the network target and was not handed up by the hub
ROLLING = "version-rolling"  # BIP 310's
ROLLING_MASK = f"{ROLLING}.mask"
VERSION_MASK = 0x1FFFE000  # the bits of a version that BIP 320 leaves to miners


@dataclass(frozen=True, slots=True)
class Configure(Message):
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
        settings = params[1] if len(params) > 1 and isinstance(params[1], dict) else {}
        return cls(tuple(text(name, f"{cls.METHOD}: extension", 64) for name in names), settings)

    @property
    def version_mask(self) -> int:
        """The bits of the version that the miner would choose, where it asks for version rolling: all of BIP 320's
        unless it says less. 0 where it doesn't ask."""
        if ROLLING not in self.extensions:
            return 0
        mask = hex_u32(self.settings.get(ROLLING_MASK, u32_hex(VERSION_MASK)), f"{self.METHOD}: {ROLLING_MASK}")
        return mask & VERSION_MASK

    @property
    def least_version_bits(self) -> int:
        """With fewer bits than these version rolling is of no use to the miner."""
        least = f"{ROLLING}.min-bit-count"
        return integer(self.settings.get(least, 0), f"{self.METHOD}: {least}", 0, 32)

    @property
    def params(self) -> list[object]:
        return [list(self.extensions), self.settings]


VERSION_ROLLING = Configure((ROLLING,), {ROLLING_MASK: u32_hex(VERSION_MASK), f"{ROLLING}.min-bit-count": 2})


def granted_version_mask(result: object) -> int | None:
    """The mask in the answer to VERSION_ROLLING; None where the pool doesn't grant it."""
    if not isinstance(result, dict) or result.get(ROLLING) is not True:
        return None
    return SetVersionMask.parse([result.get(ROLLING_MASK)]).mask


def granted_nonce(result: object) -> bytes | None:
    """The nonce in the answer to a mining.configure that asked for our extension; None where the extension is not
    granted, or comes without a nonce of 16 to 64 bytes."""
    if not isinstance(result, dict) or result.get(EXTENSION) is not True:
        return None
    try:
        return hex_bytes(result.get(NONCE), NONCE, 16, 64)
    except ProtocolError:
        return None


def login_proof(token: str, nonce: bytes, username: str) -> str:
    """The password of our extension's login: HMAC-SHA256 (RFC 2104) with the token as the key over the text
    "sparkminer login", the hub's nonce and the user name, in 64 hex digits. Whoever reads it on its way can't log in
    with it: the next connection has another nonce."""
    message = b"\0".join((b"sparkminer login", nonce.hex().encode(), username.encode("utf-8", "replace")))
    return hmac.digest(token.encode("utf-8", "replace"), message, "sha256").hex()


@dataclass(frozen=True, slots=True)
class SetVersionMask(Message):
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
class Report(Message):
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


@dataclass(frozen=True, slots=True)
class Stop(Message):
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
class Pause(Message):
    """sparkminer.pause, of our extension: the hub lost its source, which tries again after `seconds`. Jobs so far are
    void; the next one ends the pause."""

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

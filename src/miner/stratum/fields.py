"""Untrusted JSON values made into typed ones. Each function raises a ProtocolError that names the field."""

import binascii
import math
import re
from collections.abc import Sequence

from miner.core.errors import ProtocolError
from miner.core.model import MAX_EXTRANONCE2
from miner.core.text import one_line

MAX_EXTRANONCE1 = 32
MAX_NAME = 512

_HEX_U32 = re.compile(r"[0-9a-fA-F]{1,8}")
_DECIMAL = re.compile(r"\d{1,40}(\.\d{0,40})?([eE][+-]?\d{1,4})?")


def want(params: Sequence[object], least: int, method: str) -> None:
    """Raise ProtocolError where there are fewer than `least` parameters. What a pool adds after them is its affair."""
    if len(params) < least:
        raise ProtocolError(f"{method}: {len(params)} parameters, at least {least} expected")


def text(value: object, name: str, limit: int) -> str:
    """Up to `limit` printable characters."""
    if not isinstance(value, str) or len(value) > limit or not value.isprintable():
        raise ProtocolError(f"{name}: up to {limit} printable characters expected")
    return value


def hex_bytes(value: object, name: str, least: int = 0, most: int = 1 << 20) -> bytes:
    """From `least` to `most` bytes, written as hex digits in their own order."""
    try:
        data = binascii.unhexlify(value) if isinstance(value, str) else None
    except ValueError:
        data = None
    if data is None or not least <= len(data) <= most:
        size = f"{least}" if least == most else f"{least} to {most}"
        raise ProtocolError(f"{name}: {size} bytes in hex expected")
    return data


def hex_u32(value: object, name: str) -> int:
    """A uint32 as its hex digits are read, most significant first: version, nbits, ntime, nonce."""
    if not isinstance(value, str) or not _HEX_U32.fullmatch(value):
        raise ProtocolError(f"{name}: up to 8 hex digits expected")
    return int(value, 16)


def u32_hex(value: int) -> str:
    """A uint32 as 8 hex digits, most significant first."""
    return f"{value:08x}"


def integer(value: object, name: str, least: int, most: int) -> int:
    """A whole number; some pools send it as a string."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ProtocolError(f"{name}: a whole number from {least} to {most} expected{_instead(value)}")
    return value


def number(value: object, name: str, most: float = math.inf) -> float:
    """A finite number, not negative; also as a string."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = float(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            real = float(value)
        except OverflowError:
            real = math.inf
        if math.isfinite(real) and 0 <= real <= most:
            return real
    raise ProtocolError(f"{name}: a number from 0 expected{_instead(value)}")


def swap_words(data: bytes) -> bytes:
    """Each 4-byte word reversed: how stratum writes the previous hash, and back again."""
    return b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))


def parse_job_id(value: object, method: str) -> str:
    """The id as text: some pools count their jobs in plain numbers."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 64:
        return str(value)
    return text(value, f"{method}: job id", 128)


def parse_difficulty(params: Sequence[object], method: str) -> float:
    """The first parameter: a difficulty above 0, in the pool's scale."""
    want(params, 1, method)
    difficulty = number(params[0], f"{method}: difficulty")
    if difficulty == 0:
        raise ProtocolError(f"{method}: difficulty 0 means nothing")
    return difficulty


def parse_extranonce(extranonce1: object, size: object, method: str) -> tuple[bytes, int]:
    """An extranonce1, and the size of the extranonce2 in bytes."""
    return (hex_bytes(extranonce1, f"{method}: extranonce1", 0, MAX_EXTRANONCE1),
            integer(size, f"{method}: extranonce2_size", 0, MAX_EXTRANONCE2))


def plain(value: float) -> int | float:
    """Whole numbers without ".0": some miners read them with an integer parser."""
    return int(value) if float(value).is_integer() and value < 1 << 53 else value


def _instead(value: object) -> str:
    shown = one_line(value, 40)
    return f", not {shown}" if shown else ""

"""Lines of JSON: what stratum puts on the wire, bounded and checked, before any of it gets a meaning.

A message is one JSON object and a newline: JSON-RPC 1.0 with the liberties that pools take.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from miner.core.errors import ProtocolError
from miner.core.text import one_line

RequestId = int | float | str | None
_to_json = json.JSONEncoder(allow_nan=False).encode  # json.dumps makes an encoder for each message
_from_json = json.JSONDecoder().decode
MAX_ID = 128  # characters: the other side's ids are sent back


class LineBuffer:
    """Cuts a byte stream into lines. It holds up to `max_line` bytes if lines are taken out as they come."""

    __slots__ = ("max_line", "_buffer", "_searched", "_whole")

    def __init__(self, max_line: int) -> None:
        self.max_line = max_line
        self._buffer = bytearray()
        self._searched = 0  # no newline before this: a long line in many pieces is searched once
        self._whole = b""  # one line and its end, in place of all this, where no more than that has come: mostly so

    def feed(self, data: bytes) -> None:
        """Take more bytes of the stream."""
        if not self._buffer and not self._whole and 0 <= data.find(b"\n") == len(data) - 1 <= self.max_line:
            self._whole = data
            return
        if self._whole:
            self._buffer += self._whole
            self._whole = b""
        self._buffer += data

    @property
    def waiting(self) -> bool:
        """Whether there is a whole line to be taken out."""
        return bool(self._whole) or self._buffer.find(b"\n", self._searched) >= 0

    @property
    def head(self) -> bytes:
        """The first bytes (up to 4096) of what was not taken out yet."""
        return self._whole[:4096] or bytes(self._buffer[:4096])

    def next_line(self) -> bytes | None:
        """The next line that isn't blank, without its end; None until more bytes come.
        Raises ProtocolError when a line gets too long."""
        if self._whole:
            line, self._whole = self._whole.strip(), b""
            return line or None
        if not self._buffer:
            return None
        while (end := self._buffer.find(b"\n", self._searched)) >= 0:
            if end > self.max_line:
                break
            line = bytes(self._buffer[:end]).strip()
            del self._buffer[: end + 1]
            self._searched = 0
            if line:
                return line
        if end < 0:
            self._searched = len(self._buffer)
        if len(self._buffer) > self.max_line:
            self._buffer.clear()
            self._searched = 0
            raise ProtocolError(f"a line is longer than {self.max_line} bytes")
        return None


@dataclass(frozen=True, slots=True)
class Request:
    """A call, or a notification where `id` is None (pools also put ids on notifications that want no answer)."""

    id: RequestId
    method: str
    params: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class RpcError:
    """Why a request failed: the code (0 where there was none) and the other side's words, cut to a line."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request. `id` is a number again where a pool made a string of it."""

    id: RequestId
    result: object
    error: RpcError | None


def decode(line: bytes) -> Request | Response:
    """Read one line. Raises ProtocolError when it is no JSON object of either kind."""
    try:
        message = _from_json(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise ProtocolError("a line is not UTF-8") from None
    except RecursionError:
        raise ProtocolError("a line is nested too deep") from None
    except ValueError:
        raise ProtocolError("a line is not JSON") from None
    if not isinstance(message, dict):
        raise ProtocolError("a line is JSON, but no object")
    if message.get("method"):  # "" and null beside a result are found in the answers of some pools
        return _request(message)
    if "result" in message or "error" in message:
        return Response(_answered_id(message.get("id")), message.get("result"), _error(message))
    raise ProtocolError("a message has neither method nor result")


def encode_request(request_id: RequestId, method: str, params: Sequence[object]) -> bytes:
    """A call as one line, its end included; a notification where the id is None."""
    return _encode({"id": request_id, "method": method, "params": params})


def encode_response(request_id: RequestId, result: object, error: RpcError | None = None) -> bytes:
    """The answer to a call as one line, its end included."""
    if result is True and error is None and type(request_id) is int:  # a share that counts: most of what a server says
        return b'{"id": %d, "result": true, "error": null}\n' % request_id
    return _encode({"id": request_id, "result": result, "error": [error.code, error.text, None] if error else None})


def _encode(message: dict[str, object]) -> bytes:
    return _to_json(message).encode("ascii") + b"\n"


def _request(message: dict[str, object]) -> Request:
    method, params, request_id = message["method"], message.get("params"), message.get("id")
    if not isinstance(method, str):
        raise ProtocolError("a message's method is no string")
    if params is None or params == {}:
        params = []
    if not isinstance(params, list):
        raise ProtocolError(f"{one_line(method, 64)}: params is no list")
    return Request(_checked_id(request_id), method, tuple(params))


def _checked_id(value: object) -> RequestId:
    """An id that may be sent back: JSON of a bounded length."""
    match value:
        case None:
            return None
        case str() if len(value) <= MAX_ID:
            return value
        case int() if abs(value) < 1 << 64:
            return value
        case float() if math.isfinite(value):
            return value
    raise ProtocolError("a message's id is no number or short string")


def _answered_id(value: object) -> RequestId:
    """Our ids are whole numbers: `"3"` and `3.0` mean 3."""
    value = _checked_id(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _error(message: dict[str, object]) -> RpcError | None:
    """The error in any of the shapes that pools give it: [code, text, data], [code, text], {code, message}, text,
    number; or, beside an empty error, `reject-reason`. None where all of them are empty."""
    error = message.get("error") or message.get("reject-reason")
    if not error:
        return None
    match error:
        case [int() as code, text, *_]:
            return RpcError(_code(code), one_line(text))
        case {"code": int() as code, **rest}:
            return RpcError(_code(code), one_line(rest.get("message", "")))
        case {"message": text} | [str() as text, *_] | (str() as text):
            return RpcError(0, one_line(text))
        case int() as code if code is not True:
            return RpcError(_code(code), "")
        case _:
            return RpcError(0, "")


def _code(code: int) -> int:
    return code if abs(code) < 1 << 31 else 0

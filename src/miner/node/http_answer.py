"""Where an HTTP answer ends on a connection that stays open, and its parts. Pure: no socket, no clock.

Source: RFC 9112 (HTTP/1.1: status line, header fields, chunked coding, persistence).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from miner.core.errors import ProtocolError
from miner.wrong_door import Speech, WrongDoorError, speech_of

MAX_ANSWER_SIZE = 64 << 20  # a full 4 MB block is 8 MB of hexadecimal digits in a template

_MAX_HEAD_SIZE = 1 << 16
_MAX_LINE_SIZE = 1 << 10  # of a chunk's size
_PIECE = 1 << 16  # bytes from which on a piece of a body is left as it is: one that grows is copied again and again
_START = b"HTTP/1."
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(r"HTTP/1\.([01]) (\d{3})(?: (.*))?")


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. `headers` has its fields with names in lower case; `kept`: the server leaves the connection
    open for another request. The body comes in `pieces`: to join megabytes takes time that an event loop hasn't."""

    status: int
    reason: str
    headers: Mapping[str, str]
    pieces: Sequence[bytes | bytearray]
    kept: bool

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return sum(map(len, self.pieces))

    def body(self, most: int | None = None) -> bytes:
        """The whole body, or its first `most` bytes."""
        if most is None:
            return b"".join(self.pieces)
        return b"".join(self.pieces[:-(-most // _PIECE)])[:most]  # each piece but the last has _PIECE bytes or more


class AnswerParser:
    """Takes the bytes that follow one request, in pieces as they come, until they are an answer."""

    def __init__(self) -> None:
        self._buffer = bytearray()  # received, and not yet part of the body
        self._pieces: list[bytearray] = []  # of the body
        self._size = 0  # bytes of the body
        self._head: tuple[int, int, str, dict[str, str]] | None = None  # HTTP/1's minor version, status, reason, fields
        self._left: int | None = None  # bytes until the end of the body, or of its chunk; None: not known
        self._chunked = self._trailer = False
        self.begun = False  # something was received

    def feed(self, data: bytes) -> Answer | None:
        """The answer, if `data` completes it. Raises ProtocolError for what is no HTTP, or longer than any answer:
        WrongDoorError where it is stratum or TLS."""
        self.begun = True
        self._buffer += data
        _check_size(self._size + len(self._buffer))
        if self._head is None and not self._read_head():
            return None
        return self._answer() if (self._read_chunks() if self._chunked else self._read_body()) else None

    def end(self) -> Answer:
        """The answer that the end of the connection completes. Raises ConnectionError if it does not."""
        if not self.begun:
            raise ConnectionError("the connection was closed without an answer")
        if self._head is None or self._chunked or self._left is not None:
            raise ConnectionError("the connection was closed in the middle of an answer")
        return self._answer()

    def _read_head(self) -> bool:
        while self._head is None:
            if not self._buffer.startswith(_START[:len(self._buffer)]):
                speech = speech_of(self._buffer)
                if speech is not None and speech is not Speech.HTTP:
                    raise WrongDoorError(speech)
                raise ProtocolError("the answer is no HTTP")
            end = _END_OF_HEAD.search(self._buffer, 0, _MAX_HEAD_SIZE)
            if end is None:
                if len(self._buffer) > _MAX_HEAD_SIZE:
                    raise ProtocolError("the answer is no HTTP: its header has no end")
                return False
            head = self._buffer[:end.start()].decode("latin-1")
            del self._buffer[:end.end()]
            self._take_head(*head.replace("\r\n", "\n").split("\n"))
        return True

    def _take_head(self, status_line: str, *lines: str) -> None:
        match = _STATUS_LINE.fullmatch(status_line)
        if match is None:
            raise ProtocolError("the answer is no HTTP: its status line makes no sense")
        minor, status, reason = int(match[1]), int(match[2]), match[3] or ""
        if 100 <= status < 200:
            return  # the answer is still to come
        fields: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if colon:
                fields[name.strip().lower()] = value.strip()
        self._head = minor, status, reason, fields
        self._chunked = "chunked" in fields.get("transfer-encoding", "").lower()
        length = fields.get("content-length")
        if self._chunked or (length is None and status not in (204, 304)):
            return
        if not re.fullmatch(r"\d{1,99}", length or "0", re.ASCII):
            raise ProtocolError("the answer is no HTTP: its length makes no sense")
        self._left = int(length or 0)
        _check_size(self._left)

    def _read_body(self) -> bool:
        taken = len(self._buffer) if self._left is None else min(self._left, len(self._buffer))
        self._take_body(taken)
        if self._left is None:
            return False
        self._left -= taken
        return not self._left

    def _take_body(self, size: int) -> None:
        if not self._pieces or len(self._pieces[-1]) >= _PIECE:
            self._pieces.append(bytearray())
        self._pieces[-1] += self._buffer[:size]
        self._size += size
        del self._buffer[:size]

    def _read_chunks(self) -> bool:
        """Each chunk is a line with its size, that many bytes, and an empty line; the last has none, and fields may
        follow it."""
        while True:
            if self._left:
                taken = min(self._left, len(self._buffer))
                self._take_body(taken)
                self._left -= taken
                if self._left:
                    return False
            end = self._buffer.find(b"\n", 0, _MAX_LINE_SIZE)
            if end < 0:
                if len(self._buffer) >= _MAX_LINE_SIZE:
                    raise ProtocolError("the answer is no HTTP: a chunk has no size")
                return False
            line = bytes(self._buffer[:end]).strip()
            del self._buffer[:end + 1]
            if self._trailer:
                if not line:
                    return True
            elif self._left == 0:  # the line that ends a chunk
                self._left = None
            else:
                size = re.match(rb"[0-9A-Fa-f]{1,8}(?=$|[; \t])", line)
                if size is None:
                    raise ProtocolError("the answer is no HTTP: a chunk's size makes no sense")
                self._left = int(size[0], 16) or None
                self._trailer = self._left is None

    def _answer(self) -> Answer:
        assert self._head is not None
        minor, status, reason, fields = self._head
        wish = fields.get("connection", "").lower()
        ends_itself = self._chunked or self._left is not None
        kept = ends_itself and not self._buffer and ("close" not in wish if minor else "keep-alive" in wish)
        return Answer(status, reason, fields, self._pieces, kept)


def _check_size(size: int) -> None:
    if size > MAX_ANSWER_SIZE:
        raise ProtocolError(f"the answer is longer than {MAX_ANSWER_SIZE >> 20} MiB")

"""Calls to a node: JSON-RPC over HTTP on a connection of its own each, with asyncio, so that any of them can be dropped
at once, even a long poll that has been silent for minutes."""

import asyncio
import copy
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from miner.core.errors import ProtocolError, UsageError
from miner.core.source import Traffic
from miner.net import Route
from miner.node.jsonrpc import (
    MAX_ANSWER_SIZE,
    JsonRpcError,
    Reply,
    basic_authorization,
    decode_answer,
    encode_request,
)
from miner.node.refusals import WARMING_UP

_CHUNK = 1 << 16
_MAX_TOLD = 1 << 14  # bytes of a message that are shown
_MAX_CALL_SECONDS = 60.0  # a node that needs longer for an answer is not well
_ATTEMPTS = 3
_ATTEMPT_PAUSE = 1.0


class NodeRpc:
    """One node's RPC interface. `label` is its URL without credentials; they appear nowhere else either. `patience`:
    the most seconds for an answer; `extensions`: those to getwork that we know; `on_traffic`: told what is said."""

    def __init__(self, url: str, username: str = "", password: str = "", *, route: Route | None = None,
                 patience: float = _MAX_CALL_SECONDS, extensions: str = "",
                 on_traffic: Callable[[Traffic], None] | None = None) -> None:
        parts = _split(url)
        self._aim(parts)
        self._route = route or Route()
        username, password = username or unquote(parts.username or ""), password or unquote(parts.password or "")
        self._authorization = basic_authorization(username, password) if username or password else ""
        self._patience = min(patience, _MAX_CALL_SECONDS)
        self._extensions = extensions
        self._on_traffic = on_traffic
        self._count = 0

    def _aim(self, parts: SplitResult) -> None:
        assert parts.hostname is not None
        self._host = parts.hostname
        self._tls = parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._netloc = parts.netloc.rpartition("@")[2]
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.label = f"{parts.scheme}://{self._netloc}{self._path}"

    def at(self, url: str) -> "NodeRpc":
        """The same server at another URL, which may have a query: same credentials, same route to it."""
        other = copy.copy(self)
        other._aim(_split(url, query=True))
        return other

    async def call(self, method: str, *params: object) -> Any:
        """The node's result. Raises JsonRpcError, HttpError, ProtocolError, or OSError (TimeoutError among them)."""
        return (await self.exchange(method, *params)).result

    async def exchange(self, method: str, *params: object, patient: bool = False) -> Reply:
        """The same with the answer's headers. `patient`: wait without end, for a long poll."""
        self._count += 1
        request_id = self._count
        request = encode_request(self._netloc, self._path, self._authorization, request_id, method, params,
                                 self._extensions)
        self._tell(True, request)
        async with asyncio.timeout(None if patient else self._patience):
            answer = await self._talk(request)
        self._tell(False, answer)
        return decode_answer(answer, request_id)

    def _tell(self, sent: bool, message: bytes) -> None:
        """The body alone: among the headers are credentials."""
        if self._on_traffic:
            body = message.partition(b"\r\n\r\n")[2][:_MAX_TOLD]
            self._on_traffic(Traffic(sent, body.decode("utf-8", "replace")))

    async def insist(self, method: str, *params: object) -> tuple[Reply, bool]:
        """Hand something in that must not get lost: try again when the answer stays out. Returns what the node says,
        and whether it may have heard it before."""
        for attempt in range(_ATTEMPTS - 1):
            try:
                return await self.exchange(method, *params), attempt > 0
            except JsonRpcError as error:
                if error.code != WARMING_UP:
                    raise
            except OSError:
                pass
            await asyncio.sleep(_ATTEMPT_PAUSE)
        return await self.exchange(method, *params), True

    async def _talk(self, request: bytes) -> bytes:
        reader, writer = await self._route.open(self._host, self._port, tls=self._tls)
        try:
            writer.write(request)
            await writer.drain()
            answer = bytearray()
            while chunk := await reader.read(_CHUNK):
                answer += chunk
                if len(answer) > MAX_ANSWER_SIZE:
                    raise ProtocolError(f"the answer is longer than {MAX_ANSWER_SIZE >> 20} MiB")
            return bytes(answer)
        finally:
            writer.transport.abort()  # nothing is left to say, and nothing to wait for


def _split(url: str, *, query: bool = False) -> SplitResult:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")  # what a resolver would choke on later
        valid = parts.scheme in ("http", "https") and host and parts.port != 0
    except ValueError:
        valid = False
    rest = parts.path + parts.query if valid else ""
    if not valid or (parts.query and not query) or parts.fragment or not rest.isprintable() or " " in rest:
        raise UsageError("the node's URL does not parse: use http://HOST:PORT/ or https://HOST:PORT/")
    return parts

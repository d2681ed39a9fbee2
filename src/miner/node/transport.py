"""Calls to a node: JSON-RPC over HTTP on a connection of its own each, with asyncio, so that any of them can be dropped
at once, even a long poll that has been silent for minutes."""

import asyncio
import ssl
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from miner.core.errors import ProtocolError, UsageError
from miner.node.jsonrpc import MAX_ANSWER_SIZE, basic_authorization, decode_answer, encode_request

_CHUNK = 1 << 16


class NodeRpc:
    """One node's RPC interface. `label` is its URL without credentials; they appear nowhere else either."""

    def __init__(self, url: str, username: str = "", password: str = "") -> None:
        parts = _split(url)
        assert parts.hostname is not None
        self._host = parts.hostname
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._netloc = parts.netloc.rpartition("@")[2]
        self._path = parts.path or "/"
        username, password = username or unquote(parts.username or ""), password or unquote(parts.password or "")
        self._authorization = basic_authorization(username, password) if username or password else ""
        self._count = 0
        self.label = f"{parts.scheme}://{self._netloc}{self._path}"

    async def call(self, method: str, *params: object, timeout: float | None) -> Any:
        """The node's result. Raises JsonRpcError, HttpError, ProtocolError, or OSError (TimeoutError among them)."""
        self._count += 1
        request = encode_request(self._netloc, self._path, self._authorization, self._count, method, params)
        request_id = self._count
        async with asyncio.timeout(timeout):
            return decode_answer(await self._exchange(request), request_id)

    async def _exchange(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
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


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")  # what a resolver would choke on later
        valid = parts.scheme in ("http", "https") and host and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment or not parts.path.isprintable() or " " in parts.path:
        raise UsageError("the node's URL does not parse: use http://HOST:PORT/ or https://HOST:PORT/")
    return parts

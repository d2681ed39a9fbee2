"""Calls to a node: JSON-RPC over HTTP, with asyncio."""

import asyncio
import copy
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from miner.core.errors import UsageError
from miner.core.source import Traffic
from miner.loop import in_thread
from miner.net import Route, is_no_tls
from miner.node.connections import Connections
from miner.node.credentials import Credentials
from miner.node.jsonrpc import HttpError, Reply, decode_answer, encode_request
from miner.wrong_door import Speech, WrongDoorError

_MAX_TOLD = 1 << 14  # bytes of a message that are shown
_MAX_CALL_SECONDS = 60.0  # a node that needs longer for an answer is not well
_MUCH = 1 << 16  # bytes: more than that are read and written on another thread

Result = TypeVar("Result")


class NodeRpc:
    """One node's RPC interface. `label` is its URL without credentials, which are not shown anywhere else either;
    `by_cookie`: they come from the node's cookie."""

    def __init__(self, url: str, username: str = "", password: str = "", *, cookie_file: str = "",
                 cookie_setting: str = "cookie_file", route: Route | None = None,
                 patience: float = _MAX_CALL_SECONDS, extensions: str = "",
                 on_traffic: Callable[[Traffic], None] | None = None) -> None:
        """Nothing is sent yet.

        cookie_file     in place of user and password: see Credentials; `cookie_setting` is what errors call it
        patience        the most seconds for an answer
        extensions      those to getwork that we know
        on_traffic      is told what is said, both ways
        Raises UsageError for a URL that does not parse, or a cookie whose folder doesn't exist.
        """
        parts = _split(url)
        self._route = route or Route()
        self._aim(parts)
        username, password = username or unquote(parts.username or ""), password or unquote(parts.password or "")
        self._credentials = Credentials(username, password, cookie_file, setting=cookie_setting)
        self._patience = min(patience, _MAX_CALL_SECONDS)
        self._extensions = extensions
        self._on_traffic = on_traffic
        self._count = 0
        self.by_cookie = bool(cookie_file)

    def _aim(self, parts: SplitResult) -> None:
        assert parts.hostname is not None
        self._elsewhere: tuple[str, NodeRpc] | None = None
        tls = parts.scheme == "https"
        self._connections = Connections(self._route, parts.hostname, parts.port or (443 if tls else 80), tls=tls)
        self._netloc = parts.netloc.rpartition("@")[2]
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.label = f"{parts.scheme}://{self._netloc}{self._path}"

    def at(self, url: str) -> "NodeRpc":
        """The server at another URL, which may have a query, with these credentials and this route to it. One other URL
        at a time: it is let go of when a further one is asked for. Raises UsageError for a URL that does not parse."""
        if self._elsewhere is None or self._elsewhere[0] != url:
            other = copy.copy(self)
            other._aim(_split(url, query=True))
            self._let_go_of_elsewhere()
            self._elsewhere = url, other
        return self._elsewhere[1]

    def close(self) -> None:
        """Let go of the connections that rest. Calls go on to work."""
        self._connections.close()
        self._let_go_of_elsewhere()

    def _let_go_of_elsewhere(self) -> None:
        if self._elsewhere is not None:
            self._elsewhere[1].close()
        self._elsewhere = None

    async def wrong_door(self, error: OSError) -> WrongDoorError | None:
        """What is wrong where a call raised `error` because the server answered TLS with something else, or hung up: it
        is asked on another connection what it speaks. None where that is what the URL says, or stays unclear."""
        hung_up = isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError)
        if not hung_up and not is_no_tls(error):
            return None
        speech = await self._route.speech_at(self._connections.host, self._connections.port)
        if is_no_tls(error):
            speech = speech or Speech.HTTP
        ours = Speech.TLS if self._connections.tls else Speech.HTTP
        return None if speech is None or speech is ours else WrongDoorError(speech)

    async def call(self, method: str, *params: object) -> Any:
        """The node's result. Raises JsonRpcError, HttpError, ProtocolError, or OSError (TimeoutError among them)."""
        return (await self.exchange(method, *params)).result

    async def exchange(self, method: str, *params: object, patient: bool = False,
                       parse: Callable[[Any], Any] | None = None) -> Reply:
        """The node's result with the headers around it; `bytes` among the parameters stand for their hexadecimal
        digits. `patient`: wait without end, for a long poll. `parse` is called with the result and takes its place in
        the reply; where that is large, on another thread. Raises JsonRpcError, HttpError, ProtocolError, or OSError
        (TimeoutError among them), and what `parse` does."""
        async with asyncio.timeout(None if patient else self._patience):
            try:
                return await self._exchange(method, params, parse)
            except HttpError as error:
                if error.status != 401 or not await self._credentials.renew():
                    raise
            return await self._exchange(method, params, parse)

    async def _exchange(self, method: str, params: tuple[object, ...], parse: Callable[[Any], Any] | None) -> Reply:
        self._count += 1
        request_id = self._count
        authorization = await self._credentials.authorization()
        request = await _aside(_size(params), encode_request, self._netloc, self._path, authorization, request_id,
                               method, params, self._extensions)
        if self._on_traffic:
            self._tell(True, request[request.index(b"\r\n\r\n") + 4:][:_MAX_TOLD])  # the head holds credentials
        answer, again = await self._connections.ask(request)
        self._tell(False, answer.body(_MAX_TOLD))
        return await _aside(answer.size, decode_answer, answer, request_id, again, parse)

    def _tell(self, sent: bool, body: bytes | bytearray) -> None:
        if self._on_traffic:
            self._on_traffic(Traffic(sent, body.decode("utf-8", "replace")))


async def _aside(size: int, function: Callable[..., Result], *arguments: Any) -> Result:
    """Call `function`, which works on `size` bytes: on another thread where the event loop would stand still."""
    return await in_thread(function, *arguments) if size > _MUCH else function(*arguments)


def _size(value: object) -> int:
    """Bytes of what is large among the parameters of a call."""
    match value:
        case bytes():
            return len(value)
        case dict():
            return sum(map(_size, value.values()))
        case tuple() | list():
            return sum(map(_size, value))
    return 0


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

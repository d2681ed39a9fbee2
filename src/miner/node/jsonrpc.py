"""JSON-RPC as nodes speak it: the bytes of requests and answers over HTTP. Pure: no socket, no clock.

Sources: JSON-RPC 1.0 and 2.0, RFC 9110 and 9112 (HTTP/1.1), RFC 7617 (basic authentication).
"""

import base64
import http.client
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from miner.core.errors import MinerError, ProtocolError
from miner.core.text import one_line

MAX_ANSWER_SIZE = 64 << 20  # a full 4 MB block is 8 MB of hexadecimal digits in a template

_MAX_TEXT = 300


class JsonRpcError(MinerError):
    """The node understood and said no. `code` and `message` are its own."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} (error {code})")
        self.code = code
        self.message = message


class HttpError(MinerError):
    """An answer that is no JSON-RPC: a proxy's or the node's own HTTP status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"HTTP status {status} {reason}".rstrip())
        self.status = status


def basic_authorization(username: str, password: str) -> str:
    """The value of the Authorization header."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode(errors="surrogateescape")).decode()


def encode_request(host: str, path: str, authorization: str, request_id: int, method: str,
                   params: tuple[object, ...], extensions: str = "") -> bytes:
    """One call as one HTTP request; the connection is to be closed after the answer. `extensions` to getwork that we
    know are said in a header of their own."""
    body = json.dumps({"jsonrpc": "1.0", "id": request_id, "method": method, "params": params}).encode()
    head = [f"POST {path} HTTP/1.1", f"Host: {host}", "Connection: close", "Accept: application/json",
            "Content-Type: application/json", f"Content-Length: {len(body)}"]
    if authorization:
        head.append(f"Authorization: {authorization}")
    if extensions:
        head.append(f"X-Mining-Extensions: {extensions}")
    return "\r\n".join([*head, "", ""]).encode() + body


@dataclass(frozen=True, slots=True)
class Reply:
    """A call's result, and the HTTP headers around it, names in lower case."""

    result: Any
    headers: Mapping[str, str]


def decode_answer(data: bytes, request_id: int) -> Reply:
    """What an HTTP answer says, given from its first byte to the connection's end.

    Raises JsonRpcError for the node's refusal, HttpError for another HTTP status, ConnectionError when it is cut off,
    ProtocolError for anything else.
    """
    if not data:
        raise ConnectionError("the connection was closed without an answer")
    response = http.client.HTTPResponse(cast(Any, _Received(data)), method="POST")
    try:
        response.begin()
        body = response.read()
    except http.client.IncompleteRead:
        raise ConnectionError("the connection was closed in the middle of an answer") from None
    except (http.client.HTTPException, ValueError, OverflowError) as error:  # the latter for a length of 30 digits
        raise ProtocolError(f"the answer is no HTTP ({type(error).__name__})") from None
    if response.status in (401, 403):  # whatever the body says
        raise HttpError(response.status, one_line(response.reason))
    try:
        answer = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        if response.status != 200:
            raise HttpError(response.status, one_line(response.reason)) from None
        raise ProtocolError("the answer is no JSON: is this really a node's RPC port?") from None
    return Reply(_result(answer, request_id, response.status),
                 {name.lower(): value for name, value in response.getheaders()})


def _result(answer: object, request_id: int, status: int) -> Any:
    if not isinstance(answer, dict):
        raise ProtocolError("the answer is no JSON-RPC object")
    error = answer.get("error")
    if error is not None:
        code, words = (error.get("code"), error.get("message")) if isinstance(error, dict) else (0, error)
        raise JsonRpcError(code if type(code) is int and abs(code) < 1 << 31 else 0,
                           one_line(words) or "no message")
    if status != 200:
        raise HttpError(status, "")
    if "result" not in answer:
        raise ProtocolError("the answer has neither a result nor an error")
    if answer.get("id") != request_id:
        raise ProtocolError("the answer belongs to another request")
    return answer["result"]


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


class _Received:
    """What http.client reads an answer from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)

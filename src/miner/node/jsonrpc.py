"""JSON-RPC as nodes speak it: the bytes of requests and answers over HTTP. Pure: no socket, no clock.

Sources: JSON-RPC 1.0 and 2.0, RFC 9110 and 9112 (HTTP/1.1), RFC 7617 (basic authentication).
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from miner.core.errors import MinerError, ProtocolError
from miner.core.text import one_line
from miner.node.http_answer import Answer
from miner.wrong_door import Speech, WrongDoorError, speech_in_page, speech_of

_MAX_TEXT = 4096  # bytes of a body that are looked at for words
_HEX_STEP = 1 << 18  # bytes


class JsonRpcError(MinerError):
    """The node understood and said no. `code` and `message` are its own; `status` is that of the HTTP answer."""

    def __init__(self, code: int, message: str, status: int = 500) -> None:
        super().__init__(f"{message} (error {code})")
        self.code = code
        self.message = message
        self.status = status


class HttpError(MinerError):
    """An answer that is no JSON-RPC: a proxy's or the node's own HTTP status. `text`: what its body says, one line."""

    def __init__(self, status: int, reason: str, text: str = "") -> None:
        said = f"HTTP status {status} {reason}".rstrip()
        super().__init__(f"{said}: {text}" if text else said)
        self.status = status


def basic_authorization(username: str, password: str) -> str:
    """The value of the Authorization header."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode(errors="surrogateescape")).decode()


def encode_request(host: str, path: str, authorization: str, request_id: int, method: str,
                   params: tuple[object, ...], extensions: str = "") -> bytes:
    """One call as one HTTP request, which leaves the connection open. Among the parameters, `bytes` stand for their
    hexadecimal digits. `extensions`: those to getwork that we know, said in a header of their own."""
    body = _json({"jsonrpc": "1.0", "id": request_id, "method": method, "params": list(params)})
    head = [f"POST {path} HTTP/1.1", f"Host: {host}", "Accept: application/json",
            "Content-Type: application/json", f"Content-Length: {len(body)}"]
    if authorization:
        head.append(f"Authorization: {authorization}")
    if extensions:
        head.append(f"X-Mining-Extensions: {extensions}")
    return "\r\n".join([*head, "", ""]).encode() + body


def _json(value: object) -> bytes:
    """A block's megabytes are made into digits piece by piece: other threads get their turn in between, and the json
    module doesn't look at each of them."""
    match value:
        case bytes():
            pieces = (value[start:start + _HEX_STEP] for start in range(0, len(value), _HEX_STEP))
            return b'"' + b"".join([binascii.hexlify(piece) for piece in pieces]) + b'"'
        case dict():
            return b"{" + b", ".join([_json(key) + b": " + _json(member) for key, member in value.items()]) + b"}"
        case list():
            return b"[" + b", ".join([_json(member) for member in value]) + b"]"
        case _:
            return json.dumps(value).encode()


@dataclass(frozen=True, slots=True)
class Reply:
    """A call's result, or what was made of it, and the HTTP headers around it, names in lower case. `again`: the node
    may have heard the call before, and its answer to that was lost."""

    result: Any
    headers: Mapping[str, str]
    again: bool = False


def decode_answer(answer: Answer, request_id: int, again: bool = False,
                  parse: Callable[[Any], Any] | None = None) -> Reply:
    """What an HTTP answer to the call `request_id` says; `parse` makes something of the result. Raises JsonRpcError for
    the node's refusal, HttpError for another HTTP status, WrongDoorError where the server says that this port is not
    for HTTP, ProtocolError for anything else, and what `parse` does."""
    if answer.status in (401, 403):  # whatever the body says
        raise HttpError(answer.status, one_line(answer.reason))
    body = answer.body()
    try:
        decoded = json.loads(body, parse_constant=_refuse_constant, object_hook=_let_others_run)
    except (ValueError, RecursionError):
        if speech := speech_in_page(body[:_MAX_TEXT]):
            raise WrongDoorError(speech) from None
        if speech_of(body[:_MAX_TEXT]) is Speech.HTTP and _is_web_page(answer.status):
            page = HttpError(answer.status, one_line(answer.reason), _words(body))
            raise ProtocolError(f"a web page ({page}) and no answer of a node: is this really a node's RPC port, "
                                "and its path?") from None
        if answer.status != 200:
            raise HttpError(answer.status, one_line(answer.reason), _words(body)) from None
        raise ProtocolError("the answer is no JSON: is this really a node's RPC port?") from None
    result = _result(decoded, request_id, answer.status)
    return Reply(parse(result) if parse else result, answer.headers, again)


def _is_web_page(status: int) -> bool:
    """Whether a page with this HTTP status comes from a web server that knows no node, and not from one that stands
    before a node and can't reach it, nor from the node itself."""
    return status in (200, 404, 405, 501) or 300 <= status < 400


def _words(body: bytes | bytearray) -> str:
    """What a person would read of a body that is text or a web page."""
    text = body[:_MAX_TEXT].decode("utf-8", "replace")
    text = re.sub(r"(?is)<(style|script|title)\b.*?</\1\s*>|<[^>]*>?", " ", text)
    return one_line(" ".join(text.split()))


def _result(answer: object, request_id: int, status: int) -> Any:
    if not isinstance(answer, dict):
        raise ProtocolError("the answer is no JSON-RPC object")
    error = answer.get("error")
    if error is not None:
        code, words = (error.get("code"), error.get("message")) if isinstance(error, dict) else (0, error)
        raise JsonRpcError(code if type(code) is int and abs(code) < 1 << 31 else 0,
                           one_line(words) or "no message", status)
    if status != 200:
        raise HttpError(status, "")
    if "result" not in answer:
        raise ProtocolError("the answer has neither a result nor an error")
    if answer.get("id") != request_id:
        raise ProtocolError("the answer belongs to another request")
    return answer["result"]


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def _let_others_run(members: dict[str, object]) -> dict[str, object]:
    """Python's other threads get their turn only between calls of Python functions, and none happens while the json
    module goes through a template of megabytes."""
    return members

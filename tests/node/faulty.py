"""A server that answers JSON-RPC as the test tells it, for faults that a real node won't produce on demand, and for
nodes whose programs can't be had: then it repeats what they said when they were recorded."""

import json
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from node.http_server import HttpServer

Answer = bytes | None | Callable[[list[Any]], Awaitable[bytes | None]]


def ok(result: object) -> bytes:
    return http(json.dumps({"result": result, "error": None, "id": 0}))


def refusal(code: int, message: str) -> bytes:
    return http(json.dumps({"result": None, "error": {"code": code, "message": message}, "id": 0}),
                "500 Internal Server Error")


def http(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body.encode())}\r\n\r\n{body}".encode()


class ScriptedNode(HttpServer):
    """Answers by method. `answers` maps a method to its next answer: bytes, sent as they are (but an `"id": 0` at their
    end becomes the request's id), or a coroutine function of the params. Of a list each answer is given once, its last
    one for ever. None and b"" close the connection without a word. `calls` has the methods and params so far, `paths`
    their paths. A getblocktemplate that proposes a block is the method "proposal", and accepted unless `answers` says
    otherwise."""

    def __init__(self, answers: dict[str, Any], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls=tls)
        self._answers: dict[str, list[Answer]] = {}
        for method, said in answers.items():
            self.answers(method, said)
        self.calls: list[tuple[str, list[Any]]] = []
        self.paths: list[str] = []

    def answers(self, method: str, said: Any) -> None:
        """What is said from now on."""
        self._answers[method] = list(said) if isinstance(said, list) else [said]

    def count(self, method: str) -> int:
        return sum(called == method for called, _ in self.calls)

    async def respond(self, head: str, body: bytes) -> bytes:
        request = json.loads(body)
        method, params = request["method"], request["params"]
        if method == "getblocktemplate" and params[0].get("mode") == "proposal":
            method = "proposal"
        self.calls.append((method, params))
        self.paths.append(head.split()[1])
        return _with_id(await self._answer(method, params) or b"", request["id"])

    async def _answer(self, method: str, params: list[Any]) -> bytes | None:
        said = self._answers.get(method)
        if said is None and method == "proposal":
            return ok(None)
        if said is None:
            return refusal(-32601, "Method not found")
        answer = said.pop(0) if len(said) > 1 else said[0]
        return await answer(params) if callable(answer) else answer


def _with_id(answer: bytes, request_id: int) -> bytes:
    head, blank, body = answer.partition(b"\r\n\r\n")
    if not body.endswith(b'"id": 0}'):
        return answer
    body = body[:-2] + f"{request_id}}}".encode()
    lines = [f"Content-Length: {len(body)}".encode() if line.startswith(b"Content-Length") else line
             for line in head.split(b"\r\n")]
    return b"\r\n".join(lines) + blank + body

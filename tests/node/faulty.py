"""A server that answers JSON-RPC as the test tells it, for faults that a real node won't produce on demand, and for
nodes whose programs can't be had: then it repeats what they said when they were recorded."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

Answer = bytes | None | Callable[[list[Any]], Awaitable[bytes | None]]


def ok(result: object) -> bytes:
    return http(json.dumps({"result": result, "error": None, "id": 0}))


def refusal(code: int, message: str) -> bytes:
    return http(json.dumps({"result": None, "error": {"code": code, "message": message}, "id": 0}),
                "500 Internal Server Error")


def http(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len(body.encode())}\r\n\r\n{body}".encode()


class ScriptedNode:
    """`answers` maps a method to what is said next: bytes as they stand, but for `"id": 0` at their end, which becomes
    the request's own, or a coroutine function of the params. A list of either is used up one by one, its last for
    ever. None and b"" close the connection without a word. `calls` has what was asked, `paths` where. A
    getblocktemplate that proposes a block is a method "proposal" of its own, and welcome unless told otherwise."""

    def __init__(self, answers: dict[str, Any], tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._answers: dict[str, list[Answer]] = {}
        for method, said in answers.items():
            self.answers(method, said)
        self.calls: list[tuple[str, list[Any]]] = []
        self.paths: list[str] = []
        self._serving: set[asyncio.Task[None]] = set()

    def answers(self, method: str, said: Any) -> None:
        """What is said from now on."""
        self._answers[method] = list(said) if isinstance(said, list) else [said]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 24, ssl=self._tls)
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def count(self, method: str) -> int:
        return sum(called == method for called, _ in self.calls)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            size = int(head.lower().partition("content-length:")[2].split()[0])
            request = json.loads(await reader.readexactly(size))
            method, params = request["method"], request["params"]
            if method == "getblocktemplate" and params[0].get("mode") == "proposal":
                method = "proposal"
            self.calls.append((method, params))
            self.paths.append(head.split()[1])
            answer = await self._answer(method, params)
            writer.write(_with_id(answer or b"", request["id"]))
            await writer.drain()
        writer.close()

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

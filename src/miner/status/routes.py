"""What is asked for by which path, and the rules that hold for every answer."""

import asyncio
import importlib.resources
import json
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from miner.status.access import COOKIE, Gate, Hosts
from miner.status.body import Body
from miner.status.door import Door, Pace
from miner.status.feed import MAX_VIEWERS, Feed
from miner.status.figures import health_json
from miner.status.metrics import CONTENT_TYPE, metrics_text

REQUESTS_PER_SECOND, REQUESTS_AT_ONCE = 100.0, 400.0
PATIENCE_SECONDS = 5.0  # that a request waits for its turn
ANSWER_SECONDS = 60.0  # that a reader may take for an answer
PUSH_SECONDS = 20.0  # and for what is pushed to it
LOGIN_SECONDS = 5.0  # for the body of a login
MAX_LOGIN = 4096 + 64  # bytes
MAX_ROWS = 100_000
_PIECE = 1 << 16  # bytes of an answer that are handed to the system at a time
_OPEN = ("/healthz", "/login", "/static/page.css", "/static/icon.svg")  # paths that need no token
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "json": "application/json",
          "svg": "image/svg+xml"}
_FILES = {"/": "index.html", "/static/page.css": "page.css", "/static/icon.svg": "icon.svg",
          **{f"/static/{name}.js": f"{name}.js" for name in ("page", "charts", "table", "words")}}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                               "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()", "Cache-Control": "no-store",
    "Server": "sparkminer",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Routes:
    """The handlers. `hosts` and `gate` say who may read, `secure` is whether TLS is spoken, and `tell` is called with
    each fault of our own."""

    def __init__(self, feed: Feed, hosts: Hosts, gate: Gate, *, secure: bool,
                 tell: Callable[[Exception], None]) -> None:
        self._feed, self._hosts, self._gate, self._secure, self._tell = feed, hosts, gate, secure, tell
        self._pace = Pace(REQUESTS_PER_SECOND, REQUESTS_AT_ONCE)
        self.door: Door | None = None
        folder = importlib.resources.files("miner.status")
        self._files = {path: Body((folder / "page" / name).read_bytes()) for path, name in _FILES.items()}
        if gate.closed:
            page = self._files["/"].plain
            self._files["/"] = Body(page.replace(b'action="/logout" hidden', b'action="/logout"'))
        self._login_page = (folder / "page" / "login.html").read_text(encoding="utf-8")
        self._openapi = Body((folder / "openapi.json").read_bytes())

    def app(self) -> web.Application:
        """The application that aiohttp runs."""
        @web.middleware
        async def rules(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._rules(request, handler)

        app = web.Application(middlewares=[rules], client_max_size=MAX_LOGIN)
        get = app.router.add_get
        for path in self._files:
            get(path, self._file)
        get("/api/v1/summary", self._summary)
        get("/api/v1/history", self._history)
        get("/api/v1/miners", self._miners)
        get("/api/v1/events", self._events)
        get("/api/v1/openapi.json", self._describe)
        get("/api/v1/stream", self._stream, allow_head=False)
        get("/metrics", self._metrics)
        get("/healthz", self._health)
        get("/login", self._login_form)
        app.router.add_post("/login", self._login)
        app.router.add_post("/logout", self._logout)
        app.on_response_prepare.append(_add_headers)
        return app

    async def _rules(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Who asks too much, by a strange name or without the token gets no further."""
        guest = self.door.guests.get(request.protocol) if self.door else None
        if guest is not None:
            guest.busy(True)
        try:
            return await self._admitted(request, handler)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            answer = _problem(error.status, error.reason)
            if hdrs.ALLOW in error.headers:
                answer.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
            return answer
        except (ConnectionError, TimeoutError):  # a reader that has gone, or takes for ever
            _hang_up(request)
            raise
        except Exception as error:
            self._tell(error)
            return _problem(500, "a fault of the program")
        finally:
            if guest is not None:
                guest.busy(False)

    async def _admitted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        wait = self._pace.take()
        if wait > PATIENCE_SECONDS:
            self._pace.give_back()
            return _problem(503, "too many requests", {"Retry-After": "5", "Connection": "close"})
        await asyncio.sleep(wait)
        if not self._hosts.allows(request.headers.get(hdrs.HOST)):
            return _problem(421, "this server has another name: see --status in its documentation")
        cookie = request.cookies.get(COOKIE, "")
        if request.path not in _OPEN and not self._gate.lets_in(request.headers.get(hdrs.AUTHORIZATION, ""), cookie):
            if request.path == "/":
                raise web.HTTPSeeOther("/login")
            return _problem(401, "give the token as a bearer, or log in at /login", {"WWW-Authenticate": "Bearer"})
        return await handler(request)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return await _send(request, self._files[request.path], _TYPES[_FILES[request.path].rpartition(".")[2]])

    async def _summary(self, request: web.Request) -> web.StreamResponse:
        return await _send(request, self._feed.summary())

    async def _history(self, request: web.Request) -> web.StreamResponse:
        return await _send(request, self._feed.history())

    async def _miners(self, request: web.Request) -> web.StreamResponse:
        offset, limit = _number(request, "offset", 0, 0), _number(request, "limit", MAX_ROWS, 1)
        rows = await self._feed.maker.take()
        whole = offset == 0 and limit >= len(rows.rows)
        return await _send(request, rows.body if whole else rows.part(offset, limit))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        return await _send(request, self._feed.events(_number(request, "after", 0, 0)))

    async def _describe(self, request: web.Request) -> web.StreamResponse:
        return await _send(request, self._openapi)

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        rows = await self._feed.maker.rows()
        return await _send(request, Body(metrics_text(self._feed.snapshot(), rows)), CONTENT_TYPE)

    async def _health(self, request: web.Request) -> web.StreamResponse:
        health = health_json(self._feed.snapshot())
        return web.json_response(health, status=200 if health["status"] == "ok" else 503)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if self._feed.viewers >= MAX_VIEWERS:
            return _problem(503, f"{MAX_VIEWERS} viewers are here", {"Retry-After": "30"})
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await answer.prepare(request)
        async for piece in self._feed.watch():
            async with asyncio.timeout(PUSH_SECONDS):
                await answer.write(piece)
        return answer

    async def _login_form(self, request: web.Request) -> web.StreamResponse:
        if not self._gate.closed:
            raise web.HTTPSeeOther("/")
        return web.Response(text=self._login_page.replace("{{problem}}", ""), content_type="text/html")

    async def _login(self, request: web.Request) -> web.StreamResponse:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and urlsplit(origin).netloc != request.headers.get(hdrs.HOST):
            return _problem(403, "this form belongs to another page")
        async with asyncio.timeout(LOGIN_SECONDS):
            form = await request.post()
        token = form.get("token", "")
        if not isinstance(token, str) or not self._gate.knows(token.strip()):
            page = self._login_page.replace("{{problem}}", "That is not the token.")
            return web.Response(status=403, text=page, content_type="text/html")
        answer = web.HTTPSeeOther("/")
        answer.set_cookie(COOKIE, self._gate.open_session(), httponly=True, samesite="Strict", secure=self._secure)
        raise answer

    async def _logout(self, request: web.Request) -> web.StreamResponse:
        self._gate.end_session(request.cookies.get(COOKIE, ""))
        answer = web.HTTPSeeOther("/login")
        answer.del_cookie(COOKIE)
        raise answer


async def _send(request: web.Request, body: Body, content_type: str = "application/json") -> web.StreamResponse:
    """An answer, in pieces: a reader that stops has only a piece of it in memory."""
    if ";" not in content_type:
        content_type += "; charset=utf-8"
    headers = {"Content-Type": content_type, "Vary": "Accept-Encoding"}
    packed = await body.packed() if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "") else None
    if packed is not None:
        headers["Content-Encoding"] = "gzip"
    data = body.plain if packed is None else packed
    answer = web.StreamResponse(headers=headers)
    answer.content_length = len(data)
    async with asyncio.timeout(ANSWER_SECONDS):
        await answer.prepare(request)
        if request.method != hdrs.METH_HEAD:
            for begin in range(0, len(data), _PIECE):
                await answer.write(data[begin:begin + _PIECE])
        await answer.write_eof()
    return answer


def _number(request: web.Request, name: str, default: int, least: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 15 and int(text) >= least):
        raise web.HTTPBadRequest(reason=f"{name} must be a whole number from {least} on")
    return int(text)


def _problem(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=json.dumps({"error": text}), content_type="application/json",
                        headers=headers)


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _add_headers(request: web.Request, answer: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        answer.headers[name] = value

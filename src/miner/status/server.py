"""The status server: a thread with an event loop of its own, beside the run that it shows."""

import asyncio
import logging
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from aiohttp import web

from miner.core.errors import UsageError
from miner.front.facts import Facts
from miner.front.settings import StatusSettings
from miner.listening import listening_sockets
from miner.loop import run_loop
from miner.status.access import Gate, Hosts
from miner.status.door import BACKLOG, Door
from miner.status.feed import Feed
from miner.status.routes import Routes
from miner.tls import ServerTls, TlsFiles

_CLOSE_SECONDS = 5.0
_MAX_LINE = 4096  # bytes of a request's first line, and of each header


class StatusServer:
    """Serves the facts of a run for as long as the context lasts. `tell` is called with a line for each fault of our
    own, at most one of a kind. Raises UsageError on entering where the address or the certificate can't be had."""

    def __init__(self, settings: StatusSettings, facts: Facts, tell: Callable[[str], None]) -> None:
        self.url = ""  # of the page, once it is served
        self._settings, self._facts, self._tell = settings, facts, tell
        self._told: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)
        self._ready = threading.Event()  # served, or failed to
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            run_loop(self._serve)
        except BaseException as error:
            self._error = error
            if self._ready.is_set():
                self._fault(error)
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        settings = self._settings
        context = _context(settings.tls) if settings.tls else None
        try:
            sockets = await listening_sockets(settings.host, settings.port, BACKLOG)
        except OSError as error:
            raise UsageError(f"--status: can't listen on {settings.host} port {settings.port}: "
                             f"{error.strerror or error}") from None
        feed = Feed(self._facts)
        routes = Routes(feed, Hosts(settings.host), Gate(settings.token), secure=context is not None, tell=self._fault)
        runner = web.AppRunner(routes.app(), handle_signals=False, access_log=None, handler_cancellation=True,
                               auto_decompress=False, max_line_size=_MAX_LINE, max_field_size=_MAX_LINE,
                               logger=_silent(), shutdown_timeout=0.1)
        await runner.setup()
        assert runner.server is not None
        routes.door = Door(runner.server, context)
        host, port = sockets[0].getsockname()[:2]
        self.url = f"http{'s' if context else ''}://{f'[{host}]' if ':' in host else host}:{port}/"
        tasks = [asyncio.create_task(work) for work in
                 (feed.tick(), *(routes.door.serve(listening) for listening in sockets))]
        self._ready.set()
        closing = asyncio.create_task(self._closing.wait())
        await asyncio.wait([closing, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, closing):
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        for listening in sockets:
            listening.close()
        await runner.cleanup()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    def _fault(self, error: BaseException) -> None:
        text = f"the status page met a fault of the program: {type(error).__name__}: {error}"
        if text not in self._told and len(self._told) < 20:
            self._told.add(text)
            self._tell(text)


def _silent() -> logging.Logger:
    """A logger for aiohttp, whose lines nobody asked for: strangers could fill a disk with them."""
    logger = logging.Logger("miner.status")
    logger.addHandler(logging.NullHandler())
    return logger


def _context(files: TlsFiles) -> ssl.SSLContext:
    try:
        return ServerTls.open(files).context
    except UsageError as error:
        raise UsageError(f"--status-tls-cert: {error}") from None

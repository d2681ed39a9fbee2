"""A hub in a thread of its own, for programs that are not written around an event loop."""

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from types import TracebackType
from typing import Self

from miner.core.source import WorkSource
from miner.event_queue import EventQueue
from miner.hub.config import HubConfig
from miner.hub.events import HubEvent, HubSnapshot, HubStopped, HubSummary, MinerStats
from miner.hub.server import Hub
from miner.hub.tokens import Tokens
from miner.loop import run_loop

EVENTS_KEPT = 4096  # that nobody has fetched; beyond them reports are dropped
CLOSE_SECONDS = 10.0


class HubThread:
    """Runs a Hub in the background.

        with HubThread(source, HubConfig()) as hub:
            host, port = hub.address
            for event in hub.events(): ...

    Every method may be called from any thread.
    """

    def __init__(self, source: WorkSource, config: HubConfig | None = None,
                 wanted: Callable[[HubEvent], bool] = lambda event: True, *, shares: bool = True) -> None:
        """Events that are not `wanted` are not kept. Under load a reader of each share would take as much of Python's
        time as the hub. It is asked in the hub's thread. With `shares` False no HubShare is made in the first
        place."""
        self.config = config or HubConfig()
        self.source = source
        self.address = ("", 0)  # that miners connect to, once started
        self.error: BaseException | None = None  # what ended the hub, where something did
        self._queue: EventQueue[HubEvent] = EventQueue(EVENTS_KEPT)
        self._wanted = wanted
        self._hub = Hub(source, self.config, self._tell, shares=shares)
        self._thread = threading.Thread(target=self._run, name="hub", daemon=True)
        self._ready = threading.Event()  # started, or failed to
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = asyncio.Event()
        self._sending: set[asyncio.Future[None]] = set()

    def start(self) -> tuple[str, int]:
        """Start the hub and return its address. Raises UsageError where that can't be had."""
        self._thread.start()
        self._ready.wait()
        if not self.address[0] and self.error is not None:
            raise self.error
        return self.address

    @property
    def fingerprint(self) -> str:
        """The SHA-256, in hex, of the certificate that miners are shown; "" without TLS, or before the start."""
        return self._hub.fingerprint

    def reload(self, tokens: Tokens) -> None:
        """Let miners in by these tokens from now on, and show them the certificate that is in its files now: see
        Hub.reload."""
        self._hub.reload(tokens)

    def next_event(self, timeout: float | None = None) -> HubEvent | None:
        """The next event; None when none came within `timeout` seconds. The last one is HubStopped."""
        return self._queue.take(timeout)

    def events(self) -> Iterator[HubEvent]:
        """All events up to HubStopped. Raises the error that ended the hub, where one did."""
        while (event := self._queue.take()) is not None:
            yield event
            if isinstance(event, HubStopped):
                break
        if self.error is not None:
            raise self.error

    def snapshot(self) -> HubSnapshot:
        """How the miners do now, or did when the hub ended."""
        return self._hub.snapshot()

    def rows(self) -> Iterator[MinerStats]:
        """The miners' rows, made one by one as they are asked for."""
        return self._hub.rows()

    def here(self) -> list[str]:
        """The names of the miners that are connected."""
        return self._hub.here()

    def summary(self) -> HubSummary:
        """The sums over all miners. They take no longer with thousands of miners than with one."""
        return self._hub.summary()

    def stop_miners(self, reason: str, wait: float = 5.0) -> None:
        """Send the miners home: ours are told, and have `wait` seconds to report a last time; others are hung up on.
        Returns when all have left."""
        if self._loop is None or not self._thread.is_alive():
            return
        stopping = asyncio.run_coroutine_threadsafe(self._hub.stop_miners(reason, wait), self._loop)
        with suppress(TimeoutError, CancelledError):
            stopping.result(wait + CLOSE_SECONDS)

    def send_home(self, names: Collection[str], reason: str) -> None:
        """Send the miners of these names home: see Hub.send_home. Returns at once."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended by itself, and they are home
                self._loop.call_soon_threadsafe(self._start_sending, frozenset(names), reason)

    def _start_sending(self, names: frozenset[str], reason: str) -> None:
        sending = asyncio.ensure_future(self._hub.send_home(names, reason))
        self._sending.add(sending)  # a task that nobody holds may be collected
        sending.add_done_callback(self._sending.discard)

    def close(self) -> None:
        """End the hub; its miners lose their connection. May be called twice."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join(CLOSE_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def _tell(self, event: HubEvent) -> None:
        if self._wanted(event):
            self._queue.put(event)

    def _run(self) -> None:
        try:
            run_loop(self._main)
        except BaseException as error:
            self.error = error
        finally:
            self._queue.close()
            self._ready.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with self._hub:
            self.address = await self._hub.start()
            self._ready.set()
            ends = [asyncio.create_task(self._hub.finished()), asyncio.create_task(self._closing.wait())]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if ends[0].done():
                self.error = ends[0].exception()  # before HubStopped tells of it
            for end in ends:
                end.cancel()

"""`mine()`: a run of mining as an iterator of events, for a caller who has no event loop."""

import asyncio
import contextlib
import dataclasses
import queue
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from miner.config import EngineConfig, SourceConfig
from miner.core.algorithm import Algorithm
from miner.core.errors import UsageError
from miner.core.events import Hashrate, MinerEvent, Trouble
from miner.core.source import WorkSource
from miner.session import Session
from miner.sources.open import open_source

_BACKLOG = 4096  # events that nobody has read yet; beyond it hashrates are dropped, nothing else


class Mining:
    """A run of mining. Use it as a context manager and iterate over it::

        with miner.mine(sandbox=True, threads=2, seconds=10) as mining:
            for event in mining:
                print(event)

    Mining starts on entering (or with the first event asked for) and goes on in the background, whether events are read
    or not. The iterator ends with the run; a source that gave up raises its MinerError there. `stop()` may be called
    from any thread or a signal handler, and ends it at once; leaving the context does the same and waits.
    """

    def __init__(self, source: WorkSource, engine: EngineConfig, seconds: float) -> None:
        self._source, self._engine, self._seconds = source, engine, seconds
        self._events: queue.SimpleQueue[MinerEvent | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="miner-session", daemon=True)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: Session | None = None
        self._stopping = False
        self._error: BaseException | None = None

    def stop(self) -> None:
        """End the run; the events up to its totals can still be read. May be called more than once."""
        self._stopping = True
        loop, session = self._loop, self._session
        if loop is not None and session is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the run is over
                loop.call_soon_threadsafe(session.stop)

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()
        self._thread.join()

    def __iter__(self) -> Iterator[MinerEvent]:
        self._start()
        while (event := self._events.get()) is not None:
            yield event
        self._events.put(None)  # for an iterator that comes later
        if self._error is not None:
            raise self._error

    def _start(self) -> None:
        with self._lock:
            if self._thread.ident is None:
                self._thread.start()

    def _emit(self, event: MinerEvent) -> None:
        if not isinstance(event, Hashrate) or self._events.qsize() < _BACKLOG:
            self._events.put(event)

    def _run(self) -> None:
        try:
            asyncio.run(self._mine())
        except BaseException as error:  # handed to whoever iterates
            self._error = error
            self._events.put(Trouble(str(error), fatal=True))
        finally:
            self._events.put(None)

    async def _mine(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._session = Session(self._source, self._engine, self._emit, self._seconds)
        if self._stopping:
            self._session.stop()
        await self._session.run()


def mine(source: SourceConfig | WorkSource | None = None, engine: EngineConfig | None = None, *,
         seconds: float = 0.0, **settings: Any) -> Mining:
    """Mine until stopped, or for `seconds` of wall time.

    source    a SourceConfig, or a WorkSource of your own; left out, the settings say it
    engine    an EngineConfig; left out, the settings say it
    settings  fields of SourceConfig and EngineConfig by name: `mine(url=…, username=…, algorithm="scrypt", threads=2)`

    Raises UsageError at once if they don't make sense; nothing is sent and nothing hashed before the run starts.
    """
    if isinstance(settings.get("algorithm"), str):
        settings["algorithm"] = Algorithm.parse(settings["algorithm"])
    source_settings = _pick(SourceConfig, settings) if source is None else {}
    engine_settings = _pick(EngineConfig, settings) if engine is None else {}
    if settings:
        raise UsageError(f"mine() knows no setting {', '.join(sorted(settings))} (or it came beside a whole config)")
    if source is None:
        source = SourceConfig(**source_settings)
    if isinstance(source, SourceConfig):
        source = open_source(source)
    return Mining(source, engine or EngineConfig(**engine_settings), seconds)


def _pick(config: type[SourceConfig] | type[EngineConfig], settings: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(config)}
    return {name: settings.pop(name) for name in list(settings) if name in names}

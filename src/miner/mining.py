"""`mine()`: a run of mining as an iterator of events, for a caller who has no event loop."""

import asyncio
import contextlib
import dataclasses
import threading
import weakref
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from miner.config import EngineConfig, SourceConfig
from miner.core.algorithm import Algorithm
from miner.core.errors import UsageError
from miner.core.events import MinerEvent, Trouble
from miner.core.source import WorkSource
from miner.engine.threads import start_thread
from miner.event_queue import EventQueue
from miner.loop import run_loop
from miner.session import Session
from miner.sources.open import open_source

_BACKLOG = 4096  # events that nobody has read yet; beyond that number hashrates and other talk are dropped


class Mining:
    """A run of mining. Use it as a context manager and iterate over it::

        with miner.mine(sandbox=True, threads=2, seconds=10) as mining:
            for event in mining:
                print(event)

    The run starts on entering, or with the first event asked for, and goes on in the background, whether events are
    read or not (`miner.event_queue` says what is kept of those that aren't). The iterator ends with the run, and raises
    the MinerError of a source that gave up, or whatever an engine failed with. `stop()` may be called from any thread
    or a signal handler, and ends the run at once; leaving the context does so too, and waits for the end.

    Without a context, the iterator keeps the run going: when the iterator is closed or dropped (`break`, an exception
    in the loop, Ctrl-C while it waits), or nobody holds the Mining any more, the run stops.
    """

    def __init__(self, source: WorkSource, engine: EngineConfig, seconds: float, blocks: int = 0) -> None:
        self._run = _Run(source, engine, seconds, blocks)
        self._entered = False
        weakref.finalize(self, self._run.stop)

    def stop(self) -> None:
        """End the run; the events up to its totals can still be read. May be called more than once."""
        self._run.stop()

    def __enter__(self) -> Self:
        self._entered = True
        self._run.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._run.stop()
        self._run.join()

    def __iter__(self) -> Iterator[MinerEvent]:
        self._run.start()
        try:
            while (event := self._run.events.take()) is not None:
                yield event
        finally:
            if not self._entered:
                self._run.stop()
        if self._run.error is not None:
            raise self._run.error


class _Run:
    """A session on an event loop, in a thread. It holds no reference to its Mining, so that a Mining that is dropped is
    collected, which stops the run."""

    def __init__(self, source: WorkSource, engine: EngineConfig, seconds: float, blocks: int) -> None:
        self._source, self._engine_config, self._seconds, self._blocks = source, engine, seconds, blocks
        self.events: EventQueue[MinerEvent] = EventQueue(_BACKLOG)
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="miner-session", daemon=True)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: Session | None = None
        self._stopping = False

    def start(self) -> None:
        """Start the thread, unless it was started before. Raises EngineError where the system starts none."""
        with self._lock:
            if self._thread.ident is None:
                start_thread(self._thread)

    def stop(self) -> None:
        """End the run soon, from any thread; one that hasn't started then ends as it starts."""
        self._stopping = True
        loop, session = self._loop, self._session
        if loop is not None and session is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the run is over
                loop.call_soon_threadsafe(session.stop)

    def join(self) -> None:
        """Wait for the end of the thread."""
        self._thread.join()

    def _main(self) -> None:
        try:
            run_loop(self._mine)
        except BaseException as error:  # handed to whoever iterates
            self.error = error
            self.events.put(Trouble(str(error), fatal=True))
        finally:
            self.events.close()

    async def _mine(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._session = Session(self._source, self._engine_config, self.events.put, self._seconds, self._blocks)
        if self._stopping:
            self._session.stop()
        await self._session.run()


def mine(source: SourceConfig | WorkSource | None = None, engine: EngineConfig | None = None, *,
         seconds: float = 0.0, blocks: int = 0, **settings: Any) -> Mining:
    """Mine until stopped, for `seconds` of wall time, or until the source has taken `blocks` blocks, whichever comes
    first; 0: no limit.

    source    a SourceConfig, or a WorkSource of your own; left out, the settings say it
    engine    an EngineConfig; left out, the settings say it
    settings  fields of SourceConfig and EngineConfig by name: `mine(url=…, username=…, algorithm="scrypt", threads=2)`

    Raises UsageError at once for settings that don't make sense; nothing is sent and nothing hashed before the run
    starts.
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
    return Mining(source, engine or EngineConfig(**engine_settings), seconds, blocks)


def split_settings(settings: dict[str, Any]) -> tuple[SourceConfig, EngineConfig]:
    """The two configs from their fields by name, as `mine` takes them. Raises UsageError for what is neither's field,
    and for what makes no sense."""
    if isinstance(settings.get("algorithm"), str):
        settings["algorithm"] = Algorithm.parse(settings["algorithm"])
    source, engine = _pick(SourceConfig, settings), _pick(EngineConfig, settings)
    if settings:
        raise UsageError(f"no setting is called {', '.join(sorted(settings))}")
    return SourceConfig(**source), EngineConfig(**engine)


def _pick(config: type[SourceConfig] | type[EngineConfig], settings: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(config)}
    return {name: settings.pop(name) for name in list(settings) if name in names}

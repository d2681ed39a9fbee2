"""`--events`: every event of a run as a JSON object on a line of its own (JSON Lines), in a file or on standard
output."""

import json
import math
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from miner.core.errors import MinerError, UsageError
from miner.core.events import MinerEvent
from miner.core.source import Unread
from miner.front.console import Console
from miner.front.event_json import event_json
from miner.front.writer import Writer
from miner.hub.events import HubEvent

MAX_WAITING = 20_000  # lines that wait for a disk or a reader; beyond that the oldest are lost, and counted
_LINGER_SECONDS = 0.1  # until an event's line is written, with all that have come by then
_PATIENCE_SECONDS = 3.0  # how long the end waits for a reader that has stopped
STDOUT = "-"
_ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode


class EventFile:
    """Writes events as lines. Used as a context manager; `take` may be called from any thread, and never waits.

    path     the file, to which lines are appended; "-": standard output, which is then for nothing else
    clock    seconds since 1970

    Raises UsageError where the file can't be opened, and on leaving MinerError where lines were lost.
    """

    def __init__(self, path: str, console: Console, clock: Callable[[], float] = time.time) -> None:
        self._path, self._console, self._clock = path, console, clock
        self._descriptor: int | None = None
        self._torn = False  # lines were written in part
        if path == STDOUT:
            self._writer = console.give_stdout(limit=MAX_WAITING, linger=_LINGER_SECONDS, missing=self._missing)
            return
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOCTTY, 0o666)
        except (OSError, ValueError) as error:
            raise UsageError(f"--events: can't write to {path!r}: {getattr(error, 'strerror', error)}") from None
        self._writer = Writer(self._write, limit=MAX_WAITING, linger=_LINGER_SECONDS, missing=self._missing)
        if stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            console.reopens(self._descriptor, str(Path(path).absolute()))

    def take(self, event: MinerEvent | HubEvent) -> None:
        """Write an event that has just come."""
        self._writer.put(self._line(event))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        patience = _PATIENCE_SECONDS if self._console.told_to_end or self._descriptor is not None else math.inf
        written = self._writer.drain(patience)
        if self._descriptor is not None and written:  # else the thread that writes still has it
            os.close(self._descriptor)
        lost = self._writer.error
        if error is None and (not written or lost is not None and not isinstance(lost, BrokenPipeError)):
            why = (lost.strerror or lost) if lost else "nobody reads it"
            raise MinerError(f"--events {self._path}: events were lost: {why}")

    def _line(self, event: MinerEvent | HubEvent) -> str:
        return _ENCODE(event_json(event, self._clock())) + "\n"

    def _missing(self, count: int) -> str:
        return self._line(Unread(count))

    def _write(self, text: str) -> None:
        assert self._descriptor is not None
        data = (f"\n{text}" if self._torn else text).encode()
        while data:
            data = data[os.write(self._descriptor, data):]
            self._torn = True
        self._torn = False

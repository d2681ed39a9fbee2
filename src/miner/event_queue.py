"""A bounded queue of events, between what they happen to (a source, a miner, a hub) and whoever reads them.

Where nobody reads, three rules hold:

- Talk (`core.source.Talk`: hashrates, notices, reports) goes first, the oldest of it, once `limit` events wait.
- Of jobs only the newest waits. It restarts miners if a job that it replaced did.
- Results, errors and changes of state stay, up to RESULTS times `limit` of them: hours of work that nobody has read.
  Then the oldest gives way and is counted, and the reader gets the count first, as `Unread`.

So nothing is lost in silence, and whoever puts an event never waits.
"""

import asyncio
import contextlib
import dataclasses
import queue
import threading
import time
from collections import deque
from typing import Any, Generic, TypeVar

from miner.core.events import NewJob
from miner.core.model import Job
from miner.core.source import Talk, Unread

RESULTS = 16

Event = TypeVar("Event")


class EventQueue(Generic[Event]):
    """Events in the order in which they happened. Any thread puts; the one reader is a task (`get`) or threads
    (`take`). From `limit` waiting events on, talk is dropped."""

    def __init__(self, limit: int = 64) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._count = 0  # of all events so far: an event's number is its place in the order
        self._job: deque[tuple[int, Any]] = deque(maxlen=1)
        self._talk: deque[tuple[int, Any]] = deque()
        self._results: deque[tuple[int, Any]] = deque()
        self._unread = 0
        self._closed = False
        # A token, where there may be something to read. Not a Condition: Ctrl-C inside one can leave its lock held.
        self._token: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._waiting: asyncio.Future[None] | None = None

    def put(self, event: Event) -> None:
        """Add an event. Never waits, and never fails."""
        with self._lock:
            self._count += 1
            if isinstance(event, Job | NewJob):
                self._job.append((self._count, _merged(self._job[0][1] if self._job else None, event)))
            else:
                (self._talk if isinstance(event, Talk) else self._results).append((self._count, event))
            if len(self._talk) + len(self._results) > self._limit and self._talk:
                self._talk.popleft()
            if len(self._results) > RESULTS * self._limit:
                self._results.popleft()
                self._unread += 1
            self._wake()

    def close(self) -> None:
        """Say that no more events come: the reader gets what is left, and then None."""
        with self._lock:
            self._closed = True
            self._wake()

    async def get(self) -> Event | None:
        """Wait for the next event; None when there will be none. For one task at a time."""
        while True:
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                found, ended = self._pop()
                if found is not None or ended:
                    return found
                await self._waiting
            finally:
                self._waiting = None

    def take(self, timeout: float | None = None) -> Event | None:
        """Wait for the next event; None when none came within `timeout` seconds (None: however long that takes), or
        when there will be none. For threads."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            found, ended = self._pop()
            if found is not None or ended:
                return found
            try:
                self._token.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return self._pop()[0]

    def _pop(self) -> tuple[Event | None, bool]:
        """The oldest event, or None; and whether there will never be one again."""
        with self._lock:
            found: Any = None
            if self._unread:
                found, self._unread = Unread(self._unread), 0
            elif line := min((line for line in (self._talk, self._results, self._job) if line),
                             key=lambda line: line[0][0], default=None):
                found = line.popleft()[1]
            left = bool(self._talk or self._results or self._job)
            if left or self._closed:
                self._wake()  # for another thread that waits
            return found, found is None and self._closed

    def _wake(self) -> None:
        if self._token.empty():
            self._token.put(None)
        if waiting := self._waiting:
            with contextlib.suppress(RuntimeError):  # its loop has ended meanwhile, and nobody reads
                waiting.get_loop().call_soon_threadsafe(_set, waiting)


def _merged(older: Any, newer: Any) -> Any:
    """The newer job, made to restart miners if the older one, which nobody has read, was to do so."""
    match newer:
        case Job():
            return dataclasses.replace(newer, clean=newer.clean or (older is not None and older.clean))
        case _:
            return dataclasses.replace(newer, restart=newer.restart or (older is not None and older.restart))


def _set(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)

"""What a source has to tell, on its way from the task that finds it out to the consumer of `events()`."""

import asyncio
import collections
import dataclasses

from miner.core.model import Job
from miner.core.source import Notice, SourceEvent, Traffic

MAX_EVENTS = 64  # that wait for the consumer


class EventQueue:
    """For one consumer. Bounded: of the jobs only the newest waits, and what is only there to be read gives way."""

    def __init__(self) -> None:
        self._events: collections.deque[SourceEvent] = collections.deque()
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, event: SourceEvent) -> None:
        if isinstance(event, Job):
            waiting = [old for old in self._events if isinstance(old, Job)]
            for old in waiting:
                self._events.remove(old)
            event = dataclasses.replace(event, clean=event.clean or any(old.clean for old in waiting))
        elif len(self._events) >= MAX_EVENTS:
            talk = (old for old in self._events if isinstance(old, Notice | Traffic))
            self._events.remove(next(talk, self._events[0]))
        self._events.append(event)
        self._changed.set()

    def close(self) -> None:
        self._closed = True
        self._changed.set()

    async def get(self) -> SourceEvent | None:
        """The next event; None when there will be none."""
        while not self._events:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._events.popleft()

"""When to look for newer work: as soon as a long poll answers or the chain is seen to move, else every now and then,
and at once when woken."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

REFRESH_SECONDS = 30.0  # the oldest that a job's time may get while nothing else changes

Answer = TypeVar("Answer")


class Poller(Generic[Answer]):
    """Waits for news of one chain, beside calls that show whether the server is alive. `scan_time`: seconds between two
    looks where nothing tells of news."""

    def __init__(self, scan_time: float) -> None:
        self._scan_time = scan_time
        self._woken = asyncio.Event()
        self._task: asyncio.Task[Answer] | None = None
        self._tip = b""
        self._not_before = 0.0

    def wake(self) -> None:
        """Something happened here: look now."""
        self._woken.set()

    def defer(self) -> None:
        """The news told nothing new: there is no use in waiting for more of them at once."""
        self._not_before = asyncio.get_running_loop().time() + self._scan_time

    def drop(self) -> None:
        """Wait for no more news."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def wait(self, tip: bytes, news: Callable[[], Coroutine[Any, Any, Answer]] | None, refresh: float,
                   pause: float = 0.0) -> Answer | None:
        """Wait for news of what follows on `tip`. Returns what `news` returned, or None when it is time to ask.

        news      starts what returns when something follows on `tip`, the latest block: a long poll, say. One of them
                  at a time, and it goes on from call to call while the tip is the same.
        refresh   seconds until None while `news` is waited for
        pause     seconds until None otherwise; 0: `scan_time`
        """
        loop = asyncio.get_running_loop()
        if self._tip != tip:
            self.drop()  # it should have returned long ago: its connection may be dead
        if self._task is None and news is not None and loop.time() >= self._not_before:
            self._task = loop.create_task(news())
            self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._tip = tip
        woken = loop.create_task(self._woken.wait())
        try:
            await asyncio.wait([woken, self._task] if self._task else [woken],
                               timeout=refresh if self._task else pause or self._scan_time,
                               return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
        self._woken.clear()
        if self._task is None or not self._task.done():
            return None
        finished, self._task = self._task, None
        if finished.exception() is not None:
            self.defer()
            return None
        return finished.result()

"""When to look for newer work: as soon as a long poll answers, else every now and then, and at once when woken."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

REFRESH_SECONDS = 30.0  # the oldest that a job's time may get while nothing else changes

Answer = TypeVar("Answer")


class Poller(Generic[Answer]):
    """One long poll at a time, beside calls that show whether the server is alive. `scan_time`: seconds between two
    looks where there is no long poll."""

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
        """The long poll's answer told nothing new: there is no use in asking again at once."""
        self._not_before = asyncio.get_running_loop().time() + self._scan_time

    def drop(self) -> None:
        """Give the long poll up."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def wait(self, tip: bytes, long_poll: Callable[[], Coroutine[Any, Any, Answer]] | None,
                   refresh: float) -> Answer | None:
        """The long poll's answer, or None when it is time to ask. `long_poll` starts one that has no time limit and
        answers when something follows on `tip`, the latest block; with one out, `refresh` seconds pass till None."""
        loop = asyncio.get_running_loop()
        if self._tip != tip:
            self.drop()  # it should have answered long ago: its connection may be dead
        if self._task is None and long_poll is not None and loop.time() >= self._not_before:
            self._task = loop.create_task(long_poll())
            self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._tip = tip
        woken = loop.create_task(self._woken.wait())
        try:
            await asyncio.wait([woken, self._task] if self._task else [woken],
                               timeout=refresh if self._task else self._scan_time,
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

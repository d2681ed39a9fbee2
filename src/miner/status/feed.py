"""What is served, made of the facts once for all who ask, and what is pushed to those who watch."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from miner.front.event_json import event_json
from miner.front.facts import Facts
from miner.front.snapshot import Snapshot
from miner.status.body import Body
from miner.status.figures import block_json, history_json, message_json, sample_json, summary_json
from miner.status.rows import RowMaker

TICK_SECONDS = 1.0  # from one push to the next
SUMMARY_AGE = 0.5  # seconds that an answer may be old
HISTORY_AGE = 2.0
FRAMES_KEPT = 30  # pushes that a viewer may be behind; beyond that it is told to load everything anew
MAX_VIEWERS = 128


class Feed:
    """Answers and pushes. What they cost doesn't grow with the number of those who read. Belongs to one event loop."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.maker = RowMaker(facts)
        self.viewers = 0
        self._kept: dict[str, tuple[float, Body]] = {}
        self._frames: deque[tuple[int, bytes]] = deque(maxlen=FRAMES_KEPT)
        self._pushed = _Pushed()
        self._watched = asyncio.Event()
        self._next = asyncio.Event()  # set, and replaced, with each push
        self._making: asyncio.Task[Any] | None = None

    @property
    def pushes(self) -> int:
        """How many times something has been pushed."""
        return self._frames[-1][0] if self._frames else 0

    def snapshot(self) -> Snapshot:
        """The run as it is now."""
        return self._facts.snapshot()

    def summary(self) -> Body:
        """The totals."""
        return self._cached("summary", SUMMARY_AGE, lambda: summary_json(self.snapshot()))

    def history(self) -> Body:
        """What led to the totals."""
        return self._cached("history", HISTORY_AGE, lambda: history_json(self.snapshot()))

    def events(self, after: int) -> Body:
        """The newest events, each with its number, from the one behind number `after` on."""
        def make() -> dict[str, Any]:
            return {"events": [{"number": logged.number} | event_json(logged.event, logged.time)
                               for logged in self._facts.log(after)]}
        return Body(_json(make())) if after else self._cached("events", HISTORY_AGE, make)

    def _cached(self, name: str, age: float, make: Callable[[], dict[str, Any]]) -> Body:
        now = time.monotonic()
        at, body = self._kept.get(name, (float("-inf"), None))
        if body is None or now - at > age:
            body = Body(_json(make()))
            self._kept[name] = now, body
        return body

    async def tick(self) -> None:
        """Push what is new each second while somebody watches, for ever."""
        while True:
            await self._watched.wait()
            self._push()
            if self.maker.wanted and self.maker.due and (self._making is None or self._making.done()):
                self._making = asyncio.create_task(self.maker.rows())
            await asyncio.sleep(TICK_SECONDS)

    def _push(self) -> None:
        frame = self._pushed.frame(self.snapshot())
        if self._making is not None and self._making.done() and not self._making.cancelled():
            version = self._making.result().version
            self._making = None
            frame += _event("miners", {"version": version})
        number = self.pushes + 1
        self._frames.append((number, frame))
        self._next.set()
        self._next = asyncio.Event()

    async def watch(self) -> AsyncIterator[bytes]:
        """Server-sent events, for ever: pieces of the stream, each with whole events. Who reads slowly misses some, and
        is told to load everything anew."""
        self.viewers += 1
        self._watched.set()
        seen = self.pushes
        try:
            yield b"retry: 3000\n\n" + _event("summary", summary_json(self.snapshot()))
            while True:
                waiting = self._next
                new = [(number, frame) for number, frame in self._frames if number > seen]
                if not new:
                    await waiting.wait()
                    continue
                missed = new[0][0] > seen + 1
                seen = new[-1][0]
                yield (_event("reload", {}) if missed else b"") + b"".join(frame for _, frame in new)
        finally:
            self.viewers -= 1
            if not self.viewers:
                self._watched.clear()


class _Pushed:
    """What has been pushed so far."""

    def __init__(self) -> None:
        self._recent = self._long = 0.0  # times of the last samples
        self._block: tuple[float, str] = (0.0, "")
        self._message = 0
        self._began = False

    def frame(self, now: Snapshot) -> bytes:
        """The events that tell of this moment, and of what came since the last one."""
        recent = [sample for sample in now.recent if sample.time > self._recent]
        long = [sample for sample in now.long if sample.time > self._long]
        blocks = [block for block in now.found if (block.time, block.hash) > self._block]
        messages = [message for message in now.messages if message.number > self._message]
        self._recent = now.recent[-1].time if now.recent else 0.0
        self._long = now.long[-1].time if now.long else 0.0
        self._block = max(((block.time, block.hash) for block in blocks), default=self._block)
        self._message = now.messages[-1].number if now.messages else 0
        frame = _event("summary", summary_json(now))
        if not self._began:  # whoever watches loads the history first
            self._began = True
            return frame
        if recent or long:
            frame += _event("samples", {"recent": [sample_json(sample) for sample in recent],
                                        "long": [sample_json(sample) for sample in long]})
        if blocks:
            frame += _event("blocks", {"blocks": [block_json(block) for block in blocks]})
        if messages:
            frame += _event("messages", {"messages": [message_json(message) for message in messages]})
        return frame


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode()


def _event(name: str, value: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), _json(value))

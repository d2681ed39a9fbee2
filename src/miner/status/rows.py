"""The rows of a run's miners as JSON, made in small steps: ten thousand take a fifth of a second of Python's time,
which a hub in this process needs for itself."""

import asyncio
import json
import time
from dataclasses import dataclass

from miner.core.text import one_line
from miner.front.event_json import miner_figures_json, miner_words_json, rfc3339
from miner.front.facts import Facts
from miner.hub.events import MinerStats
from miner.status.body import Body

STEP = 25  # rows without a pause: half a millisecond
PAUSE_SHARE = 1.5  # how long the pause is, by what the step took
AGE_SHARE = 40.0  # rows are made anew when this many times as long has passed as making them took
LEAST_AGE = 2.0  # seconds
SERIES = 200  # miners that metrics have series of their own for
_ENCODE = json.JSONEncoder(check_circular=False).encode


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one moment. `version` goes up with each making of rows; `rows` are JSON objects, in the order in
    which miners came; `first` are the first SERIES miners that are here, as name and hashrate (H/s); `body` has all
    rows."""

    version: int
    time: float
    rows: tuple[bytes, ...]
    first: tuple[tuple[str, float], ...]
    body: Body

    def part(self, offset: int, limit: int) -> Body:
        """Rows from `offset` on, at most `limit` of them."""
        return _body(self.version, self.time, self.rows, self.rows[offset:offset + limit])


class RowMaker:
    """Makes rows when somebody asks for them, and not more often than they can be had at a small part of the time.
    `wanted`: somebody has taken the newest ones, or none have been made."""

    def __init__(self, facts: Facts) -> None:
        self.wanted = True
        self._facts = facts
        self._known: dict[str, tuple[MinerStats, str]] = {}  # the last row of each, and the words in it as JSON
        self._rows: Rows | None = None
        self._due = 0.0  # on time.monotonic's clock
        self._making = asyncio.Lock()

    @property
    def due(self) -> bool:
        """Whether the rows are old enough to be made anew."""
        return time.monotonic() >= self._due

    async def rows(self) -> Rows:
        """The newest rows; made now where the last ones are old."""
        async with self._making:
            if self._rows is None or self.due:
                self._rows = await self._make(self._rows.version + 1 if self._rows else 1)
                self.wanted = False
            return self._rows

    async def take(self) -> Rows:
        """The newest rows, for somebody who looks at them: there will be newer ones as soon as they may be made."""
        rows = await self.rows()
        self.wanted = True
        return rows

    async def _make(self, version: int) -> Rows:
        at = self._facts.snapshot().time
        known: dict[str, tuple[MinerStats, str]] = {}
        rows: list[bytes] = []
        first: list[tuple[str, float]] = []
        began, spent = time.thread_time(), 0.0  # CPU time: a busy machine asks for no longer pauses
        for number, stats in enumerate(self._facts.rows(), 1):
            before = self._known.get(stats.name)
            words = before[1] if before and _same_words(before[0], stats) else _ENCODE(miner_words_json(stats))[:-1]
            known[stats.name] = stats, words
            rows.append(f"{words}, {_ENCODE(miner_figures_json(stats))[1:]}".encode())
            if stats.connected and len(first) < SERIES:
                first.append((one_line(stats.name, 64), stats.hashrate))
            if number % STEP == 0:
                spent += (step := time.thread_time() - began)
                await asyncio.sleep(PAUSE_SHARE * step)
                began = time.thread_time()
        spent += time.thread_time() - began
        self._known = known
        self._due = time.monotonic() + max(LEAST_AGE, AGE_SHARE * spent)
        return Rows(version, at, tuple(rows), tuple(first), _body(version, at, rows, rows))


def _same_words(one: MinerStats, other: MinerStats) -> bool:
    """Whether the rows of one miner say the same of who it is."""
    return (one.host == other.host and one.agent == other.agent and one.kernel == other.kernel
            and one.threads == other.threads and one.connected == other.connected and one.since == other.since
            and one.estimated == other.estimated)


def _body(version: int, at: float, all_rows: "tuple[bytes, ...] | list[bytes]",
          rows: "tuple[bytes, ...] | list[bytes]") -> Body:
    head = json.dumps({"version": version, "time": rfc3339(at), "total": len(all_rows)})
    return Body(head[:-1].encode() + b', "miners": [' + b",\n".join(rows) + b"]}")

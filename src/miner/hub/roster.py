"""The hub's books: a row for each miner that ever joined, and the sums."""

import heapq
import time
from collections.abc import Iterator

from miner.core.average import MINUTE, QUARTER, Averages
from miner.core.model import MinerReport, ShareStatus
from miner.hub.events import HubSnapshot, HubSummary, MinerStats

MAX_ROWS = 16384  # rows of miners that left are dropped beyond that, longest gone first; the sums keep what they did


class Row:
    """What is known of one miner. Changed through the Roster, which keeps the sums."""

    __slots__ = ("name", "host", "agent", "kernel", "threads", "hashrate", "accepted", "rejected", "stale", "blocks",
                 "aux_blocks", "since", "connected", "reports", "base", "number", "last_share", "difficulty",
                 "_address", "_reported", "_earlier", "_shares_say", "_averages")

    def __init__(self, name: str) -> None:
        self.name = self.base = name
        self.number = 1  # among those of one name, `base`, that are here
        self.host = self.agent = self.kernel = ""
        self._address = ""
        self.threads = 0
        self.hashrate = 0.0
        self.accepted = self.rejected = self.stale = self.blocks = self.aux_blocks = 0
        self.since = 0.0
        self.connected = False
        self.reports = False
        self._reported = self._earlier = 0  # hashes by the last report; by miners of this name that started before
        self.last_share = self.difficulty = 0.0
        self._averages = Averages()
        self._shares_say = 0.0  # hashes that the accepted shares stand for

    def join(self, host: str, agent: str, now: float) -> None:
        """`host`: its peer address."""
        if host != self._address:  # else the name that it reported before still holds
            self.host = self._address = host
        self.agent, self.since, self.connected = agent, now, True
        self._averages.set(self.hashrate, time.monotonic())

    def leave(self) -> None:
        """Its miner has gone, and hashes nothing from now on."""
        self.connected = False
        self._averages.set(0.0, time.monotonic())

    def estimate(self, hashrate: float) -> None:
        """Take a hashrate (H/s)."""
        self.hashrate = hashrate
        self._averages.set(hashrate, time.monotonic())

    def report(self, report: MinerReport) -> None:
        """A miner counts from its own start: with fewer hashes than before it is a new process under the same name."""
        if report.hashes < self._reported:
            self._earlier += self._reported
        self._reported, self.reports = report.hashes, True
        self.kernel, self.threads = report.kernel, report.threads
        self.estimate(report.hashrate)
        self.host = report.host or self.host

    def share(self, status: ShareStatus, hashes: float, block: bool, aux: bool = False) -> int:
        """Count a share. `hashes`: how many a share of its target takes on average, which count if it is accepted;
        `aux`: a chain that is mined along has taken it as its block. Returns by how much the row's hashes grow."""
        self.aux_blocks += aux
        self.last_share = time.time()
        if status is ShareStatus.ACCEPTED:
            self.accepted += 1
            self.blocks += block
            before = self._shares_say
            self._shares_say += hashes
            return 0 if self.reports else round(self._shares_say) - round(before)
        if status is ShareStatus.STALE:
            self.stale += 1
        else:
            self.rejected += 1
        return 0

    @property
    def hashes(self) -> int:
        """Hashes made so far: the miner's own figure where it reports one, else what its shares speak for."""
        return self._earlier + self._reported if self.reports else round(self._shares_say)

    def stats(self) -> MinerStats:
        """The row as it is now."""
        now = time.monotonic()
        return MinerStats(
            name=self.name, host=self.host, agent=self.agent, kernel=self.kernel, threads=self.threads,
            hashes=self.hashes, hashrate=self.hashrate, estimated=not self.reports, accepted=self.accepted,
            rejected=self.rejected, stale=self.stale, blocks=self.blocks, since=self.since, connected=self.connected,
            aux_blocks=self.aux_blocks, hashrate_1m=self._averages.over(MINUTE, now),
            hashrate_15m=self._averages.over(QUARTER, now), last_share=self.last_share, difficulty=self.difficulty)


class _Numbers:
    """Which numbers the miners of one name have: the lowest free one is given out next, without a search."""

    __slots__ = ("here", "_free", "_heap", "_next")

    def __init__(self) -> None:
        self.here = 0
        self._free: set[int] = set()
        self._heap: list[int] = []  # of the free ones, and of some that have been claimed since
        self._next = 1

    def take(self) -> int:
        while self._heap:
            if (number := heapq.heappop(self._heap)) in self._free:
                self._free.remove(number)
                return number
        self._next += 1
        return self._next - 1

    def claim(self, number: int) -> None:
        """Take this one, which must be free."""
        while self._next <= number:
            self.free(self._next)
            self._next += 1
        self._free.remove(number)

    def free(self, number: int) -> None:
        self._free.add(number)
        heapq.heappush(self._heap, number)


class Roster:
    """All rows, in the order in which their names first joined, and the sums over them. What is done with each share
    and each report takes no longer with many rows than with few."""

    def __init__(self) -> None:
        self.accepted = self.rejected = self.stale = self.blocks = self.aux_blocks = 0
        self._rows: dict[str, Row] = {}
        self._gone: dict[str, Row] = {}  # those that left, longest ago first
        self._numbers: dict[str, _Numbers] = {}  # by name, of those that are here
        self._millihashes = 0  # a second, of those that are here: whole numbers, whose sum stays exact
        self._here = 0
        self.hashes = 0  # of all rows, those that were dropped included

    def join(self, name: str, host: str, agent: str, now: float, former: Row | None = None) -> Row:
        """The row for a miner that calls itself so: the `former` one where it is of that name, is still kept and
        nobody has it, else the first of the name that nobody has, else a new one. While another miner of that name is
        here, the newcomer is "name#2"."""
        if former is not None and former.base == name and self._gone.get(former.name) is former:
            numbers = self._numbers.setdefault(name, _Numbers())
            numbers.claim(former.number)
            return self._enter(numbers, former, host, agent, now)
        numbers = self._numbers.setdefault(name, _Numbers())
        while True:
            number = numbers.take()
            free_name = f"{name}#{number}" if number > 1 else name
            row = self._rows.get(free_name)
            if row is None or not row.connected:  # else somebody has given himself a name like this
                break
        if row is None:
            self._make_room()
            row = self._rows[free_name] = Row(free_name)
        row.base, row.number = name, number
        return self._enter(numbers, row, host, agent, now)

    def _enter(self, numbers: _Numbers, row: Row, host: str, agent: str, now: float) -> Row:
        numbers.here += 1
        self._gone.pop(row.name, None)
        row.join(host, agent, now)
        self._here += 1
        self._millihashes += _milli(row.hashrate)
        return row

    def leave(self, row: Row) -> None:
        """Its miner has gone. The row stays, and its name is free again."""
        row.leave()
        self._here -= 1
        self._millihashes -= _milli(row.hashrate)
        self._gone[row.name] = row
        numbers = self._numbers[row.base]
        numbers.free(row.number)
        numbers.here -= 1
        if not numbers.here:
            del self._numbers[row.base]

    def report(self, row: Row, report: MinerReport) -> None:
        """Take a miner's own figures."""
        before, hashes = row.hashrate, row.hashes
        row.report(report)
        self.hashes += row.hashes - hashes
        self._changed(row, before)

    def estimate(self, row: Row, hashrate: float) -> None:
        """Take a hashrate (H/s) that its shares speak for, unless the miner reports its own."""
        if not row.reports:
            before = row.hashrate
            row.estimate(hashrate)
            self._changed(row, before)

    def _changed(self, row: Row, before: float) -> None:
        if row.connected:
            self._millihashes += _milli(row.hashrate) - _milli(before)

    def share(self, row: Row, status: ShareStatus, hashes: float, block: bool, aux: bool = False) -> None:
        """Count a share of the miner that has this row. `hashes`: how many a share of its target takes on average,
        which count if it is accepted; `aux`: a chain that is mined along has taken it as its block."""
        self.hashes += row.share(status, hashes, block, aux)
        self.aux_blocks += aux
        if status is ShareStatus.ACCEPTED:
            self.accepted += 1
            self.blocks += block
        elif status is ShareStatus.STALE:
            self.stale += 1
        else:
            self.rejected += 1

    @property
    def hashrate(self) -> float:
        """Of the miners that are here, H/s."""
        return self._millihashes / 1000

    def rows(self) -> Iterator[MinerStats]:
        """All rows, made one by one as they are asked for: whoever shows thousands of them may take them in steps. May
        be called from any thread."""
        for row in list(self._rows.values()):  # at once: others may join meanwhile
            yield row.stats()

    def here(self) -> list[str]:
        """The names of those that are here, without making their rows. May be called from any thread."""
        return [row.name for row in list(self._rows.values()) if row.connected]

    def summary(self) -> HubSummary:
        """The sums. They take no longer with many rows than with few. May be called from any thread."""
        return HubSummary(self._here, self.hashrate, self.accepted, self.rejected, self.stale, self.hashes, self.blocks,
                          self.aux_blocks, len(self._gone))

    def snapshot(self) -> HubSnapshot:
        """All rows and the sums. May be called from any thread."""
        return HubSnapshot(
            miners=tuple(self.rows()), connected=self._here, hashes=self.hashes, hashrate=self.hashrate,
            accepted=self.accepted, rejected=self.rejected, stale=self.stale, blocks=self.blocks,
            aux_blocks=self.aux_blocks)

    def _make_room(self) -> None:
        if len(self._rows) >= MAX_ROWS and self._gone:
            name = next(iter(self._gone))
            del self._gone[name], self._rows[name]


def _milli(hashrate: float) -> int:
    return round(hashrate * 1000)

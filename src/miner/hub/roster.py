"""The hub's books: a row for each miner that ever joined, and the sums."""

from miner.core.model import MinerReport, ShareStatus
from miner.core.target import expected_hashes
from miner.hub.events import HubSnapshot, MinerStats

MAX_ROWS = 16384  # rows of miners that left are dropped beyond that, oldest first; the sums keep what they did


class Row:
    """What is known of one miner."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.host = self.agent = self.kernel = ""
        self._address = ""
        self.threads = 0
        self.hashrate = 0.0
        self.accepted = self.rejected = self.stale = self.blocks = self.aux_blocks = 0
        self.since = 0.0
        self.connected = False
        self.reports = False
        self._reported = self._earlier = 0  # hashes by the last report; by miners of this name that started before
        self._shares_say = 0.0  # hashes that the accepted shares stand for

    def join(self, host: str, agent: str, now: float) -> None:
        """`host`: its peer address."""
        if host != self._address:  # else the name that it reported before still holds
            self.host = self._address = host
        self.agent, self.since, self.connected = agent, now, True

    def report(self, report: MinerReport) -> None:
        """A miner counts from its own start: with fewer hashes than before it is a new process under the same name."""
        if report.hashes < self._reported:
            self._earlier += self._reported
        self._reported, self.reports = report.hashes, True
        self.kernel, self.threads, self.hashrate = report.kernel, report.threads, report.hashrate
        self.host = report.host or self.host

    def share(self, status: ShareStatus, target: int, block: bool, aux: bool = False) -> None:
        """Count a share that was to meet `target`. `aux`: a chain that is mined along has taken it as its block."""
        self.aux_blocks += aux
        if status is ShareStatus.ACCEPTED:
            self.accepted += 1
            self._shares_say += expected_hashes(target)
            self.blocks += block
        elif status is ShareStatus.STALE:
            self.stale += 1
        else:
            self.rejected += 1

    @property
    def hashes(self) -> int:
        return self._earlier + self._reported if self.reports else round(self._shares_say)

    def stats(self) -> MinerStats:
        return MinerStats(
            name=self.name, host=self.host, agent=self.agent, kernel=self.kernel, threads=self.threads,
            hashes=self.hashes, hashrate=self.hashrate, estimated=not self.reports, accepted=self.accepted,
            rejected=self.rejected, stale=self.stale, blocks=self.blocks, since=self.since, connected=self.connected,
            aux_blocks=self.aux_blocks)


class Roster:
    """All rows, in the order in which their names first joined, and the sums over them."""

    def __init__(self) -> None:
        self.accepted = self.rejected = self.stale = self.blocks = self.aux_blocks = 0
        self._rows: dict[str, Row] = {}
        self._dropped_hashes = 0

    def join(self, name: str, host: str, agent: str, now: float) -> Row:
        """The row for a miner that calls itself so: its own from before, else a new one. While another miner of that
        name is here, the newcomer is "name#2"."""
        number, free_name = 2, name
        while free_name in self._rows and self._rows[free_name].connected:
            free_name, number = f"{name}#{number}", number + 1
        if free_name not in self._rows:
            self._make_room()
        row = self._rows.setdefault(free_name, Row(free_name))
        row.join(host, agent, now)
        return row

    def share(self, row: Row, status: ShareStatus, target: int, block: bool, aux: bool = False) -> None:
        """Count a share of this row that was to meet `target`. `aux`: a chain that is mined along has taken it as its
        block."""
        row.share(status, target, block, aux)
        self.aux_blocks += aux
        self.accepted += status is ShareStatus.ACCEPTED
        self.rejected += status is ShareStatus.REJECTED
        self.stale += status is ShareStatus.STALE
        self.blocks += block and status is ShareStatus.ACCEPTED

    @property
    def hashrate(self) -> float:
        """Of the miners that are here, H/s."""
        return sum((row.hashrate for row in list(self._rows.values()) if row.connected), 0.0)

    def snapshot(self) -> HubSnapshot:
        rows = list(self._rows.values())  # at once: other threads may ask
        return HubSnapshot(
            miners=tuple(row.stats() for row in rows), connected=sum(row.connected for row in rows),
            hashes=self._dropped_hashes + sum(row.hashes for row in rows), hashrate=self.hashrate,
            accepted=self.accepted, rejected=self.rejected, stale=self.stale, blocks=self.blocks,
            aux_blocks=self.aux_blocks)

    def _make_room(self) -> None:
        if len(self._rows) >= MAX_ROWS:
            gone = next(row for row in self._rows.values() if not row.connected)
            self._dropped_hashes += self._rows.pop(gone.name).hashes

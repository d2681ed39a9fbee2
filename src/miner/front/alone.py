"""The sums of a miner that runs alone, as its events tell them: what a hub's books are for a hub."""

from miner import __version__
from miner.core.average import MINUTE, QUARTER, Averages
from miner.core.events import Hashrate, ShareDone, Started, Totals
from miner.front.snapshot import Thread
from miner.hub.events import HubSummary, MinerStats

SILENT_SECONDS = 15.0  # after which a thread that tells nothing hashes nothing; they tell every five,
SILENT_TIMES = 3.0  # or three times as long as what it told last had taken, for hashes that take minutes


class Alone:
    """Takes the events of one run of `miner.mine()`. Times are seconds on one clock that never goes back."""

    def __init__(self) -> None:
        self.blocks = 0
        self._started: Started | None = None
        self._told: dict[int, tuple[float, Hashrate]] = {}  # by thread: when, and what it did lately
        self._hashes = self._accepted = self._rejected = self._stale = self._aux_blocks = 0

    def start(self, event: Started) -> None:
        """The threads are ready."""
        self._started = event

    def hashed(self, event: Hashrate, now: float) -> None:
        """A thread told what it did."""
        self._hashes += event.hashes
        self._told[event.thread] = now, event

    def share(self, event: ShareDone) -> None:
        """A verdict came."""
        self._accepted, self._rejected, self._stale = event.accepted, event.rejected, event.stale
        self._aux_blocks += bool(event.result.aux)

    def rest(self) -> None:
        """The threads have nothing to hash."""
        self._told.clear()

    def end(self, totals: Totals) -> None:
        """The run is over, and this is its sum."""
        self.rest()
        self._hashes, self.blocks, self._aux_blocks = totals.hashes, totals.blocks, totals.aux_blocks
        self._accepted, self._rejected, self._stale = totals.accepted, totals.rejected, totals.stale

    def sums(self, now: float) -> HubSummary:
        """The sums, in the form in which a hub has them: of one miner, once its threads are ready."""
        return HubSummary(int(self._started is not None), sum(thread.hashrate for thread in self.threads(now)),
                          self._accepted, self._rejected, self._stale, self._hashes, self.blocks, self._aux_blocks)

    def threads(self, now: float) -> tuple[Thread, ...]:
        """The threads, and what each does now."""
        if self._started is None:
            return ()
        cpus = dict(enumerate(self._started.cpus))
        return tuple(Thread(number, cpus.get(number), self._rate(number, now))
                     for number in range(self._started.threads))

    def row(self, host: str, now: float, began: float, last_share: float, averages: Averages,
            difficulty: float) -> MinerStats | None:
        """The miner's row, None before its threads are ready. `began`: the run; `averages`: of its hashrate."""
        if self._started is None:
            return None
        sums = self.sums(now)
        return MinerStats(
            name=host, host=host, agent=f"sparkminer/{__version__}", kernel=self._started.kernel,
            threads=self._started.threads, hashes=sums.hashes, hashrate=sums.hashrate, estimated=False,
            accepted=sums.accepted, rejected=sums.rejected, stale=sums.stale, blocks=sums.blocks, since=began,
            connected=True, aux_blocks=sums.aux_blocks, hashrate_1m=averages.over(MINUTE, now),
            hashrate_15m=averages.over(QUARTER, now), last_share=last_share, difficulty=difficulty)

    def _rate(self, thread: int, now: float) -> float:
        told = self._told.get(thread)
        if told is None:
            return 0.0
        at, event = told
        return event.hashrate if now - at <= max(SILENT_SECONDS, SILENT_TIMES * event.seconds) else 0.0

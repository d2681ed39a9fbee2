"""The points of a run's charts: a ring of fine ones and a ring of coarse ones, filled as time passes."""

import bisect
from collections import deque
from dataclasses import dataclass

from miner.front.snapshot import LATENCY_BOUNDS, Latency, Sample

FINE_SECONDS, FINE_SAMPLES = 2.0, 300  # ten minutes
COARSE_SECONDS, COARSE_SAMPLES = 60.0, 1440  # a day


@dataclass(frozen=True, slots=True)
class Sums:
    """What is sampled: the hashrate (H/s) and number of miners now, and shares since the start."""

    hashrate: float
    miners: int
    accepted: int
    rejected: int
    stale: int


class _Ring:
    """Samples at whole multiples of `seconds` since `start`."""

    def __init__(self, seconds: float, most: int, start: float) -> None:
        self.samples: deque[Sample] = deque(maxlen=most)
        self.seconds, self.due = seconds, start + seconds
        self._most = most
        self._work = 0.0  # hashes since the last sample, by the rates that were seen
        self._last = Sums(0.0, 0, 0, 0, 0)
        self._verdicts = 0
        self._waited = 0.0

    def hashed(self, hashes: float) -> None:
        self._work += hashes

    def verdict(self, seconds: float) -> None:
        self._verdicts += 1
        self._waited += seconds

    def sample(self, sums: Sums) -> None:
        """Take the sample that is due."""
        last = self._last
        self.samples.append(Sample(
            self.due, self._work / self.seconds, sums.miners, sums.accepted - last.accepted,
            sums.rejected - last.rejected, sums.stale - last.stale,
            self._waited / self._verdicts if self._verdicts else None))
        self._last, self._work, self._verdicts, self._waited = sums, 0.0, 0, 0.0
        self.due += self.seconds

    def skip(self, now: float) -> None:
        """Leave out samples that would be pushed out again at once: nobody asked for so long."""
        behind = int((now - self.due) / self.seconds) - self._most
        self.due += max(0, behind) * self.seconds


class History:
    """Samples of a run that began at `start`, on a clock that never goes back. Memory is bounded, and so is the time
    that each call takes."""

    def __init__(self, start: float) -> None:
        self._fine = _Ring(FINE_SECONDS, FINE_SAMPLES, start)
        self._coarse = _Ring(COARSE_SECONDS, COARSE_SAMPLES, start)
        self._counts = [0] * (len(LATENCY_BOUNDS) + 1)
        self._waited = 0.0
        self._at = start

    def advance(self, now: float, sums: Sums) -> None:
        """Go on to `now`. `sums` held since the last call; their counts of shares are those of now."""
        for ring in (self._fine, self._coarse):
            ring.skip(now)
            at = max(self._at, ring.due - ring.seconds)
            while ring.due <= now:
                ring.hashed(sums.hashrate * max(0.0, ring.due - at))
                at = ring.due
                ring.sample(sums)
            ring.hashed(sums.hashrate * max(0.0, now - at))
        self._at = max(self._at, now)

    def verdict(self, seconds: float) -> None:
        """A verdict on a share came, after this time."""
        self._counts[bisect.bisect_left(LATENCY_BOUNDS, seconds)] += 1
        self._waited += seconds
        self._fine.verdict(seconds)
        self._coarse.verdict(seconds)

    @property
    def latency(self) -> Latency:
        """Of all verdicts so far."""
        return Latency(tuple(self._counts), self._waited)

    @property
    def recent(self) -> tuple[Sample, ...]:
        """The fine samples, oldest first."""
        return tuple(self._fine.samples)

    @property
    def long(self) -> tuple[Sample, ...]:
        """The coarse samples, oldest first."""
        return tuple(self._coarse.samples)

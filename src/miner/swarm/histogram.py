"""Times, counted in steps of one percent: millions of them take no more memory than a few."""

import math
from collections import Counter

STEP = math.log(1.01)
LEAST = 1e-6  # seconds; less is counted as this


class Histogram:
    """Durations in seconds. `total` is how many there are, `largest` the longest."""

    __slots__ = ("total", "largest", "_counts")

    def __init__(self) -> None:
        self.total = 0
        self.largest = 0.0
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[int(math.log(max(seconds, LEAST) / LEAST) / STEP)] += 1
        self.total += 1
        self.largest = max(self.largest, seconds)

    def merge(self, other: "Histogram") -> None:
        """Count all of another as well."""
        self._counts += other._counts
        self.total += other.total
        self.largest = max(self.largest, other.largest)

    def percentile(self, part: float) -> float:
        """The duration that this part of all, from 0 to 1, doesn't exceed, to one percent; 0 where there is none."""
        below = 0
        for step in sorted(self._counts):
            below += self._counts[step]
            if below >= part * self.total:
                return min(LEAST * math.exp((step + 1) * STEP), self.largest)
        return 0.0

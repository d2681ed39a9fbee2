"""Whether another kernel would be faster by now. Pure: it reads no clock and calls no kernel.

The trial at the start took a tenth of a second, and a run takes hours: CPUs throttle, neighbours come and go.
"""

import statistics

EVERY = 600.0  # seconds from one look to the next; twice as many after each change-over, so that none goes on for ever
SOONEST = 60.0  # seconds to the next look where the rate has sunk
SUNK = 0.9  # of the best rate since the last look: less is a reason to look
PAIRS = 15  # turns of each kernel in a look
FASTER = 1.05  # how many times as fast as the present kernel the other must be; less may be chance
_WEIGHT = 0.2  # of one call in the average rate


class KernelReview:
    """Compares the kernel that one thread hashes with, `present`, with a `runner_up`, on real work. Times are seconds
    of any one clock, rates are hashes per second of the thread's CPU time, from which other programs take nothing.

    A look is PAIRS turns of each, one after the other, and the median of the turns' ratios decides. Looks come every
    EVERY seconds, or when the rate has sunk to less than SUNK of what it was. A change-over swaps the two kernels and
    doubles the time to the next look, sunk or not: so in a run of T seconds there are fewer than log2(T / EVERY) + 1.
    """

    def __init__(self, present: str, runner_up: str, now: float) -> None:
        self.present, self.runner_up = present, runner_up
        self._every = EVERY
        self._turns: list[float] = []
        self._rest(now, SOONEST)

    def _rest(self, now: float, soonest: float) -> None:
        self._due, self._soonest = now + self._every, now + soonest
        self._looking, self._rate, self._best = False, 0.0, 0.0

    @property
    def looking(self) -> bool:
        """Whether the next calls are turns of a look, which should be short."""
        return self._looking

    def next_kernel(self, now: float) -> str:
        """The kernel that the thread's next call should be made with."""
        sunk = self._rate < SUNK * self._best and now >= self._soonest
        if not self._looking and (sunk or now >= self._due):
            self._looking, self._turns = True, []
        return self.runner_up if self._looking and len(self._turns) % 2 else self.present

    def measured(self, rate: float, now: float) -> float | None:
        """Take the rate of the call that the last `next_kernel` was for. Returns None, or, when all threads should
        change over, how many times as fast the other kernel is; that one is `present` from now on."""
        if not self._looking:
            self._rate += (rate - self._rate) * (_WEIGHT if self._rate else 1.0)
            self._best = max(self._best, self._rate)
            return None
        self._turns.append(rate)
        if len(self._turns) < 2 * PAIRS:
            return None
        gain = statistics.median(other / own for own, other in zip(self._turns[::2], self._turns[1::2], strict=True))
        if gain <= FASTER:
            self._rest(now, SOONEST)
            return None
        self.present, self.runner_up = self.runner_up, self.present
        self._every *= 2
        self._rest(now, self._every)
        return gain

    def give_up(self, now: float) -> None:
        """End a look that can't be had, as for lack of memory."""
        self._rest(now, SOONEST)

"""Moving averages of a rate, over the last minute and the last 15."""

import math

MINUTE = 60.0
QUARTER = 900.0  # seconds
_STEP_SECONDS = 0.5  # shorter steps wait for the next one: an average is asked for far less often than rates change


class Averages:
    """Averages of a rate that holds until it is set anew. Older values fade exponentially, with 60 and 900 seconds for
    a fall to 1/e, as those of Unix's load average do. Unlike those they are right from the start: what was before the
    first value counts for nothing. Setting a rate takes the same time whatever came before."""

    __slots__ = ("_began", "_at", "_rate", "_minute", "_quarter")

    def __init__(self) -> None:
        self._began = self._at = -1.0  # before the first rate
        self._rate = self._minute = self._quarter = 0.0

    @property
    def begun(self) -> bool:
        """A rate has been set."""
        return self._began >= 0

    def set(self, rate: float, now: float) -> None:
        """From `now` on (seconds of a clock that never goes back) the rate is this one."""
        if not self.begun:
            self._began = self._at = now
        elif (seconds := now - self._at) >= _STEP_SECONDS:
            self._minute += (self._rate - self._minute) * -math.expm1(-seconds / MINUTE)
            self._quarter += (self._rate - self._quarter) * -math.expm1(-seconds / QUARTER)
            self._at = now
        self._rate = rate

    def over(self, window: float, now: float) -> float:
        """The average over the last MINUTE or QUARTER, whichever `window` is; before a first rate 0."""
        if not self.begun:
            return 0.0
        faded = self._minute if window == MINUTE else self._quarter
        faded += (self._rate - faded) * -math.expm1(-max(0.0, now - self._at) / window)
        age = now - self._began
        return faded / -math.expm1(-age / window) if age > 0 else self._rate

"""How hard a miner's shares are: hard enough not to flood the hub, easy enough to see that the miner lives. Pure; the
caller brings the clock (seconds, any origin).

A share target has a ceiling and a floor. It is never harder than the job's network target, so that no block is missed,
unless the source refuses blocks that miss its own share target (`core.offer`). It is not harder than the source's share
target either, so that no share that the source pays for is missed; only this rule gives way where keeping it would
flood the hub.
"""

import functools
import math
from dataclasses import dataclass, field

from miner.core.algorithm import Algorithm
from miner.core.model import Job
from miner.core.target import MAX_TARGET, difficulty_to_target, expected_hashes, target_to_difficulty

EASIEST_TARGET = MAX_TARGET >> 1  # every other hash: an easier one would tell nothing
QUICK_SHARES = 8  # shares that come much faster than wanted: reason enough for a harder target
WINDOW_SHARES = 16  # intervals that are waited for otherwise: fewer are mostly luck
REPORT_SECONDS = 60.0  # how long a reported hashrate counts
TOLERANCE = 1.5  # a change smaller than this factor isn't worth a message
MAX_RAISE, MAX_EASE = 16.0, 8.0


def start_hashes(algorithm: Algorithm, start: float = 0.0, least: float = 0.0) -> float:
    """Expected hashes a share for a miner of unknown speed: those of the difficulty `start`, but no less than those of
    `least`. Without them well under a second's work for any CPU thread of today."""
    wanted = hashes_at(start, algorithm) if start else algorithm.first_guess
    return max(wanted, hashes_at(least, algorithm))


@functools.lru_cache(16)
def hashes_at(difficulty: float, algorithm: Algorithm) -> float:
    """Expected hashes a share at a difficulty, 2 at least: every other hash is as easy as it gets. 0 is no bound."""
    return max(2.0, expected_hashes(difficulty_to_target(difficulty, algorithm)) if difficulty else 0.0)


@dataclass(frozen=True, slots=True)
class ShareTarget:
    """A share target in two equivalent forms: the difficulty that a miner hears, and the target that its shares are
    judged by."""

    difficulty: float
    target: int
    hashes: float = field(init=False, compare=False)  # expected ones for a share

    def __post_init__(self) -> None:
        object.__setattr__(self, "hashes", expected_hashes(self.target))

    def allows(self, told: "ShareTarget") -> bool:
        """Whether a miner that was told another may stay with it: never one that is harder, and an easier one as long
        as it is not worth a message. A source whose target changes with each block would have each miner told so."""
        return self.difficulty / TOLERANCE <= told.difficulty <= self.difficulty


def share_target(job: Job, hashes_per_share: float, flood_hashes: float, *, all_blocks: bool = True) -> ShareTarget:
    """The target for shares of about `hashes_per_share` expected hashes on this job. `flood_hashes`: with fewer the hub
    would get more shares than it can check, and the source's share target is not a bound any more. `all_blocks`: the
    source may want blocks that miss its share target as well."""
    floor = min(job.share_target, _target_of(flood_hashes))
    if all_blocks or job.network_target < job.share_target:
        floor = max(floor, job.network_target)
    target = max(floor, min(_target_of(hashes_per_share), EASIEST_TARGET))
    difficulty = target_to_difficulty(target, job.algorithm)
    if difficulty_to_target(difficulty, job.algorithm) < floor:  # the double was rounded to the hard side
        difficulty = math.nextafter(difficulty, 0.0)
    return ShareTarget(difficulty, difficulty_to_target(difficulty, job.algorithm))


def rounded(hashes: float) -> float:
    """To five significant bits, at most 3% off: thousands of miners then share the targets that follow from it."""
    mantissa, exponent = math.frexp(hashes)
    return math.ldexp(round(mantissa * 32), exponent - 5)


def _target_of(hashes: float) -> int:
    numerator, denominator = max(1.0, hashes).as_integer_ratio()
    return max(1, (MAX_TARGET + 1) * denominator // numerator - 1)


class Vardiff:
    """One miner's speed, as seen from its accepted shares and its reports, and the share size that follows from all
    that it submits: refused shares cost the hub as much."""

    __slots__ = ("hashes_per_share", "_least", "_reported", "_before", "_since", "_hashes", "_shares", "_submitted")

    def __init__(self, start: float, now: float, least: float = 2.0) -> None:
        """`start` and `least`: expected hashes a share, of the first ones and of the easiest ever."""
        self.hashes_per_share = start
        self._least = least
        self._reported: tuple[float, float] | None = None  # hashrate, when
        self._before = (0.0, 0.0)  # hashes and seconds of the windows before this one, older ones counting less
        self._restart(now)

    def _restart(self, now: float) -> None:
        self._since, self._hashes, self._shares = now, 0.0, 0
        self._submitted = 0.0  # hashes that all shares would stand for, were they good

    def resume(self, now: float) -> None:
        """The miner was away, or had no work until now: that time says nothing of its speed."""
        self._restart(now)

    def submitted(self, hashes: float) -> None:
        """A share came in, whatever becomes of it. `hashes`: how many a share of its target takes on average."""
        self._submitted += hashes
        self._shares += 1

    def accepted(self, hashes: float) -> None:
        """A share was accepted. `hashes`: how many a share of its target takes on average."""
        self._hashes += hashes

    def report(self, hashrate: float, now: float) -> None:
        """The miner's own word on its speed, H/s. 0 is none: it has only just begun, or rests."""
        if hashrate > 0:
            self._reported = (hashrate, now)

    def hashrate(self, now: float) -> float:
        """The best guess, H/s; 0 while nothing is known. A report is believed until the shares say at least twice it:
        to understate one's speed is a way to flood the hub."""
        hashes, seconds = self._before[0] + self._hashes, self._before[1] + now - self._since
        seen = hashes / seconds if seconds > 0 else 0.0
        if self._reported is None or now - self._reported[1] > REPORT_SECONDS:
            return seen
        told = self._reported[0]
        return seen if self._shares >= WINDOW_SHARES and seen > 2 * told else told

    def in_a_hurry(self, now: float, seconds_per_share: float) -> bool:
        """Whether shares come so much faster than wanted that `retune` should not wait for its turn."""
        return self._shares >= QUICK_SHARES and now - self._since < self._shares * seconds_per_share / 4

    def retune(self, now: float, seconds_per_share: float) -> bool:
        """Set `hashes_per_share` anew where there is reason to. True when it changed."""
        elapsed = now - self._since
        quick = self.in_a_hurry(now, seconds_per_share)
        slow = self._shares <= 1 and elapsed > QUICK_SHARES * seconds_per_share
        told = self._reported is not None and self._reported[1] >= self._since
        if not (quick or slow or told or elapsed > WINDOW_SHARES * seconds_per_share):
            return False
        # A window without a share still says that the miner is slower than this.
        seen = max(self._submitted, self.hashes_per_share / 2) / max(elapsed, 1e-3)
        rate = self.hashrate(now) if told else seen
        if quick:  # a report that says less is older than these shares
            rate = max(rate, seen)
        wanted = rate * seconds_per_share
        wanted = min(max(wanted, self.hashes_per_share / MAX_EASE, self._least), self.hashes_per_share * MAX_RAISE)
        if not told or elapsed > WINDOW_SHARES * seconds_per_share:
            self._before = (self._before[0] / 2 + self._hashes, self._before[1] / 2 + elapsed)
            self._restart(now)
        if 1 / TOLERANCE < wanted / self.hashes_per_share < TOLERANCE:
            return False
        self.hashes_per_share = max(rounded(wanted), self._least)
        return True

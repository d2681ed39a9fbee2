"""What a swarm has seen of its server: counts, times and their course, by the second."""

import statistics
from collections import Counter
from dataclasses import dataclass, field

from miner.swarm.histogram import Histogram

MAX_KINDS = 64  # of refusals and errors; what else the server thinks of is "other"
MAX_POINTS = 1200  # of a course; then each two neighbours become one
WATCHED_HASHES = 64  # previous hashes whose arrival is still followed


@dataclass(frozen=True, slots=True)
class Point:
    """A moment of the course: `seconds` since the start, and what came in from there on for `span` seconds."""

    seconds: float
    span: float
    answers: int
    latency: Histogram

    def with_next(self, other: "Point") -> "Point":
        """This one and the one that follows it as one."""
        both = Histogram()
        both.merge(self.latency)
        both.merge(other.latency)
        return Point(self.seconds, self.span + other.span, self.answers + other.answers, both)


@dataclass(slots=True)
class Arrival:
    """How a new previous hash comes to the miners. `sent_at`: when the share that made its block was handed in, where
    this swarm found it."""

    sent_at: float | None
    times: list[float] = field(default_factory=list)


class Book:
    """Kept by the swarm; times are of its clock, durations in seconds. `accepted`, `refused` and `late` count the
    shares of honest miners; `late` ones were due, but searching for them took too long. `refusals` holds those of
    misbehaving miners under another name."""

    def __init__(self, miners: int, ramp: float, now: float) -> None:
        self.miners, self._ramp = miners, ramp
        self.began = self.ended = now
        self.opened = self.hung_up = self.here = 0
        self.opened_at = now  # when the last of all miners was connected for the first time
        self.sent = self.accepted = self.refused = self.late = self.unanswered = self.held_back = 0
        self.wrong_sent = self.wrong_accepted = 0  # shares of junk miners, which should all be refused
        self.blocks = 0
        self.storm_seconds: float | None = None  # until all that left are back with a job
        self.refusals: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.connecting, self.first_job, self.latency = Histogram(), Histogram(), Histogram()
        self.own_delay = Histogram()  # from when a share was due until it was handed in
        self.job_first, self.job_median, self.job_last = Histogram(), Histogram(), Histogram()
        self.course: list[Point] = []
        self._span = 1.0
        self._now = Point(0.0, 0.0, 0, Histogram())
        self._arrivals: dict[bytes, Arrival] = {}
        self._block_sent: dict[bytes, float] = {}  # by the previous hash that the block goes on

    def start(self, now: float) -> None:
        """The run begins now."""
        self.began = self.opened_at = now

    def connected(self, seconds: float, now: float) -> None:
        """A connection is there; it took so long."""
        self.connecting.add(seconds)
        self.opened += 1
        if self.opened <= self.miners:
            self.opened_at = now

    def error(self, words: str) -> None:
        """Count something that should not have happened, by the words for it."""
        _count(self.errors, words)

    def refusal(self, words: str, honest: bool) -> None:
        """A share was refused."""
        if honest:
            self.refused += 1
        _count(self.refusals, words if honest else f"{words} (of misbehaving miners)")

    def answer(self, seconds: float, now: float) -> None:
        """An honest miner's share was answered, yes or no, after so long. `latency` leaves out the ramp, in which the
        server has logins to see to; the course has it."""
        if now - self.began >= self._ramp:
            self.latency.add(seconds)
        self._now.latency.add(seconds)

    def block_sent(self, prev_hash: bytes, now: float) -> None:
        """A share was handed in that makes a block on this previous hash."""
        self.blocks += 1
        self._block_sent.setdefault(prev_hash, now)
        while len(self._block_sent) > WATCHED_HASHES:
            del self._block_sent[next(iter(self._block_sent))]

    def new_hash(self, before: bytes, prev_hash: bytes, now: float) -> None:
        """A miner that had a job on one previous hash has one on another."""
        arrival = self._arrivals.get(prev_hash)
        if arrival is None:
            arrival = self._arrivals[prev_hash] = Arrival(self._block_sent.get(before))
            if len(self._arrivals) > WATCHED_HASHES:
                self._conclude(self._arrivals.pop(next(iter(self._arrivals))))
        arrival.times.append(now)

    def finish(self) -> None:
        """All that could come has come."""
        while self._arrivals:
            self._conclude(self._arrivals.pop(next(iter(self._arrivals))))

    def _conclude(self, arrival: Arrival) -> None:
        first = arrival.times[0]
        if arrival.sent_at is not None:
            self.job_first.add(first - arrival.sent_at)
        self.job_median.add(statistics.median(arrival.times) - first)
        self.job_last.add(arrival.times[-1] - first)

    def second(self, now: float) -> Point:
        """To be called each second, and at the end: closes a point of the course, and returns it."""
        self.ended = now
        begun = self._now
        point = Point(begun.seconds, now - self.began - begun.seconds, begun.latency.total, begun.latency)
        self._now = Point(now - self.began, 0.0, 0, Histogram())
        if self.course and self.course[-1].span + point.span <= self._span * 1.1:
            self.course[-1] = self.course[-1].with_next(point)
        else:
            self.course.append(point)
        if len(self.course) >= MAX_POINTS:
            pairs = zip(self.course[::2], self.course[1::2], strict=False)
            self.course, self._span = [one.with_next(two) for one, two in pairs], 2 * self._span
        return point


def _count(counts: Counter[str], words: str) -> None:
    counts[words if words in counts or len(counts) < MAX_KINDS else "other"] += 1

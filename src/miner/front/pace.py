"""How long a share takes on average at this miner's hashrate: a line at the start and with each new difficulty."""

from collections.abc import Iterator

from miner.core.events import Hashrate, NewJob, Started
from miner.core.source import MovedTo, SourceKind
from miner.core.target import expected_hashes, target_to_difficulty

PATIENCE_SECONDS = 600.0  # without a share, until many a pool hangs up: the default of NOMP and its kin
_UNITS = (("year", 365.25 * 86400), ("day", 86400.0), ("hour", 3600.0), ("minute", 60.0))


class Pace:
    """Takes a run's events, and gives the lines about how long a share takes. Such a line comes once every thread's
    hashrate is known, which takes a few seconds."""

    def __init__(self) -> None:
        self._threads = 0
        self._kind: SourceKind | None = None
        self._hashrates: dict[int, float] = {}  # by thread
        self._job: NewJob | None = None
        self._told = 0  # the target that a line was given for

    def lines(self, event: Started | MovedTo | NewJob | Hashrate) -> Iterator[str]:
        """The lines that an event calls for, mostly none."""
        match event:
            case Started():
                self._threads, self._kind = event.threads, event.kind
            case MovedTo():
                self._kind, self._job, self._told = event.kind, None, 0
            case NewJob():
                self._job = event
            case Hashrate():
                self._hashrates[event.thread] = event.hashrate
        hashrate = sum(self._hashrates.values())
        if self._job and hashrate and len(self._hashrates) >= self._threads > 0:
            yield from self._tell(self._job, hashrate)

    def _tell(self, event: NewJob, hashrate: float) -> Iterator[str]:
        job = event.job
        target = event.target or max(job.share_target, job.network_target)
        if target == self._told or self._told and not (self._kind and self._kind.is_stratum):
            return  # a node's difficulty changes all the time, and what a block is worth waiting for hardly does
        self._told = target
        seconds = expected_hashes(target) / hashrate
        noun = "block" if target == job.network_target else "share"
        yield (f"Difficulty {target_to_difficulty(target, job.algorithm):.6g}: "
               f"a {noun} every {duration(seconds)} on average")
        if self._kind is SourceKind.POOL and seconds > PATIENCE_SECONDS:
            yield (f"That is longer than many pools wait ({duration(PATIENCE_SECONDS)}): ask for easier shares with "
                   "--suggest-difficulty, or with a password such as d=N where the pool's help says so")


def duration(seconds: float) -> str:
    """Seconds for people: `0.3 seconds`, `5 minutes`, `3.2e+09 years`."""
    for name, size in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.{0 if seconds < 1e6 * size else 1}{'f' if seconds < 1e6 * size else 'e'}} {name}s"
    return f"{seconds:.2g} seconds" if seconds < 10 else f"{seconds:.0f} seconds"

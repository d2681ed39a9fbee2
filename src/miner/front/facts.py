"""The one place where a run's events become figures. Lines apart, every face of a run (the live screen, the web page,
metrics) shows what stands in the snapshots that are made here, and computes none of its own."""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from miner import __version__
from miner.core.average import MINUTE, QUARTER, Averages
from miner.core.events import BlockFound, Hashrate, MinerEvent, NewJob, ShareDone, Started, Totals, Trouble
from miner.core.model import Job
from miner.core.source import Disconnected, Finished, MovedTo, SourceKind, Talk
from miner.core.target import expected_hashes, target_to_difficulty
from miner.core.text import printable
from miner.front.alone import Alone
from miner.front.history import History, Sums
from miner.front.snapshot import Block, Message, Snapshot
from miner.hub.events import HubBlock, HubEvent, HubShare, HubStopped, HubSummary, MinerJoined, MinerStats

MESSAGES_KEPT = 200
MESSAGE_LENGTH = 500  # characters
BLOCKS_KEPT = 100
EVENTS_KEPT = 400  # that are no shares,
SHARES_KEPT = 100  # and shares
STEP_SECONDS = 0.25  # between two looks at the sums, however many events come between


class Books(Protocol):
    """Who keeps the rows of a hub's miners and their sums: a HubThread. Called from any thread."""

    def rows(self) -> Iterator[MinerStats]:
        """The rows, made one by one as they are asked for."""

    def summary(self) -> HubSummary:
        """The sums, however many rows there are at no more cost."""


@dataclass(frozen=True, slots=True)
class Logged:
    """An event, when it came (seconds since 1970), and its number: they go up with each event."""

    number: int
    time: float
    event: MinerEvent | HubEvent


class Facts:
    """Takes a run's events and gives snapshots. Any thread may call any method. An event takes the same few
    microseconds whatever came before, memory is bounded, and a snapshot doesn't look at the rows: those are made one by
    one by `rows`, so that ten thousand of them can be taken in steps.

    command  "miner", "hub" or "spark"
    seconds  how long the run is to last; 0: until it is stopped
    blocks   how many blocks it is to find; 0: no number of them
    host     the name of this machine, which a miner that runs alone has in its row
    rows     what `rows` gives of a hub's rows; for Spark their sums by executor
    clock    seconds since 1970, never going back

    A hub tells its events in its own thread, and is attached as the books from which rows and sums come.
    """

    def __init__(self, command: str, *, seconds: float = 0.0, blocks: int = 0, host: str = "",
                 rows: Callable[[Iterable[MinerStats]], Iterable[MinerStats]] = lambda rows: rows,
                 clock: Callable[[], float] | None = None) -> None:
        self._command, self._seconds, self._goal_blocks = command, seconds, blocks
        self._host, self._of_rows = host, rows
        self._clock = clock or steady_clock()
        self._lock = threading.RLock()  # re-entrant: a signal's handler may say something
        self._books: Books | None = None
        self._started = self._looked = self._clock()
        self._history = History(self._started)
        self._averages = Averages()
        self._alone = Alone()
        self._source = self._payee = self._algorithm = self._trouble = self._ended = self._address = ""
        self._kind: SourceKind | None = None
        self._job: Job | None = None
        self._target = 0
        self._job_at = self._last_share = self._since = 0.0
        self._messages: deque[Message] = deque(maxlen=MESSAGES_KEPT)
        self._found: deque[Block] = deque(maxlen=BLOCKS_KEPT)
        self._events: deque[Logged] = deque(maxlen=EVENTS_KEPT)
        self._shares: deque[Logged] = deque(maxlen=SHARES_KEPT)
        self._numbers = itertools.count(1)
        self._message_numbers = itertools.count(1)

    def attach(self, books: Books, address: str = "") -> None:
        """Take rows and sums from a hub's books. `address`: where its miners connect to, HOST:PORT."""
        self._books, self._address = books, address
        if self._command == "hub":
            self._since = self._clock()

    def works_for(self, source: str, payee: str, kind: SourceKind, algorithm: str) -> None:
        """Say where work comes from, before any event does: a WorkSource's label, payee, kind and algorithm."""
        self._source, self._payee, self._kind, self._algorithm = source, payee, kind, algorithm

    def message(self, text: str) -> None:
        """Take a line that a person was told."""
        with self._lock:
            self._messages.append(Message(next(self._message_numbers), self._clock(), printable(text, MESSAGE_LENGTH)))

    def take(self, event: MinerEvent | HubEvent) -> None:
        """Take an event, at the moment when it comes."""
        with self._lock:
            now = self._clock()
            if now - self._looked >= STEP_SECONDS:
                self._look(now)
            if not isinstance(event, Talk):
                log = self._shares if isinstance(event, HubShare | ShareDone) else self._events
                log.append(Logged(next(self._numbers), now, event))
            self._book(event, now)

    def _book(self, event: MinerEvent | HubEvent, now: float) -> None:
        match event:
            case HubShare() | ShareDone():
                self._last_share = now
                if event.seconds:
                    self._history.verdict(event.seconds)
                if isinstance(event, ShareDone):
                    self._alone.share(event)
            case Hashrate():
                self._alone.hashed(event, now)
            case Job():
                self._take_job(event, max(event.share_target, event.network_target), now)
            case NewJob():
                self._take_job(event.job, event.target or max(event.job.share_target, event.job.network_target), now)
            case HubBlock() | BlockFound():
                miner = event.miner if isinstance(event, HubBlock) else self._host
                job = event.result.share.job
                self._found.append(Block(now, event.block_hash, job.height, miner, self._source))
                self._alone.blocks += isinstance(event, BlockFound)
            case Started():
                self._source, self._payee, self._kind = event.source, event.payee, event.kind
                self._algorithm = event.algorithm
                self._alone.start(event)
                self._since = now
            case MinerJoined():
                self._since = self._since or now
            case MovedTo():
                self._source, self._payee, self._kind, self._job = event.label, event.payee, event.kind, None
            case Disconnected():
                self._trouble, self._job = event.reason, None
                self._alone.rest()
            case Trouble(message, fatal=True):
                self._ended = message
            case Finished(reason) | HubStopped(reason):
                self._ended = reason
            case Totals():
                self._ended = self._ended or "done"
                self._alone.end(event)

    def _take_job(self, job: Job, target: int, now: float) -> None:
        self._job, self._target, self._job_at, self._trouble = job, target, now, ""

    def _look(self, now: float) -> None:
        """Let time pass: sums that were, until now, become history."""
        sums = self._sums(now)
        self._history.advance(now, Sums(sums.hashrate, sums.connected, sums.accepted, sums.rejected, sums.stale))
        if sums.connected or self._averages.begun:  # before the first miner there is nothing to be averaged
            self._averages.set(sums.hashrate, now)
        self._looked = now

    def _sums(self, now: float) -> HubSummary:
        return self._alone.sums(now) if self._books is None else self._books.summary()

    def rows(self) -> Iterable[MinerStats]:
        """A row for each miner, those that have left included, in the order in which they came. They are made one by
        one as they are asked for."""
        if self._books is not None:
            return self._of_rows(self._books.rows())
        with self._lock:
            now = self._clock()
            self._look(now)
            row = self._alone.row(self._host, now, self._started, self._last_share,
                                  self._averages, self._difficulty(self._target))
        return () if row is None else (row,)

    def log(self, after: int = 0) -> list[Logged]:
        """The newest events whose number is above `after`, oldest first, at most EVENTS_KEPT and SHARES_KEPT. Talk, as
        hashrates are, is not among them."""
        with self._lock:
            kept = [*self._events, *self._shares]
        return sorted((logged for logged in kept if logged.number > after), key=lambda logged: logged.number)

    def snapshot(self) -> Snapshot:
        """The run as it is now."""
        with self._lock:
            now = self._clock()
            self._look(now)
            sums = self._sums(now)
            network_target = self._job.network_target if self._job else 0
            return Snapshot(
                command=self._command, version=__version__, time=now, started=self._started, seconds=self._seconds,
                since=self._since, goal_blocks=self._goal_blocks, ended=self._ended, address=self._address,
                algorithm=self._algorithm, source=self._source, payee=self._payee, kind=self._kind,
                trouble=self._trouble, share_difficulty=self._difficulty(self._target),
                network_difficulty=self._difficulty(network_target),
                share_seconds=_patience(self._target if self._job else 0, sums.hashrate),
                block_seconds=_patience(network_target, sums.hashrate),
                height=self._job.height if self._job else None, job=self._job_at, miners=sums.connected,
                gone=sums.gone, hashrate=sums.hashrate,
                hashrate_1m=self._averages.over(MINUTE, now), hashrate_15m=self._averages.over(QUARTER, now),
                hashes=sums.hashes, accepted=sums.accepted, rejected=sums.rejected, stale=sums.stale,
                blocks=sums.blocks, aux_blocks=sums.aux_blocks, last_share=self._last_share,
                latency=self._history.latency, recent=self._history.recent, long=self._history.long,
                found=tuple(self._found), messages=tuple(self._messages), threads=self._alone.threads(now))

    def _difficulty(self, target: int) -> float:
        return target_to_difficulty(target, self._job.algorithm) if target and self._job else 0.0


def _patience(target: int, hashrate: float) -> float | None:
    return expected_hashes(target) / hashrate if target and hashrate else None


def steady_clock() -> Callable[[], float]:
    """A clock of seconds since 1970 that never goes back and makes no jump, whatever is done to this machine's."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()

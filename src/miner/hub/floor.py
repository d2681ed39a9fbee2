"""What the miners at a hub share: the current job and its slices, the judge, the books, and where events go."""

import itertools
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from miner.core.algorithm import Algorithm
from miner.core.model import Job
from miner.core.target import expected_hashes
from miner.hub.config import HubConfig
from miner.hub.door import Door
from miner.hub.editions import Edition, Given
from miner.hub.events import HubEvent, HubSummary
from miner.hub.judge import Judge
from miner.hub.roster import Roster, Row
from miner.hub.sessions import Sessions
from miner.hub.slices import Layout, Slices
from miner.hub.tokens import Tokens
from miner.hub.vardiff import ShareTarget, Vardiff, hashes_at, rounded, share_target, start_hashes
from miner.stratum.messages import VERSION_MASK
from miner.wrong_door import Speech

MAX_TARGETS = 1024  # that are kept, for thousands of miners to share


@dataclass(frozen=True, slots=True)
class Left:
    """What a miner leaves behind, to go on with it when it comes back: its slice, the edition that it was given last,
    all of those that it may still bring shares of, its row and its speed."""

    slices: Slices
    number: int
    edition: Edition | None
    given: dict[str, Given]
    row: Row
    vardiff: Vardiff | None


class Floor:
    """One for each hub. `members` is how many miners are logged in, `tells_shares` whether each share is an event."""

    def __init__(self, config: HubConfig, judge: Judge, emit: Callable[[HubEvent], None],
                 tells_shares: bool = True) -> None:
        self.config, self.judge, self.emit, self.tells_shares = config, judge, emit, tells_shares
        self.door = Door(config, emit)
        self.tokens = Tokens(config.token, config.users)
        self.roster = Roster()
        self.members = 0
        self.job: Job | None = None
        self.layout: Layout | None = None  # None: no job has come yet
        self.slices = Slices(0)
        self.sessions: Sessions[Left] = Sessions(config.session_seconds, config.max_miners, time.monotonic)
        self.present: dict[str, Callable[[str], bool]] = {}  # by session id: ends a miner's connection, if of this name
        self._rolled: int | None = None  # bits of the version that the source leaves to miners
        self.stopping = ""  # why miners are sent away, once they are
        self._editions: list[Edition] = []  # of the current job, as far as somebody was given it so often
        self._targets: dict[tuple[float, float, bool], ShareTarget] = {}  # on such jobs, by what they follow from
        self._source_hashes = 0.0  # expected ones for a share of the source's on the current job
        self._numbers = itertools.count()  # of editions
        self._job_ids = itertools.count(secrets.randbits(32))  # miners outlive a hub that is started again
        self._start_hashes = start_hashes(judge.algorithm, config.start_difficulty, config.least_difficulty)

    def new_job(self, job: Job) -> bool:
        """Make this the current job. True when the slices were cut anew. Raises SourceError where they can't be."""
        anew = self.layout is None or not self.layout.fits(job)
        if anew:
            self.layout = Layout.of(job.extranonce2_size, self.config.max_miners)
            self.slices = Slices(self.layout.slices)
        elif self.job is None or job.prev_hash != self.job.prev_hash:
            self.slices.chain_moved()
        if self.job is None or (job.share_target, job.network_target) != (
                self.job.share_target, self.job.network_target):  # else thousands of miners stay with their targets
            self._targets.clear()
        self.job, self._rolled = job, job.version_mask
        self._editions.clear()
        self._source_hashes = expected_hashes(job.share_target)
        self.judge.new_job(job)
        return anew

    def refused_login(self, host: str) -> None:
        """Somebody came without the token."""
        self.door.refused("didn't know the hub's token",
                          f"refused a miner from {host}: it doesn't know the hub's token")

    def wrong_door(self, host: str, speech: Speech) -> None:
        """Somebody came with another protocol."""
        spoken = "with TLS (stratum+tcps://)" if self.config.tls else "without TLS (stratum+tcp://)"
        said = f"{speech.value} without TLS" if self.config.tls else speech.value
        self.door.refused(f"spoke {said}", f"refused somebody from {host} who speaks {said}: the hub speaks stratum, "
                          f"{spoken}")

    def thrown_out(self, host: str, reason: str) -> None:
        """Somebody sent nothing but nonsense."""
        self.door.refused("sent nonsense", f"threw out {host}: {reason}")
        self.door.ban(host)

    @property
    def version_mask(self) -> int:
        """The bits of the version that a miner who asks now may choose: the source's; until its first job comes, those
        that it may turn out to leave."""
        if self._rolled is None:
            return VERSION_MASK if self.judge.algorithm.rolls_version else 0
        return self._rolled

    def source_lost(self) -> None:
        """Jobs so far are void, until the next one comes."""
        self.job = None
        self.judge.void()

    @property
    def newest_edition(self) -> Edition | None:
        """The one of the current job that was made last; None where nobody was given the job yet."""
        return self._editions[-1] if self._editions else None

    def edition(self, before: Edition | None) -> Edition:
        """The current job's edition for a miner that was given the one `before` as its last: none that it has had."""
        job, layout = self.job, self.layout
        assert job is not None and layout is not None
        again = before.again + 1 if before is not None and before.job is job else 0
        while again >= len(self._editions):
            self._editions.append(Edition(f"{next(self._job_ids):x}", job, layout, next(self._numbers),
                                          len(self._editions)))
        return self._editions[again]

    def summary(self) -> HubSummary:
        """How all of it does."""
        return self.roster.summary()

    @property
    def seconds_per_share(self) -> float:
        """For each miner, so that all together stay below the limit."""
        return max(self.config.seconds_per_share, self.members / self.config.max_shares_per_second)

    def vardiff(self, algorithm: Algorithm, now: float) -> Vardiff:
        """For a miner of unknown speed."""
        return Vardiff(self._start_hashes, now, hashes_at(self.config.least_difficulty, algorithm))

    def target_for(self, vardiff: Vardiff, now: float) -> ShareTarget:
        """What a miner's shares must meet on the current job."""
        job, refused = self.job, self.judge.offer.refused
        assert job is not None, "no job, no target"
        rate = vardiff.hashrate(now)
        flood = rate * self.members / self.config.max_shares_per_second if rate else self._start_hashes
        flood = rounded(flood) if flood > self._source_hashes else 0.0  # 0: the source's own target is the harder bound
        wanted = (vardiff.hashes_per_share, flood, refused)
        target = self._targets.get(wanted)
        if target is None:
            target = share_target(job, vardiff.hashes_per_share, flood, all_blocks=not refused)
            if len(self._targets) >= MAX_TARGETS:
                self._targets.clear()
            self._targets[wanted] = target
        return target

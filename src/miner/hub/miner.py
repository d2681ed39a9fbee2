"""One miner at the hub: its slice, its difficulty, the jobs that it has and the shares that it brings. No sockets."""

import re
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from miner.core.algorithm import sha256d
from miner.core.header import display_hash
from miner.core.model import MinerReport, Share, ShareResult, ShareStatus, Work
from miner.core.text import one_line
from miner.hub.editions import SLICE_DIGITS, Edition, Given
from miner.hub.events import HubBlock, HubShare, MinerJoined, MinerLeft, MinerReported
from miner.hub.floor import Floor, Left
from miner.hub.judge import Verdict, refused
from miner.hub.roster import Row
from miner.hub.slices import Slices
from miner.hub.vardiff import ShareTarget, Vardiff
from miner.stratum.reject import Reject
from miner.stratum.server_events import Authorizing, Submitting, Subscribing
from miner.stratum.server_protocol import ServerProtocol

NAME_LENGTH = 64
WORKER_LENGTH = 32  # characters of it that a pool is told
JOBS_KEPT = 16  # jobs of one miner whose shares are still told apart from nonsense
BAD_SHARES = 50  # that the hub itself refuses, without a good one between, are too many: no working miner does that
UNKNOWN_SECONDS = 10.0  # after a new job a miner may still bring shares on one from an earlier connection
NTIME_AHEAD = 2 * 60 * 60  # seconds that a miner may roll a job's time on; nodes allow as much


class GoneError(Exception):
    """The connection must end, for this reason."""


class JunkError(GoneError):
    """The connection must end, and whoever is at its other end is not to come back for a while."""


@dataclass(slots=True)
class _Worker:
    """A name that has logged in on a connection. `hashes`: what its accepted shares there stand for."""

    row: Row
    hashes: float = 0.0


@dataclass(slots=True)
class _Searched:
    """What a share was found in: job id, extranonce2, time and version bits as the miner names them, what it was given
    by that id, and the number of the slice. `work` is the header, once that has been made: a CPU miner's next share
    differs in its nonce alone."""

    asked: tuple[str, bytes, int, int | None]
    given: Given
    number: int
    work: Work | None = None


class HubMiner:
    """Speaks through `protocol`; the connection sends what that has to send after each call. Methods raise GoneError
    when the connection must end; `hang_up`, called with the reason, ends it from elsewhere."""

    __slots__ = ("host", "wasted", "_floor", "_protocol", "_hang_up", "_asking", "_asked_session", "_slices", "_number",
                 "_former", "_row", "_workers", "_session", "_left_before", "_left", "_vardiff", "_given", "_edition",
                 "_told", "_told_refused", "_bad_shares", "_given_at", "_latest")

    def __init__(self, floor: Floor, protocol: ServerProtocol, hang_up: Callable[[str], None]) -> None:
        self._floor, self._protocol, self._hang_up = floor, protocol, hang_up
        protocol.offer_versions(floor.version_mask)
        self.host = ""  # its peer address, once connected
        self._asking: Subscribing | None = None  # waits for the source's first job
        self._slices: Slices | None = None  # where our slice is from
        self._number = 0
        self._former: int | None = None  # the number of the slice that it had before that
        self._row: Row | None = None  # of the first that has logged in
        self._workers: dict[str, _Worker] = {}  # by user name
        self._session = ""  # by which it may have all of this again
        self._asked_session = ""  # by which it asked for what it had before
        self._left_before: Left | None = None  # what it has again, once it has logged in
        self._left = False
        self._vardiff: Vardiff | None = None  # once it has a job
        self._given: dict[str, Given] = {}  # by the edition's id, oldest first
        self._edition: Edition | None = None  # the latest of these
        self._told: ShareTarget | None = None  # the latest difficulty, and the target that it stands for
        self._told_refused = False  # whether the source was known by then to refuse blocks that miss its target
        self.wasted = 0.0  # CPU seconds that hashes of its took which were no shares
        self._bad_shares = 0
        self._latest: _Searched | None = None  # of its latest share
        self._given_at = 0.0  # when it got its latest job (time.monotonic)

    # In and out

    @property
    def logged_in(self) -> bool:
        """It has shown the token."""
        return self._row is not None

    @property
    def waiting(self) -> bool:
        """It has subscribed, and waits for the hub to have work."""
        return self._asking is not None

    @property
    def name(self) -> str:
        """What it is called in the books; "" before it has logged in."""
        return self._row.name if self._row else ""

    def subscribe(self, asking: Subscribing) -> None:
        """The miner wants in; the answer may have to wait: see `admit`."""
        self._asking, self._asked_session = asking, asking.session
        self.admit()

    def admit(self) -> None:
        """Answer a mining.subscribe with a slice, as soon as there is work to slice. Until then it waits: once it is
        subscribed, minerd goes on with a job from before. A miner that knows our extension rests without that."""
        layout = self._floor.layout
        if self._asking is None or layout is None or (self._floor.job is None and not self._protocol.extension):
            return
        number = self._slice_from_before(self._asking.session)
        if number is None:
            number = self._floor.slices.take()
        if number is None and self._floor.door.free_slice():
            number = self._floor.slices.take()
        if number is None:
            self._protocol.refuse(self._asking, Reject.OTHER, "the hub is full: no slice of the work is left")
            raise GoneError("the hub is full")
        self._slices, self._number = self._floor.slices, number
        if self._edition is None and self._slices.worked(number):
            self._edition = self._floor.newest_edition  # another miner may have had all up to this one
        self._session = self._session or secrets.token_hex(8)
        self._protocol.subscribe(self._asking, layout.prefix(number), layout.rest_size, self._session)
        self._asking = None
        self._start()

    def _slice_from_before(self, session: str) -> int | None:
        """The number of the slice that this session had, if it is still to be had."""
        before = self._floor.sessions.find(session) if session else None
        if before is None:
            return None
        self._session, self._left_before = session, before
        if before.slices is not self._floor.slices or not before.slices.retake(before.number):
            return None
        self._edition = before.edition
        return before.number

    def authorize(self, asking: Authorizing) -> None:
        """A worker of the miner logs in. Raises GoneError where it doesn't show the token."""
        if not self._floor.tokens.admit(asking.username, asking.password, self._protocol.nonce):
            self._protocol.refuse(asking, Reject.UNAUTHORIZED, "wrong token: give the hub's token as the password")
            self._floor.refused_login(self.host)
            raise GoneError("wrong token")
        self._protocol.accept(asking)
        if self._floor.stopping:
            self.stop(self._floor.stopping)
        elif asking.username not in self._workers:
            name = one_line(asking.username, NAME_LENGTH) or "miner"
            agent = one_line(self._protocol.user_agent, NAME_LENGTH)
            if self._row is None:
                self._take_over(name)
            former = self._left_before.row if self._left_before and self._row is None else None
            row = self._floor.roster.join(name, self.host, agent, time.time(), former)
            self._workers[asking.username] = _Worker(row)
            if self._row is not None:  # another worker on this connection
                row.difficulty = self._row.difficulty
                self._floor.emit(MinerJoined(row.stats()))
                return
            self._row = row
            self._floor.members += 1
            self._floor.emit(MinerJoined(row.stats()))
            self._start()

    def _take_over(self, name: str) -> None:
        """End the miner's former connection, which may still be there: it hangs where the miner's end has gone without
        a word. The slice stays with the session."""
        give_way = self._floor.present.get(self._asked_session)
        if give_way is not None and give_way(name):
            self._left_before = self._floor.sessions.find(self._asked_session)

    def _give_way(self, name: str) -> bool:
        """End this connection if it is that of a miner of this name: it has come back on another one."""
        if self._row is None or self._row.base != name:
            return False
        reason, hang_up = "the miner came back on another connection", self._hang_up
        self.leave(reason)
        hang_up(reason)
        return True

    def _start(self) -> None:
        """Subscribed and logged in, in whatever order."""
        before = self._left_before
        if self._row is not None and before is not None:
            self._left_before = None
            if before.row.base == self._row.base:
                self._floor.sessions.drop(self._asked_session)
                self._former, self._given, self._vardiff = before.number, before.given, before.vardiff
                if self._vardiff is not None:
                    self._vardiff.resume(time.monotonic())
            else:
                self._session = ""  # somebody else's
        if self._row is not None and self._session:
            self._floor.present[self._session] = self._give_way
        self.give(clean=True)

    def stop(self, reason: str) -> None:
        """No more work: the miner is told where it understands that, and else sent away."""
        if not self._protocol.extension:
            raise GoneError(reason)
        self._protocol.stop(reason)

    def give_up_slice(self) -> bool:
        """A slice is for good once its miner has logged in. Miners subscribe first, so it is lent until then, and taken
        back where it is needed. False where there is none to give up."""
        if self._row is not None or self._slices is None:
            return False
        self._slices.free(self._number, worked=False)
        self._slices = None
        return True

    def leave(self, reason: str) -> None:
        """The connection has ended. Shares that are being checked may still be booked. May be called twice."""
        if self._left:
            return
        self._left = True
        self._hang_up = _nobody  # else connection and miner hold each other, until the rare collector comes
        self._floor.present.pop(self._session, None)
        if self._slices is not None and self._row is not None and self._session:
            left = Left(self._slices, self._number, self._edition, self._given, self._row, self._vardiff)
            self._floor.sessions.keep(self._session, left)
        if self._slices is not None:
            self._slices.free(self._number, worked=bool(self._given))
            self._slices = None
        if self._row is not None:
            self._floor.members -= 1
        for worker in self._workers.values():
            self._floor.roster.leave(worker.row)
            self._floor.emit(MinerLeft(worker.row.stats(), reason))

    # Jobs

    def give(self, clean: bool) -> None:
        """Hand out the current job, with the difficulty that its shares will be judged by; nothing before the miner is
        in."""
        floor, protocol, job = self._floor, self._protocol, self._floor.job
        protocol.offer_versions(floor.version_mask)
        if self._row is None or self._left or self._slices is None or job is None:
            return
        now = time.monotonic()
        if self._vardiff is None:
            self._vardiff = floor.vardiff(job.algorithm, now)
        wanted = floor.target_for(self._vardiff, now)
        if self._told is not wanted and (self._told is None or not wanted.allows(self._told)):
            self._told = wanted
            for worker in self._workers.values():
                worker.row.difficulty = wanted.difficulty
            protocol.set_difficulty(wanted.difficulty)
        self._told_refused = floor.judge.offer.refused
        self._given_at = now
        edition = self._edition = floor.edition(self._edition)
        self._given[edition.job_id] = edition.given(self._told, protocol.version_mask)
        if len(self._given) > JOBS_KEPT:
            del self._given[next(iter(self._given))]
        protocol.announce(edition.line(self._number, clean))

    def pause(self, reason: str, seconds: float) -> None:
        """The source is away: a miner that knows our extension is told to rest."""
        if self._row is not None and not self._left and self._protocol.extension:
            self._protocol.pause(f"the hub lost its source of work: {reason}", seconds)

    def send_off(self) -> None:
        """The source stays away. Stratum has no word to halt a miner, and one that has a job goes on with it, to no
        use. minerd and cpuminer-opt rest while they are not subscribed; they come back at once, and wait for that."""
        if self._given and not self._protocol.extension:
            raise GoneError("the hub has lost its source of work")

    def move(self) -> None:
        """The slices were cut anew: take one of the new ones, or ask the miner to come back for it."""
        layout = self._floor.layout
        if self._slices in (None, self._floor.slices) or layout is None:
            return
        number = self._floor.slices.take() if self._protocol.extranonce_changes else None
        if number is None:
            self._protocol.reconnect()
            raise GoneError("the source's extranonce2 has another size now")
        self._slices, self._former, self._number = self._floor.slices, self._number, number
        self._protocol.set_extranonce(layout.prefix(number), layout.rest_size)

    def report(self, report: MinerReport) -> None:
        """The miner's own figures."""
        if self._row is not None and not self._left:
            self._floor.roster.report(self._row, report)
            self._floor.emit(MinerReported(self._row.stats()))
            if self._vardiff is not None and self._floor.job is not None:
                self._vardiff.report(report.hashrate, time.monotonic())
                self.retune()

    def retune(self) -> None:
        """Adapt the difficulty where that is due. The current job is given again with it, unless the miner would then
        search it from its start again."""
        job, layout, now = self._floor.job, self._floor.layout, time.monotonic()
        if self._vardiff is None or self._row is None or self._left or layout is None:
            return
        if job is None:
            self._vardiff.resume(now)  # without work it is at rest
            return
        changed = self._vardiff.retune(now, self._floor.seconds_per_share)
        self._estimate(self._vardiff.hashrate(now))
        changed = changed or self._told_refused != self._floor.judge.offer.refused
        edition = self._edition
        if not changed or edition is not None and edition.job is job and edition.again >= layout.editions - 1:
            return
        if self._told is None or not self._floor.target_for(self._vardiff, now).allows(self._told):
            self.give(clean=False)

    def _estimate(self, hashrate: float) -> None:
        """Book a hashrate (H/s) that the shares speak for, as each worker's part of them is."""
        if len(self._workers) == 1 and self._row is not None:
            self._floor.roster.estimate(self._row, hashrate)
        elif hashes := sum(worker.hashes for worker in self._workers.values()):
            for worker in self._workers.values():
                self._floor.roster.estimate(worker.row, hashrate * worker.hashes / hashes)

    # Shares

    def check(self, asking: Submitting) -> Coroutine[Any, Any, None] | None:
        """Have a share judged, answer and book it. Where there is something to wait for, the rest is returned, to be
        awaited; several of them may be awaited at a time. A share that is late whatever is in it costs no more than to
        say so."""
        came, latest = time.monotonic(), self._latest
        asked = asking.job_id, asking.extranonce2, asking.ntime, asking.version_bits
        if latest is None or latest.asked != asked:
            latest = self._find(asked)
            if latest is None:
                self._answer(asking, 0.0, refused(Reject.STALE, "job not found"), came,
                             bad=came - self._given_at > UNKNOWN_SECONDS)
                return None
        hashes = latest.given.target.hashes
        if self._vardiff is not None:
            self._vardiff.submitted(hashes)
        verdict = self._judge(asking, latest)
        if not isinstance(verdict, Verdict):
            return self._await(asking, hashes, verdict, came)
        self._conclude(asking, hashes, verdict, came)
        return None

    def _find(self, asked: tuple[str, bytes, int, int | None]) -> _Searched | None:
        """What the miner was given, and in which slice, by the job id that a share names."""
        job_id = asked[0]
        given, end = self._given.get(job_id[:-SLICE_DIGITS]), job_id[-SLICE_DIGITS:]
        if given is not None:
            for number in (self._number, self._former):
                if number is not None and end == f"{number:04x}":
                    return _Searched(asked, given, number)
        return None

    def _judge(self, asking: Submitting, searched: _Searched) -> Verdict | Coroutine[Any, Any, Verdict]:
        judge, given = self._floor.judge, searched.given
        if reason := judge.in_vain(given.edition.job):
            return refused(Reject.STALE, reason)
        if searched.work is None:
            try:
                searched.work = _work_of(asking, given, searched.number)
            except ValueError as error:
                return refused(Reject.OTHER, str(error))
            self._latest = searched
        worker = _worker_name(asking.username) if self._floor.config.pass_workers else ""
        return judge.check(Share(searched.work, asking.nonce, worker), given.target.target)

    async def _await(self, asking: Submitting, hashes: float, verdict: Coroutine[Any, Any, Verdict],
                     came: float) -> None:
        concluded = await verdict
        self.wasted += concluded.wasted
        self._conclude(asking, hashes, concluded, came)

    def _conclude(self, asking: Submitting, hashes: float, verdict: Verdict, came: float) -> None:
        self._answer(asking, hashes, verdict, came,
                     bad=verdict.status is ShareStatus.REJECTED and not (verdict.upstream or verdict.busy))
        floor, vardiff = self._floor, self._vardiff
        if vardiff is not None and (vardiff.in_a_hurry(came, floor.seconds_per_share)
                                    or self._told_refused != floor.judge.offer.refused):
            self.retune()  # else each miner has its turn every few seconds

    def _answer(self, asking: Submitting, hashes: float, verdict: Verdict, came: float, *, bad: bool) -> None:
        """Tell the miner, where it is still here, the books and whoever listens. `hashes`: expected ones for such a
        share. `came`: when it did, on time.monotonic's clock. `bad`: no working miner does that."""
        if self._row is None:
            return
        if not self._left:
            if verdict.code is None:
                self._protocol.accept(asking, no_block=verdict.no_block)
            else:
                self._protocol.refuse(asking, verdict.code, verdict.reason)
        roster, worker = self._floor.roster, self._workers[asking.username]
        if verdict.status is ShareStatus.ACCEPTED:
            self._bad_shares = 0
            worker.hashes += hashes
            if self._vardiff is not None:
                self._vardiff.accepted(hashes)
        roster.share(worker.row, verdict.status, hashes, verdict.block, bool(verdict.aux))
        if self._floor.tells_shares:
            self._floor.emit(HubShare(
                worker.row.name, verdict.status, verdict.reason, verdict.block, verdict.upstream, verdict.share,
                roster.accepted, roster.rejected, roster.stale, roster.hashrate, time.monotonic() - came))
        if verdict.block and verdict.share is not None and verdict.status is ShareStatus.ACCEPTED:
            result = ShareResult(verdict.share, verdict.status, block=True, aux=verdict.aux)
            self._floor.emit(HubBlock(worker.row.name, result, display_hash(sha256d(verdict.share.header))))
        self._bad_shares += bad
        if self._bad_shares >= BAD_SHARES:
            raise JunkError(f"{BAD_SHARES} bad shares and no good one")


def _work_of(asking: Submitting, given: Given, number: int) -> Work:
    """The header that a share from the slice of this number is on. Raises ValueError where the miner was given none
    such."""
    job, mask, bits = given.edition.job, given.version_mask, asking.version_bits
    if not job.ntime <= asking.ntime <= job.ntime + NTIME_AHEAD:
        raise ValueError("ntime out of range")
    extranonce2 = given.edition.extranonce2(number, asking.extranonce2)
    if bits is not None and bits & ~mask:
        raise ValueError("version bits outside the mask")
    return job.work(extranonce2, asking.ntime, job.version if bits is None else job.version & ~mask | bits)


def _nobody(reason: str) -> None:
    """Who can be hung up on where the connection has ended."""


def _worker_name(username: str) -> str:
    """What a pool is told of a miner's name: what stands behind its first dot, or all of it where there is none, in
    letters that every pool takes."""
    user, _, worker = username.partition(".")
    return re.sub(r"[^A-Za-z0-9_-]", "-", worker or user)[:WORKER_LENGTH]

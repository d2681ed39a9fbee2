"""What a pool has said about work on one connection: the jobs that it issued, and what the next one will be made of."""

import dataclasses
from collections import OrderedDict
from dataclasses import dataclass

from miner.core.algorithm import Algorithm
from miner.core.errors import ProtocolError
from miner.core.model import Job, Share
from miner.stratum import messages

MAX_JOBS = 256  # whose shares can still be handed in


@dataclass(frozen=True, slots=True)
class _Issued:
    """A job's block, and the job's id as the pool wrote it, where that was a number. The job itself may be large."""

    block: bytes
    raw_id: str | int | None


class PoolJobs:
    """The jobs of one connection.

    `difficulty` (in the algorithm's own scale), `extranonce` (extranonce1 and the size of extranonce2 in bytes) and
    `version_mask` are those of the next job. `extranonce` is None before the pool has said it, `version_mask` where the
    pool leaves no bits of the version to the miner (BIP 310).
    """

    def __init__(self, algorithm: Algorithm) -> None:
        self.difficulty = 1.0  # what pools mean that never say
        self.extranonce: tuple[bytes, int] | None = None
        self.version_mask: int | None = None
        self._algorithm = algorithm
        self._open = False  # the login holds
        self._waiting: messages.Notify | None = None  # the newest job, until it does
        self._last: Job | None = None
        self._issued: OrderedDict[str, _Issued] = OrderedDict()  # by job id
        self._issued_with: tuple[bytes, int] | None = None  # the extranonce of all of them

    def __len__(self) -> int:
        """How many jobs shares can still be handed in for: up to MAX_JOBS."""
        return len(self._issued)

    def resume(self, earlier: "PoolJobs") -> None:
        """Take over the jobs of an earlier connection if the pool has given us its extranonce again: shares that were
        found for them can then be handed in here."""
        if earlier._issued_with == self.extranonce:
            self._issued, self._issued_with = earlier._issued.copy(), earlier._issued_with

    def take(self, notify: messages.Notify) -> Job | None:
        """A job from the pool. It comes out at once where the login holds, else with `release`. None where it doesn't
        come out yet, or is the last one over again: whoever works on that goes on. Raises ProtocolError where it can't
        be mined."""
        if self._open:
            return self._issue(notify)
        clean = notify.clean or self._waiting is not None and self._waiting.clean  # the chain moved in between
        self._waiting = dataclasses.replace(notify, clean=clean)
        return None

    def release(self) -> Job | None:
        """The login holds: the newest job that came before it, if there was one. Raises ProtocolError where that can't
        be mined."""
        self._open = True
        notify, self._waiting = self._waiting, None
        return self._issue(notify) if notify else None

    def close(self) -> None:
        """The login is being repeated: jobs are kept until `release`."""
        self._open = False

    def _issue(self, notify: messages.Notify) -> Job | None:
        assert self.extranonce is not None
        job = notify.to_job(self._algorithm, *self.extranonce, self.difficulty, self.version_mask or 0)
        if self._issued and self._issued_with != self.extranonce:
            job = dataclasses.replace(job, clean=True)  # the pool checks with the new one now, whatever the job
            self._issued.clear()
        if self._last is not None and dataclasses.replace(self._last, clean=job.clean) == job:
            return None
        self._last, self._issued_with = job, self.extranonce
        self._issued[job.job_id] = _Issued(_block(job), notify.raw_job_id)
        self._issued.move_to_end(job.job_id)
        if len(self._issued) > MAX_JOBS:
            self._issued.popitem(last=False)
        return job

    def set_version_mask(self, mask: int) -> Job | None:
        """In force at once, where the pool leaves bits to the miner at all: the last job again, with other versions, if
        the mask is another one."""
        if self.version_mask is None:
            return None
        self.version_mask = mask
        if not self._last or self._last.version_mask == mask:
            return None
        self._last = dataclasses.replace(self._last, version_mask=mask, clean=True)
        return self._last

    def submission(self, share: Share, username: str) -> messages.Submit:
        """The share as the pool wants to read it. Raises ProtocolError where its job was not issued here, or with
        another extranonce."""
        work, issued = share.work, self._issued.get(share.job.job_id)
        if issued is None or issued.block != _block(share.job):
            raise ProtocolError("the job was not issued with this connection's extranonce")
        bits = None if self.version_mask is None else work.version & self.version_mask  # the pool keeps the others
        return messages.Submit(username, share.job.job_id, work.extranonce2, work.ntime, share.nonce, bits,
                               issued.raw_id)


def _block(job: Job) -> bytes:
    """What two jobs have in common that are one block with another time or difficulty: a header of it. Ids alone don't
    tell: a pool that starts anew counts its jobs from 1 again."""
    return job.work(bytes(job.extranonce2_size), ntime=0).header

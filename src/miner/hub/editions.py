"""A job as it is handed out: made once for all miners that are given it in the same edition (see slices.py)."""

import dataclasses
from typing import NamedTuple

from miner.core.model import Job
from miner.hub.slices import Layout
from miner.hub.vardiff import ShareTarget
from miner.stratum.messages import NotifyLine

SLICE_DIGITS = 4  # at the end of a job id that a miner is given, in hex: its slice's number
MAX_GIVEN = 1024  # that are kept for an edition, which thousands of miners share


class Edition:
    """One edition of a job. `job_id` is how the id begins that a miner knows it by; its slice's number follows. So a
    share that comes late, on a new connection, is not taken for one of another slice. `again` is how often the job has
    been handed out before to those that are given this edition."""

    __slots__ = ("job_id", "job", "layout", "again", "_number", "_lines", "_given")

    def __init__(self, job_id: str, job: Job, layout: Layout, number: int, again: int) -> None:
        self.job_id, self.job, self.layout, self.again = job_id, job, layout, again
        self._number = number
        self._lines: dict[tuple[int, bool], NotifyLine] = {}  # by the high bits of the slice's number, and clean flag
        self._given: dict[tuple[float, int], Given] = {}

    def line(self, number: int, clean: bool) -> bytes:
        """The mining.notify for the slice of this number, its end included."""
        high = self.layout.high(number)
        line = self._lines.get((high, clean))
        if line is None:
            job, before = self.job, self.layout.before(self.job, number, self._number)
            begun = dataclasses.replace(job, job_id=self.job_id, coinbase1=job.coinbase1 + job.extranonce1 + before)
            line = self._lines[high, clean] = NotifyLine(begun, clean)
        return line.of(b"%04x" % number)

    def extranonce2(self, number: int, rest: bytes) -> bytes:
        """The source's extranonce2 for what was submitted from the slice of this number. Raises ValueError on a wrong
        length."""
        layout = self.layout
        if len(rest) != layout.rest_size:
            raise ValueError(f"extranonce2 has {len(rest)} bytes instead of {layout.rest_size}")
        return layout.before(self.job, number, self._number) + layout.prefix(number) + rest

    def given(self, target: ShareTarget, version_mask: int) -> "Given":
        """What miners with this target are given; one object for all of them."""
        given = self._given.get((target.difficulty, version_mask))
        if given is None:
            given = Given(self, target, version_mask)
            if len(self._given) < MAX_GIVEN:
                self._given[target.difficulty, version_mask] = given
        return given


class Given(NamedTuple):
    """A job as a miner has it: its edition, what its shares must meet, and the bits of the version that the miner may
    choose."""

    edition: Edition
    target: ShareTarget
    version_mask: int

"""One miner's work and the valid shares in it: native search, in slices so short that a loop with thousands of
connections isn't held up."""

import functools
import random
import re
from dataclasses import replace
from typing import NamedTuple

from miner import _native
from miner.core.algorithm import Algorithm
from miner.core.errors import ProtocolError
from miner.core.header import with_nonce
from miner.core.model import Work
from miner.core.target import difficulty_to_target, expected_hashes, hash_value
from miner.stratum.from_miner import Submit
from miner.stratum.from_server import Notify, Subscription
from miner.stratum.wire import Request, decode, encode_request

SLICE_SECONDS = 1 / 500  # of search on a rather slow CPU, and a tenth of it on others
MAX_NONCE = 1 << 32
_JOB_ID = re.compile(rb'"params"\s*:\s*\[\s*"([\w.-]{1,64})"')  # as most servers write it


class JobLine(NamedTuple):
    """A mining.notify as it came, and what held for it. It is read only when a share is wanted: most jobs pass without
    one."""

    line: bytes
    difficulty: float
    subscription: Subscription

    def read(self, algorithm: Algorithm, username: str) -> "MinerWork":
        """The work of the miner with this user name, with an extranonce2 drawn at random. Raises ProtocolError where
        there is none in the line."""
        given = self.subscription
        notify = _read_notify(self.line)
        job = notify.to_job(algorithm, given.extranonce1, given.extranonce2_size, self.difficulty)
        return MinerWork(username, notify, job.work(random.randbytes(given.extranonce2_size)),
                         difficulty_to_target(self.difficulty, algorithm))


def _read_notify(line: bytes) -> Notify:
    """What a mining.notify says. A server gives its miners the same job at the same time, and the lines differ in the
    job's id, if in anything: so the rest is read once."""
    if (found := _JOB_ID.search(line)) is None:
        return _parse_notify(line)
    first, end = found.span(1)
    return replace(_parse_notify(line[:first] + line[end:]), job_id=found[1].decode("ascii"))


@functools.lru_cache(maxsize=16)
def _parse_notify(line: bytes) -> Notify:
    message = decode(line)
    if not isinstance(message, Request):
        raise ProtocolError("a mining.notify is no request")
    return Notify.parse(message.params)


class MinerWork:
    """The header that one miner searches. Its nonces are used up from the first one on, so no share comes twice."""

    __slots__ = ("_username", "_notify", "_work", "_target", "_bytes", "_next", "_found", "_line")

    def __init__(self, username: str, notify: Notify, work: Work, target: int) -> None:
        self._username, self._notify, self._work, self._target = username, notify, work, target
        self._bytes = target.to_bytes(32, "little")
        self._next = 0
        self._found: list[tuple[int, bytes]] = []  # searched, and not handed out yet
        self._line = b""  # of a share, from behind the request's id to the nonce, once one was made

    @property
    def hashes(self) -> float:
        """Expected hashes a share."""
        return expected_hashes(self._target)

    def search(self, digger: "Digger") -> tuple[int, bool] | None:
        """The next nonce that meets the target, and whether it makes a block; None where one more slice held none.
        Raises ProtocolError when all nonces are used up."""
        if not self._found:
            if self._next >= MAX_NONCE:
                raise ProtocolError("all nonces of a job are used up")
            count = min(digger.slice, MAX_NONCE - self._next)
            self._found, done = digger.search(self._work.header, self._bytes, self._next, count)
            self._next += done
            if not self._found:
                return None
        nonce, digest = self._found.pop(0)
        return nonce, hash_value(digest) <= self._work.job.network_target

    def wrong(self, number: int) -> Submit:
        """A share that no server may take, of a kind that changes with `number`: its hash misses the target, its
        extranonce2 has another size, or its job never was. Raises ProtocolError when all nonces are used up."""
        share = self.submit(self._miss())
        if number % 3 == 1:
            return replace(share, extranonce2=share.extranonce2 + b"\0")
        return replace(share, job_id=f"none{number}", raw_job_id=None) if number % 3 == 2 else share

    def _miss(self) -> int:
        """A nonce that misses the target."""
        algorithm = self._work.job.algorithm
        while self._next < MAX_NONCE:
            self._next += 1
            header = with_nonce(self._work.header, self._next - 1)
            if hash_value(_native.portable_hash(algorithm.name, algorithm.parameters, header)) > self._target:
                return self._next - 1
        raise ProtocolError("all nonces of a job are used up")

    def line(self, number: int, nonce: int) -> bytes:
        """The line that hands in this nonce in request `number`: the message of `submit`, made of the first such line.
        """
        if not self._line:
            whole = encode_request(0, Submit.METHOD, self.submit(0).params)
            self._line = whole[whole.index(b'"method"'):whole.rindex(b'"00000000"')]
        return b'{"id": %d, %s"%08x"]}\n' % (number, self._line, nonce)

    def submit(self, nonce: int) -> Submit:
        """The message that hands in this nonce."""
        return Submit(self._username, self._notify.job_id, self._work.extranonce2, self._work.ntime, nonce,
                      raw_job_id=self._notify.raw_job_id)


class Digger:
    """What all miners of a swarm search with: one kernel, on the thread of whoever asks."""

    def __init__(self, algorithm: Algorithm, kernel: str) -> None:
        self._searcher = _native.Searcher(algorithm.name, algorithm.parameters, kernel)
        self.algorithm = algorithm
        self._searcher.touch()
        self._epoch = _native.Epoch()
        self.slice = max(1, int(algorithm.first_guess * SLICE_SECONDS))

    def search(self, header: bytes, target: bytes, first: int, count: int) -> tuple[list[tuple[int, bytes]], int]:
        """See `_native.Searcher.search`."""
        return self._searcher.search(header, target, first, count, self._epoch, 0)

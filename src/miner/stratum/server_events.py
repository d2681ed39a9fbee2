"""What a server's end of a stratum connection has to tell: what a miner asks for, and what it says."""

from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from miner.core.model import MinerReport
from miner.stratum.wire import RequestId


@dataclass(frozen=True, slots=True)
class Subscribing:
    """A miner introduces itself. Answer with `ServerProtocol.subscribe`. `session`: one that it had before and would
    like back. `serial` tells requests of one connection apart."""

    request_id: RequestId
    serial: int
    user_agent: str
    session: str


@dataclass(frozen=True, slots=True)
class Authorizing:
    """A worker logs in. Answer with `ServerProtocol.accept` or `refuse`. `serial` tells requests of one connection
    apart."""

    request_id: RequestId
    serial: int
    username: str
    password: str = field(repr=False)


class Submitting(NamedTuple):  # quicker to make than a frozen dataclass, and there are thousands of them a second
    """A share of an authorized worker. Answer with `ServerProtocol.accept` or `refuse`. Nothing about it was checked
    but its form: not the job, nor whether the extranonce2 has the job's size. `version_bits`: the version's bits that
    the miner chose (BIP 310); None where it sent none. `serial` tells requests of one connection apart."""

    serial: int
    request_id: RequestId
    username: str
    job_id: str
    extranonce2: bytes
    ntime: int
    nonce: int
    version_bits: int | None = None


@dataclass(frozen=True, slots=True)
class Suggested:
    """The miner would like this difficulty, in the algorithm's own scale. It was told that we heard it; nothing follows
    from it."""

    difficulty: float


@dataclass(frozen=True, slots=True)
class Reported:
    """Our extension: how the miner does, in its own words."""

    report: MinerReport


ServerEvent = Subscribing | Authorizing | Submitting | Suggested | Reported
Asking = Subscribing | Authorizing | Submitting
AskingT = TypeVar("AskingT", bound=Asking)

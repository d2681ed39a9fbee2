"""WorkSource: whatever gives jobs and takes shares. A pool, a node, the sandbox chain: all look like this."""

import enum
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from miner.core.algorithm import Algorithm
from miner.core.model import Job, MinerReport, Share, ShareResult


class SourceKind(enum.Enum):
    """What is at the other end of a source of work."""

    POOL = "pool"  # stratum, run by somebody else
    HUB = "hub"  # stratum, from a hub of this package that was named as one
    NODE = "node"  # JSON-RPC: getblocktemplate or getwork
    SANDBOX = "sandbox"  # the chain inside this process

    @property
    def is_stratum(self) -> bool:
        """Whether work comes by stratum: from a pool or from a hub."""
        return self in (SourceKind.POOL, SourceKind.HUB)


class Talk:
    """Base class of events that are only there to be read. Where nobody reads, they are dropped first: see
    `miner.event_queue`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Unread:
    """Nobody has read for so long that `events` older events, results among them, were dropped: see
    `miner.event_queue`."""

    events: int


@dataclass(frozen=True, slots=True)
class Connecting(Talk):
    """The source starts talking to its other end. `what` is minerd's word for the way: "Stratum", "long-polling";
    `label` is where to."""

    what: str
    label: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """Contact with the other end was lost; all jobs so far are void. The source itself tries again after
    `retry_seconds`."""

    reason: str
    retry_seconds: float


@dataclass(frozen=True, slots=True)
class Notice(Talk):
    """Something a person should read, e.g. a pool's client.show_message. One line, printable characters only."""

    text: str


@dataclass(frozen=True, slots=True)
class MovedTo:
    """Of several sources, work comes from this one from now on. `label`, `payee` and `kind` are that source's own, as
    WorkSource has them."""

    label: str
    payee: str
    kind: SourceKind


@dataclass(frozen=True, slots=True)
class Traffic(Talk):
    """A message to (`sent`) or from the other end, word for word but for passwords. Told only where
    SourceConfig.protocol_dump asks for it. May hold any character: show it through `core.text.one_line`."""

    sent: bool
    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The other end has no more jobs for this miner, as when the hub of a cluster job ends. That is no error."""

    reason: str


SourceEvent = Job | Connecting | Disconnected | MovedTo | Notice | Traffic | Finished | Unread


class WorkSource(ABC):
    """Whatever gives jobs and takes shares. One consumer opens it as an async context manager, reads `events()` to
    their end and calls `submit` meanwhile.

    `label` and `payee` are safe to print: they never hold a password. A job's share target may be harder than its
    network target, as some pools have it: see `miner.core.offer`.
    """

    algorithm: Algorithm
    label: str  # where the work comes from, e.g. "stratum+tcp://127.0.0.1:3333"
    payee: str  # who is paid, in words: "pool user alice", "address rltc1…", "nobody (sandbox chain)"
    kind: SourceKind  # of several sources, the kind of the one that was mined at last (at first: of the preferred one)

    @abstractmethod
    def events(self) -> AsyncIterator[SourceEvent]:
        """Jobs and what else happens, newest last; ends after `Finished` or `aclose()`. A newer Job replaces the older
        one, whether it is clean or not. Raises SourceError when the source gives up for good."""

    @abstractmethod
    async def submit(self, share: Share) -> ShareResult:
        """Hand in a share and wait, for a bounded time, for the verdict. May be called while contact is lost, with a
        share that was found just then: the source knows whether it can still be handed in. Trouble with the network
        raises nothing: a share whose answer was lost comes back STALE with the reason."""

    def used_up(self) -> bool:
        """Called when every header of the newest job has been hashed. Returns whether the source asks for another job
        because of that; most sources have no way to. Never blocks."""
        return False

    async def report(self, report: MinerReport) -> None:  # noqa: B027 - most sources have nobody to tell
        """Tell the other end how the miner does, if the other end has asked for that; most never do. Never raises."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close all connections and end all tasks. May be called twice."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        await self.aclose()

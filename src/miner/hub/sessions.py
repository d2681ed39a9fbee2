"""What a hub keeps of a miner whose connection was lost, so that it can go on where it was when it comes back."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    what: T
    until: float


class Sessions(Generic[T]):
    """What was left behind, by session id, for `seconds` on `clock`; at most `most` of them, the oldest go first."""

    def __init__(self, seconds: float, most: int, clock: Callable[[], float]) -> None:
        self._seconds, self._most, self._clock = seconds, most, clock
        self._kept: OrderedDict[str, _Kept[T]] = OrderedDict()

    def __len__(self) -> int:
        """How many are kept, those whose time is over included."""
        return len(self._kept)

    def keep(self, session: str, what: T) -> None:
        """A miner has left this behind."""
        now = self._clock()
        self._kept.pop(session, None)
        self._kept[session] = _Kept(what, now + self._seconds)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def tick(self) -> None:
        """To be called each second or so: drops what has been kept for long enough."""
        now = self._clock()
        while self._kept and next(iter(self._kept.values())).until <= now:
            self._kept.popitem(last=False)

    def find(self, session: str) -> T | None:
        """What is kept under this id. It stays there: whoever names an id has not logged in yet."""
        kept = self._kept.get(session)
        return kept.what if kept is not None and kept.until > self._clock() else None

    def drop(self, session: str) -> None:
        """Its miner is back, or it is of no use any more."""
        self._kept.pop(session, None)

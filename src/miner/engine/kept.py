"""What outlives an engine, for the next one of this process: scratchpads that are taken already, and a kernel that is
chosen."""

import threading
from dataclasses import dataclass, field

from miner import _native
from miner.config import EngineConfig
from miner.core.algorithm import Algorithm


@dataclass(frozen=True, slots=True)
class Kept:
    """The searchers of a closed engine, all of one kernel, with the epoch that they followed: it only ever grows, so
    that no searcher takes up what the closed engine had laid ahead."""

    epoch: _native.Epoch = field(default_factory=_native.Epoch)
    searchers: tuple[_native.Searcher, ...] = ()


class Keeper:
    """Keeps the searchers of one engine for a few seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[Algorithm, EngineConfig, Kept] | None = None
        self._timer: threading.Timer | None = None

    def keep(self, algorithm: Algorithm, config: EngineConfig, kept: Kept) -> None:
        """Keep this for `config.keep_seconds`, in place of what is kept already."""
        timer = threading.Timer(config.keep_seconds, self._drop, [kept])
        timer.daemon = True
        with self._lock:
            self._kept, before, self._timer = (algorithm, config, kept), self._timer, timer
        if before:
            before.cancel()
        timer.start()

    def take(self, algorithm: Algorithm, config: EngineConfig) -> Kept:
        """Take what an engine with these settings left, or nothing. What another has left is given back to the system:
        its memory may be needed now."""
        with self._lock:
            found, self._kept = self._kept, None
            timer, self._timer = self._timer, None
        if timer:
            timer.cancel()
        return found[2] if found and found[:2] == (algorithm, config) else Kept()

    def _drop(self, kept: Kept) -> None:
        with self._lock:
            if self._kept and self._kept[2] is kept:
                self._kept = self._timer = None


KEEPER = Keeper()

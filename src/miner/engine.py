"""The engine: threads, pinning and the native search. It knows no network and no protocol."""

import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from miner import _native
from miner.config import EngineConfig
from miner.core.algorithm import Algorithm
from miner.core.errors import EngineError
from miner.core.model import Work
from miner.cpus import CpuClaims, usable_threads

NONCES = 1 << 32
_CHUNK_SECONDS = 0.25  # how long one native call may take; new work interrupts it at once all the same
_METER_SECONDS = 5.0  # how often a thread tells its hashrate while its work does not change
# Choosing a kernel takes at most KERNELS * ROUNDS * SECONDS of CPU time, and a batch more for each trial.
_TRIAL_KERNELS, _TRIAL_ROUNDS, _TRIAL_SECONDS = 4, 3, 0.01


@dataclass(frozen=True, slots=True)
class NonceRange:
    """`count` nonces of a work, from `first` on, to be scanned for hashes that meet `target`."""

    work: Work
    target: int
    first: int = 0
    count: int = NONCES

    def rest(self, done: int) -> "NonceRange | None":
        return replace(self, first=self.first + done, count=self.count - done) if done < self.count else None


@dataclass(slots=True)
class _Thread:
    """One thread's own state; written by that thread alone."""

    index: int
    searcher: _native.Searcher
    cpu: int | None
    hashes: int = 0
    rate: float = 0.0
    metered_hashes: int = 0
    metered_since: float = field(default_factory=time.monotonic)


class Engine:
    """Threads that scan the nonce ranges they are given.

    on_hit(work, nonce, hash)         a hash (32 bytes, least significant first) met its range's target
    on_hashes(thread, hashes, secs)   a thread's progress: every few seconds, and when its work changes
    on_exhausted()                    all ranges were handed out and a thread stands idle; once an assignment

    The callbacks run on the engine's threads and must be quick. Nothing is hashed before the first `assign`.
    """

    def __init__(self, algorithm: Algorithm, config: EngineConfig, *,
                 on_hit: Callable[[Work, int, bytes], None],
                 on_hashes: Callable[[int, int, float], None] = lambda thread, hashes, seconds: None,
                 on_exhausted: Callable[[], None] = lambda: None) -> None:
        self.algorithm = algorithm
        self.kernel = choose_kernel(algorithm, config.kernel)
        self.threads = config.threads or usable_threads()
        self._nice = config.nice
        self._on_hit, self._on_hashes, self._on_exhausted = on_hit, on_hashes, on_exhausted
        self._epoch = _native.Epoch()
        self._changed = threading.Condition()
        self._ranges: Iterator[NonceRange] = iter(())
        self._exhausted = True
        self._closing = False
        searchers = [_searcher(algorithm, self.kernel) for _ in range(self.threads)]
        self._claims = CpuClaims()
        self.cpus = self._claims.take(self.threads) if config.pin else ()
        cpus = [*self.cpus, *[None] * self.threads]
        self._state = [_Thread(i, searcher, cpus[i]) for i, searcher in enumerate(searchers)]
        self._workers = [threading.Thread(target=self._run, args=(state,), name=f"miner-{state.index}", daemon=True)
                         for state in self._state]
        for worker in self._workers:
            worker.start()

    @property
    def hashes(self) -> int:
        """All hashes so far."""
        return sum(state.hashes for state in self._state)

    @property
    def hashrate(self) -> float:
        """H/s: the sum of what each thread reached lately."""
        return sum(state.rate for state in self._state)

    def assign(self, ranges: Iterator[NonceRange]) -> None:
        """Drop what is being scanned and go over to these ranges, at once. The iterator is drawn from under a lock."""
        with self._changed:
            self._epoch.advance()
            self._ranges, self._exhausted = ranges, False
            self._changed.notify_all()

    def pause(self) -> None:
        """Hash nothing until the next `assign`."""
        with self._changed:
            self._epoch.advance()
            self._ranges, self._exhausted = iter(()), True
            self._changed.notify_all()

    def close(self) -> None:
        """Stop all threads and wait for them. May be called twice."""
        self._closing = True
        self.pause()
        for worker in self._workers:
            worker.join()
        self._claims.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def _run(self, state: _Thread) -> None:
        _settle(state.cpu, self._nice)
        epoch, current = -1, None
        while (turn := self._next_turn(state, epoch, current)) is not None:
            epoch, current = turn
            count = min(current.count, max(state.searcher.lanes, int(state.rate * _CHUNK_SECONDS)))
            started = time.perf_counter()
            hits, done = state.searcher.search(current.work.header, current.target.to_bytes(32, "little"),
                                               current.first, count, self._epoch, epoch)
            _count(state, done, time.perf_counter() - started)
            for nonce, digest in hits:
                self._on_hit(current.work, nonce, digest)
            current = current.rest(done)
            self._meter(state, changed=self._epoch.value != epoch)
        self._meter(state, changed=True)

    def _next_turn(self, state: _Thread, epoch: int, current: NonceRange | None) -> tuple[int, NonceRange] | None:
        """Wait for something to scan: the rest of the range if nothing changed, else the next one. None: closing."""
        with self._changed:
            waited = False
            while not self._closing:
                if self._epoch.value != epoch:
                    epoch, current = self._epoch.value, None
                if current is None:
                    current = next(self._ranges, None)
                if current is not None:
                    if waited:  # idle time is nobody's hashrate
                        state.metered_since = time.monotonic()
                    return epoch, current
                if not self._exhausted:
                    self._exhausted = True
                    self._on_exhausted()
                waited = True
                self._changed.wait()
        return None

    def _meter(self, state: _Thread, *, changed: bool) -> None:
        now = time.monotonic()
        if changed or now - state.metered_since >= _METER_SECONDS:
            hashes = state.hashes - state.metered_hashes
            if hashes:
                self._on_hashes(state.index, hashes, now - state.metered_since)
            state.metered_hashes, state.metered_since = state.hashes, now


def _count(state: _Thread, done: int, seconds: float) -> None:
    state.hashes += done
    if done and seconds > 0:
        rate = done / seconds
        # A call that was cut short measures badly, so it weighs little.
        weight = min(1.0, seconds / _CHUNK_SECONDS) * 0.5
        state.rate += (rate - state.rate) * (weight if state.rate else 1.0)


def _settle(cpu: int | None, nice: int | None) -> None:
    """Pin the calling thread and lower its priority; a system that refuses either still mines."""
    if cpu is not None:
        with contextlib.suppress(OSError):
            _native.pin_thread(cpu)
    if nice is not None:
        with contextlib.suppress(OSError):
            _native.set_thread_nice(nice)


def _searcher(algorithm: Algorithm, kernel: str) -> _native.Searcher:
    try:
        return _native.Searcher(algorithm.name, algorithm.n, kernel)
    except MemoryError as error:
        raise EngineError(f"not enough memory for {algorithm} with kernel {kernel}: {error}; "
                          "use fewer threads (-t) or a smaller N") from error


@functools.cache
def choose_kernel(algorithm: Algorithm, name: str = "") -> str:
    """The kernel of that name, or else the fastest of this CPU in a short trial. Either must pass its self-test.
    Raises EngineError, which lists the kernels that this CPU has. MINER_KERNEL in the environment names one, too."""
    name = name or os.environ.get("MINER_KERNEL", "")
    runnable = _native.kernels(algorithm.name)
    if name:
        if name not in runnable:
            raise EngineError(f"no kernel {name!r} for {algorithm.name} on this CPU: it has {', '.join(runnable)}")
        if not _native.selftest(algorithm.name, name):
            raise EngineError(f"kernel {name!r} computes wrong hashes on this machine: use another one")
        return name
    sound = [kernel for kernel in runnable if kernel != "portable" and _native.selftest(algorithm.name, kernel)]
    if not sound and not _native.selftest(algorithm.name, "portable"):
        raise EngineError(f"even the portable {algorithm.name} kernel computes wrong hashes: this machine is broken")
    if len(sound) < 2:
        return sound[0] if sound else "portable"
    n = min(algorithm.n, 1024)  # which speaks for larger sizes
    searchers = [_native.Searcher(algorithm.name, n, kernel) for kernel in sound[:_TRIAL_KERNELS]]
    # In turn, and the best of each: the machine may be busy with something else.
    trials = [(_trial(searcher), searcher.kernel) for _ in range(_TRIAL_ROUNDS) for searcher in searchers]
    return max(trials)[1]


def _trial(searcher: _native.Searcher) -> float:
    """Hashes a second of this thread's CPU time, in a trial too short to notice."""
    epoch = _native.Epoch()
    count, hashes, started = searcher.lanes, 0, time.thread_time()
    while (seconds := time.thread_time() - started) < _TRIAL_SECONDS:
        hashes += searcher.search(bytes(80), bytes(32), hashes, count, epoch, epoch.value)[1]
        count = min(2 * count, 1 << 16)
    return hashes / seconds

"""The engine: threads, bound to CPUs, that run the native search. It knows no network and no protocol."""

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from miner import _native
from miner.config import EngineConfig
from miner.core.algorithm import Algorithm
from miner.core.errors import EngineError, EngineStopped
from miner.core.model import Work
from miner.engine.cpus import CpuClaims, usable_threads
from miner.engine.hostlock import LOCKS, exclusive
from miner.engine.kept import KEEPER, Kept
from miner.engine.kernels import first_that_fits, usable_kernels
from miner.engine.memory import huge_page_bytes, huge_pages_switched_off, size_text
from miner.engine.tryout import TURN_SECONDS, Tryout

NONCES = 1 << 32
_CHUNK_SECONDS = 0.25  # how long one native call may take, if no new work interrupts it
_AHEAD_SECONDS = 0.01  # how long a thread hashes new work, once it has switched to it, before it tells its hits
_LIMITED_SECONDS = 0.05  # and where threads take only a part of their CPU's time, and rest in between
_METER_SECONDS = 5.0  # how often a thread tells its hashrate while its work does not change
_LOCK_SECONDS = 30.0  # how long to wait for another miner that is taking its memory
_TOUCH_BYTES = 16 << 20  # memory that is taken between two looks at whether to stop
_POLL_SECONDS = 0.05  # between two looks at whether to stop, while threads take their memory


@dataclass(frozen=True, slots=True)
class NonceRange:
    """`count` nonces of a work, from `first` on, to be scanned for hashes that meet `target`."""

    work: Work
    target: int
    first: int = 0
    count: int = NONCES

    def rest(self, done: int) -> "NonceRange | None":
        """What is left once the first `done` nonces are scanned; None: nothing."""
        return replace(self, first=self.first + done, count=self.count - done) if done < self.count else None


@dataclass(slots=True)
class _Thread:
    """What the engine knows of one of its threads. The thread alone writes all of it but `ahead`: the first range to
    scan in each epoch that the thread has not switched to yet, which is guarded by the engine's lock."""

    index: int
    cpu: int | None
    ahead: dict[int, NonceRange] = field(default_factory=dict)
    hashes: int = 0
    rate: float = 0.0
    used: float = 0.0  # CPU time in seconds, up to its last rest
    rest: float = 0.0  # seconds that it has yet to rest for
    metered_hashes: int = 0
    metered_since: float = field(default_factory=time.monotonic)

    def first_of(self, epoch: int) -> NonceRange | None:
        """Take the first range of that epoch, or None, and drop those of earlier epochs."""
        found = self.ahead.get(epoch)
        self.ahead = {later: nonces for later, nonces in self.ahead.items() if later > epoch}
        return found


class Engine:
    """Threads that scan the nonce ranges they are given.

    on_hit(work, nonce, hash)         a hash (32 bytes, least significant first) met its range's target
    on_hashes(thread, hashes, secs)   a thread's progress: every few seconds, and when its work changes
    on_exhausted()                    all ranges were handed out and a thread stands idle; told once for each `assign`
    on_failed(error)                  the first error on any thread, from a callback or from the ranges; told once
    on_notice(text)                   a line for people: all threads change over to another kernel; without this
                                      callback, as for a benchmark of one kernel, none ever does

    The callbacks run on the engine's threads and must be quick. Nothing is hashed before the first `assign`. `remarks`
    are lines for people about what is wrong on this machine.

    Opening an engine tries kernels, may wait for another miner of this host, and takes the scratchpads' memory: that
    can last seconds. Setting `stop` meanwhile ends it: EngineStopped is raised, and all is given back. Raises
    UsageError for a kernel that this CPU doesn't have, and EngineError where the engine can't run here as asked.

    `kernel` is the present one. While the first thread hashes, it now and then tries the one that came next in the
    choice; where that is faster by now, all threads change over, each between two calls (review.py). A kernel that the
    caller named stays.

    The first error on any thread ends all threads. `error` keeps it; `assign` raises it, and so does leaving the
    context.

    With `keep_seconds` in its settings a closed engine leaves its scratchpads and its kernel to the next one of this
    process that has these settings, which then opens at once.
    """

    def __init__(self, algorithm: Algorithm, config: EngineConfig, *,
                 on_hit: Callable[[Work, int, bytes], None],
                 on_hashes: Callable[[int, int, float], None] = lambda thread, hashes, seconds: None,
                 on_exhausted: Callable[[], None] = lambda: None,
                 on_failed: Callable[[BaseException], None] = lambda error: None,
                 on_notice: Callable[[str], None] | None = None,
                 stop: threading.Event | None = None) -> None:
        self.algorithm, self._config = algorithm, config
        self.threads = config.threads or usable_threads()
        self._nice, self._cpu_limit, self._memory_limit = config.nice, config.cpu_limit, config.memory_limit
        self._chunk_seconds = _CHUNK_SECONDS if config.cpu_limit == 1 else _LIMITED_SECONDS
        self._on_hit, self._on_hashes, self._on_exhausted, self._on_failed = on_hit, on_hashes, on_exhausted, on_failed
        self._on_notice = on_notice
        self.error: BaseException | None = None
        kept = KEEPER.take(algorithm, config)
        self._epoch, self._searchers = kept.epoch, list(kept.searchers)
        self._changed = threading.Condition()
        self._ranges: Iterator[NonceRange] = iter(())
        self._exhausted = True
        self._closing = False
        self._ready = threading.Semaphore(0)
        self._claims = CpuClaims()
        self._state: list[_Thread] = []
        self._workers: list[threading.Thread] = []
        self._is_open = False
        try:
            self.remarks = tuple(self._open(config, stop or threading.Event()))
            self._is_open = True
        except BaseException:
            self.close()
            raise

    def _open(self, config: EngineConfig, stop: threading.Event) -> Iterator[str]:
        """Choose a kernel, take memory and CPUs, start the threads. Yields the remarks."""
        algorithm, kernels = self.algorithm, usable_kernels(self.algorithm, config.kernel)
        taken = len(self._searchers) == self.threads
        # Miners of one host take their memory one after the other: else each would count on what another is taking.
        with (exclusive(LOCKS / "sparkminer-memory.lock", _LOCK_SECONDS, stop) if algorithm.memory and not taken
              else contextlib.nullcontext()):
            _check(stop)
            if not taken:
                self._searchers.clear()
                kernel = first_that_fits(algorithm, kernels, self.threads, config.memory_limit)
                self._searchers += [_searcher(algorithm, kernel) for _ in range(self.threads)]
            self.kernel = self._searchers[0].kernel
            self._others = kernels[kernels.index(self.kernel) + 1:]
            self.cpus = self._claims.take(self.threads) if config.pin else ()
            huge_before = huge_page_bytes() if algorithm.memory and not taken else None
            yield from self._start(stop, fewer=not config.threads)
            yield from _huge_page_remarks(self._searchers, huge_before)

    def _start(self, stop: threading.Event, *, fewer: bool) -> Iterator[str]:
        """Start the threads, and wait until all have taken their memory. Yields remarks. `fewer`: where the system
        refuses threads, go on with those that it gave; else that raises EngineError."""
        cpus = [*self.cpus, *[None] * self.threads]
        self._state = [_Thread(index, cpus[index]) for index in range(self.threads)]
        try:
            for state, searcher in zip(self._state, self._searchers, strict=True):
                worker = threading.Thread(target=self._run, args=(state, searcher), name=f"miner-{state.index}",
                                          daemon=True)
                worker.start()
                self._workers.append(worker)
        except RuntimeError as error:
            got = len(self._workers)
            if not fewer or not got:
                raise EngineError(f"{self.threads} threads: this system starts no more than {got}; use fewer "
                                  "(`threads`), or raise its limit on them (ulimit -u, pids.max)") from error
            yield f"This system starts no more than {got} of {self.threads} threads (ulimit -u, pids.max)"
            self.threads, self.cpus = got, self.cpus[:got]
            del self._searchers[got:], self._state[got:]
        for _ in self._workers:
            while not self._ready.acquire(timeout=_POLL_SECONDS):
                _check(stop)
        _check(stop)
        if self.error is not None:
            raise self.error

    @property
    def hashes(self) -> int:
        """The number of hashes so far, of all threads."""
        return sum(state.hashes for state in self._state)

    @property
    def kernels(self) -> frozenset[str]:
        """What the threads hash with: `kernel`, and for a moment after a change-over the one before."""
        return frozenset(searcher.kernel for searcher in self._searchers)

    @property
    def hashrate(self) -> float:
        """H/s: the sum of what each thread reached lately, its rests counted in."""
        return sum(state.rate for state in self._state) * self._cpu_limit

    def assign(self, ranges: Iterator[NonceRange]) -> None:
        """Drop what is being scanned and switch to these ranges at once. They are drawn from the iterator under a lock:
        each thread's first one now, and laid ahead, so that a thread that hashes switches without waiting for Python or
        another thread; all others by the threads, when they need them. Raises `error` if there is one, and whatever the
        iterator raises."""
        with self._changed:
            if self.error is not None:
                raise self.error
            coming = self._epoch.value + 1
            firsts = list(itertools.islice(ranges, self.threads))
            for state, searcher, nonces in zip(self._state, self._searchers, firsts, strict=False):
                state.ahead[coming] = nonces
                searcher.lay_ahead(nonces.work.header, nonces.target.to_bytes(32, "little"), nonces.first,
                                   _step(state, searcher, nonces, _AHEAD_SECONDS), coming)
            self._epoch.advance()
            self._ranges, self._exhausted = ranges, False
            self._changed.notify_all()

    def switched_at(self) -> float | None:
        """When the last thread switched to what was assigned last, in seconds of time.perf_counter(); None while a
        thread has not switched, or if there was no range for it."""
        epoch = self._epoch.value
        times = [at for searcher in self._searchers if (at := searcher.switched_at(epoch)) is not None]
        return max(times) if len(times) == self.threads else None

    def pause(self) -> None:
        """Hash nothing until the next `assign`."""
        with self._changed:
            self._epoch.advance()
            self._ranges, self._exhausted = iter(()), True
            self._changed.notify_all()

    def close(self) -> None:
        """Stop all threads, wait for them, and give memory and CPUs back, unless memory is kept for the next engine.
        May be called twice."""
        with self._changed:
            self._closing = True
            self.pause()
        for worker in self._workers:
            worker.join()
        if self._is_open and self._config.keep_seconds and self.error is None and len(self.kernels) == 1:
            KEEPER.keep(self.algorithm, self._config, Kept(self._epoch, tuple(self._searchers)))
        self._searchers.clear()  # whoever keeps the engine for its figures keeps no scratchpads
        self._claims.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()
        if error is None and self.error is not None:
            raise self.error

    def _run(self, state: _Thread, searcher: _native.Searcher) -> None:
        try:
            try:
                _pin(state.cpu)
                self._take_memory(searcher)
            finally:
                self._ready.release()
            self._hash(state, searcher)
        except BaseException as error:  # handed to whoever runs the engine
            self._fail(error)

    def _take_memory(self, searcher: _native.Searcher) -> None:
        for first in range(0, searcher.scratch_bytes, _TOUCH_BYTES):
            if self._closing:
                return
            searcher.touch(first, _TOUCH_BYTES)

    def _fail(self, error: BaseException) -> None:
        """Keep `error` if it is the first, and end all threads."""
        with self._changed:
            if self.error is not None:
                return
            self.error, self._closing = error, True
            self.pause()
        self._on_failed(error)

    def _hash(self, state: _Thread, searcher: _native.Searcher) -> None:
        _step_back(self._nice)  # not before: others wait for this one's memory to be taken
        tryout = (Tryout(self.algorithm, self.kernel, self._others[0], self.threads, self._memory_limit)
                  if self._others and self._on_notice and state.index == 0 else None)
        epoch, current = -1, None
        while (given := self._next_range(state, epoch, current)) is not None:
            epoch, current = given
            if searcher.kernel != self.kernel:
                searcher = self._change_over(state, searcher)
            used = tryout.searcher(searcher) if tryout else searcher
            started = time.perf_counter()
            count = _step(state, used, current,
                          TURN_SECONDS if tryout and tryout.review.looking else self._chunk_seconds)
            hits, done = used.search(current.work.header, current.target.to_bytes(32, "little"), current.first, count,
                                     self._epoch, epoch)
            came = used.switched()
            _count(state, done + (came[2] if came else 0), time.perf_counter() - started)
            if tryout and done == count and (faster := tryout.called(done)):
                searcher = self._choose(state, *faster)
            self._tell(current, hits)
            current = current.rest(done)
            if came:
                epoch, hits, done = came
                with self._changed:
                    current = state.first_of(epoch)
                assert current is not None, "what is laid ahead is kept as well"
                self._tell(current, hits)
                current = current.rest(done)
            self._meter(state, changed=came is not None or self._epoch.value != epoch)
            if self._cpu_limit < 1:
                self._take_rest(state)
        self._meter(state, changed=True)

    def _take_rest(self, state: _Thread) -> None:
        """Sleep until this thread has had no more than its part of the time since its last rest, by the CPU time that
        it took. New work ends the rest; what is missing of it is made up for at the next."""
        used = time.thread_time()
        state.rest += (used - state.used) * (1 / self._cpu_limit - 1)
        state.used, began, epoch = used, time.monotonic(), self._epoch.value
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._epoch.value != epoch, state.rest)
        state.rest -= time.monotonic() - began

    def _choose(self, state: _Thread, searcher: _native.Searcher, gain: float) -> _native.Searcher:
        """Have all threads change over to this searcher's kernel, which is `gain` times as fast as the present one."""
        before, self.kernel = self.kernel, searcher.kernel
        if self._on_notice:
            self._on_notice(f"Kernel '{self.kernel}' from now on: {100 * (gain - 1):.0f}% faster here, by now, than "
                            f"'{before}'")
        return self._adopt(state, searcher)

    def _change_over(self, state: _Thread, searcher: _native.Searcher) -> _native.Searcher:
        """A searcher of the present kernel in place of `searcher`; for lack of memory, `searcher` itself."""
        try:
            changed = _searcher(self.algorithm, self.kernel)
        except EngineError:
            return searcher
        self._take_memory(changed)
        return self._adopt(state, changed)

    def _adopt(self, state: _Thread, searcher: _native.Searcher) -> _native.Searcher:
        """From now on, work is laid ahead in this one. What was laid in the one before, `state.ahead` has as well."""
        with self._changed:
            if not self._closing:
                self._searchers[state.index] = searcher
        return searcher

    def _next_range(self, state: _Thread, epoch: int, current: NonceRange | None) -> tuple[int, NonceRange] | None:
        """Wait for something to scan. Returns its epoch and range: `current`, what is left of the thread's range, if
        there is something left and the epoch is still `epoch`; else the next range. None when the engine closes."""
        with self._changed:
            waited = False
            while not self._closing:
                if self._epoch.value != epoch:
                    epoch = self._epoch.value
                    current = state.first_of(epoch)
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

    def _tell(self, nonces: NonceRange, hits: list[tuple[int, bytes]]) -> None:
        for nonce, digest in hits:
            self._on_hit(nonces.work, nonce, digest)

    def _meter(self, state: _Thread, *, changed: bool) -> None:
        now = time.monotonic()
        if changed or now - state.metered_since >= _METER_SECONDS:
            hashes = state.hashes - state.metered_hashes
            if hashes:
                self._on_hashes(state.index, hashes, now - state.metered_since)
            state.metered_hashes, state.metered_since = state.hashes, now


def start_thread(thread: threading.Thread) -> None:
    """Start the thread. Raises EngineError where the system starts no more threads."""
    try:
        thread.start()
    except RuntimeError as error:
        raise EngineError("this system starts no more threads: end something else, or raise its limit on them "
                          "(ulimit -u, pids.max)") from error


def _check(stop: threading.Event) -> None:
    if stop.is_set():
        raise EngineStopped("stopped while the engine was being opened")


def _step(state: _Thread, searcher: _native.Searcher, nonces: NonceRange, seconds: float) -> int:
    """How many of the range's nonces the thread scans in about `seconds`."""
    return min(nonces.count, max(searcher.lanes, int(state.rate * seconds)))


def _count(state: _Thread, done: int, seconds: float) -> None:
    state.hashes += done
    if done and seconds > 0:
        rate = done / seconds
        # A call that was cut short measures badly, so it weighs little.
        weight = min(1.0, seconds / _CHUNK_SECONDS) * 0.5
        state.rate += (rate - state.rate) * (weight if state.rate else 1.0)


# Where the system refuses to bind a thread or to lower its priority, the thread hashes all the same.


def _pin(cpu: int | None) -> None:
    if cpu is not None:
        with contextlib.suppress(OSError):
            _native.pin_thread(cpu)


def _step_back(nice: int | None) -> None:
    if nice is not None:
        with contextlib.suppress(OSError):
            _native.set_thread_nice(nice)


def _searcher(algorithm: Algorithm, kernel: str) -> _native.Searcher:
    try:
        return _native.Searcher(algorithm.name, algorithm.parameters, kernel)
    except MemoryError as error:
        raise EngineError(f"not enough memory for {algorithm} with kernel {kernel}: {error}; "
                          "use fewer threads (`threads`) or a smaller N") from error


def _huge_page_remarks(searchers: list[_native.Searcher], before: int | None) -> Iterator[str]:
    """A line where scratchpads that are large enough for huge pages did not all get them. `before`: huge_page_bytes()
    before they were taken."""
    wanted = sum(searcher.scratch_bytes for searcher in searchers if searcher.huge_pages)
    after = huge_page_bytes() if wanted else None
    if before is None or after is None or after - before >= 0.9 * wanted:
        return
    got = size_text(after - before) if after > before else "none"
    yield f"Huge pages: {got} for {size_text(wanted)} of scratchpads, so scrypt is slower than it could be" + (
        "; as root: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled" if huge_pages_switched_off() else "")

"""One CPU that is screened: block after block of nonces, all kernels over each, turn by turn."""

import itertools
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from miner import _native
from miner.core.algorithm import Algorithm
from miner.core.screening import MISMATCHES_KEPT, REFERENCE, CpuScreening, KernelScreening, Mismatch, Throttling
from miner.engine.processors import Processor, clock_hertz, throttling
from miner.engine.screen_blocks import MAX_TARGETS, RARE, Block, Piece, block_size, make_block

_CALL_SECONDS = 0.005  # CPU time of a call into the C core, at least: between two of them a thread takes the GIL
_SAMPLE = 8  # nonces of a block whose hashes are compared with Python's
_TRIES = 16  # how often a kernel is asked again where it was wrong
_SPINS = 3  # of the clock, after a turn
_EXACT = -1  # beside the kinds of targets


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done on each CPU of `host`: `kernels` has the algorithms with their kernels' names, and a kernel's turn
    takes `turn_seconds` of CPU time."""

    host: str
    seed: int
    kernels: tuple[tuple[Algorithm, tuple[str, ...]], ...]
    turn_seconds: float


class ScreenedCpu:
    """A CPU and what has come of it so far. One thread at a time visits it; each goes on where the last one stopped.

    epoch        ends all work when it advances from 0
    on_mismatch  is called with the first MISMATCHES_KEPT, in the visiting thread
    """

    def __init__(self, processor: Processor, plan: Plan, epoch: _native.Epoch,
                 on_mismatch: Callable[[Mismatch], None]) -> None:
        self.number = processor.cpu
        self.rounds = 0  # how often every kernel has had its turn
        self.refused = False  # by the system, which lets no thread be bound to it
        self._processor, self._plan, self._epoch, self._on_mismatch = processor, plan, epoch, on_mismatch
        self._lock = threading.Lock()  # of what `result` reads
        self._kernels = {(algorithm, name): KernelScreening(str(algorithm), name)
                         for algorithm, names in plan.kernels for name in (*names, REFERENCE)}
        self._clocks: dict[tuple[Algorithm, str], list[float]] = {}  # sum and number
        self._lowest, self._highest = float("inf"), 0.0
        self._mismatches: list[Mismatch] = []
        self._throttling = Throttling()
        self._remark = ""
        self._seconds = self._cpu_seconds = self._until = 0.0
        self._visit_rounds = math.inf
        self._counts: dict[tuple[Algorithm, str, int], int] = {}  # targets of a call, by what it does
        self._turns = self._all_turns()

    @property
    def seconds(self) -> float:
        """Wall time for which a thread was on it."""
        return self._seconds

    def result(self) -> CpuScreening:
        """What has come of it by now. From any thread."""
        with self._lock:
            kernels = [replace(figures, clock_hertz=self._clocks[key][0] / self._clocks[key][1])
                       if key in self._clocks else figures for key, figures in self._kernels.items()]
            clocked = self._highest > 0
            return CpuScreening(
                self._plan.host, self.number, self._processor.model, self._processor.microcode, self._seconds,
                self._cpu_seconds, self.rounds, tuple(kernels), tuple(self._mismatches), self._throttling,
                self._lowest if clocked else None, self._highest if clocked else None, self._remark)

    def visit(self, until: float) -> None:
        """Bind the calling thread to the CPU and screen it, until time.monotonic() is `until` or the epoch advances.
        The first visit ends after one round, so that other CPUs have theirs soon."""
        self._until, self._visit_rounds = until, math.inf if self.rounds else 1.0
        try:
            if not _native.pin_thread(self.number):
                self._remark = "threads can't be bound to CPUs on this system, so another CPU may be meant"
        except OSError as error:
            self._remark, self.refused = f"the system lets no thread be bound to it: {error.strerror}", True
            return
        before, started, cpu_started = throttling(self.number), time.monotonic(), time.thread_time()
        while not self._over():
            next(self._turns)
        held_back = throttling(self.number).since(before)
        with self._lock:
            self._seconds += time.monotonic() - started
            self._cpu_seconds += time.thread_time() - cpu_started
            self._throttling += held_back

    def _over(self) -> bool:
        return self._epoch.value != 0 or time.monotonic() >= self._until or self.rounds >= self._visit_rounds

    def _all_turns(self) -> Iterator[None]:
        """The CPU's work, which has no end, in steps. The order of the kernels differs from block to block. Like
        headers it is made from the seed, and so equal on all CPUs."""
        for number in itertools.count():
            for algorithm, names in self._plan.kernels:
                while (block := self._made(algorithm, number)) is None:
                    yield
                order = list(names)
                random.Random(f"{self._plan.seed}:{number}").shuffle(order)
                for kernel in order:
                    yield
                    self._turn(block, kernel)
            self.rounds += 1

    def _made(self, algorithm: Algorithm, number: int) -> Block | None:
        """A block with its list, a sample of which is compared with Python's hashes; None when stopped before its
        end."""
        size, started = block_size(algorithm, self._plan.turn_seconds / 2), time.thread_time()
        block = make_block(self._plan.seed, algorithm, number, size, self._epoch)
        if block is None:
            return None
        self._add(algorithm, REFERENCE, timed_hashes=size, timed_seconds=time.thread_time() - started)
        step = size // _SAMPLE
        for offset in range(number % step, size, step) if algorithm.has_reference else ():
            nonce = block.whole.first + offset
            expected, again = block.whole.top(nonce), block.hash_again(nonce)
            self._add(algorithm, REFERENCE, hashes=1, mismatches=int(expected != again))
            if expected != again:
                self._tell(block, block.whole, nonce, REFERENCE, expected, None, 0, 0)
        return block

    def _turn(self, block: Block, kernel: str) -> None:
        """One kernel over a block: one of its batches in all 32 bits, then piece by piece with each kind of targets."""
        try:
            searcher = _native.Searcher(block.algorithm.name, block.algorithm.parameters, kernel)
        except MemoryError as error:
            self._remark = f"left out: {error}"
            return
        searcher.touch()
        end, pieces = time.thread_time() + self._plan.turn_seconds, block.pieces()
        batch, targets = block.exact(searcher.lanes, self._count(searcher, block, _EXACT))
        self._compare(block, searcher, batch, targets, _EXACT)
        for step in itertools.count(block.number):
            if self._over() or time.thread_time() >= end:
                break
            kind = step % (RARE + 1)
            targets = block.targets(kind, self._count(searcher, block, kind), step)
            self._compare(block, searcher, pieces[step % len(pieces)], targets, kind)
        self._measure_clock(block.algorithm, kernel)

    def _count(self, searcher: _native.Searcher, block: Block, kind: int) -> int:
        return self._counts.setdefault((block.algorithm, searcher.kernel, kind), 1)

    def _compare(self, block: Block, searcher: _native.Searcher, piece: Piece, targets: tuple[int, ...],
                 kind: int) -> None:
        started = time.thread_time()
        wrong, found, hashes = searcher.compare(piece.header, piece.first, piece.tops, targets, self._epoch, 0)
        seconds = time.thread_time() - started
        key = block.algorithm, searcher.kernel, kind
        if seconds < _CALL_SECONDS:
            self._counts[key] = min(2 * self._counts[key], MAX_TARGETS)
        timed = (hashes, seconds) if kind == RARE else (0, 0.0)
        self._add(block.algorithm, searcher.kernel, hashes, found, *timed)
        for nonce, target, hit in wrong:
            if len(self._mismatches) == MISMATCHES_KEPT:
                break
            batch = piece.batch(nonce, searcher.lanes)
            again = sum(any(each == nonce for each, _, _ in self._asked(searcher, batch, target))
                        for _ in range(_TRIES))
            self._tell(block, piece, nonce, searcher.kernel, target, hit, again, _TRIES)

    def _asked(self, searcher: _native.Searcher, batch: Piece, target: int) -> list[tuple[int, int, bool]]:
        return searcher.compare(batch.header, batch.first, batch.tops, (target,), self._epoch, 0)[0]

    def _tell(self, block: Block, piece: Piece, nonce: int, kernel: str, target: int, hit: bool | None, again: int,
              tries: int) -> None:
        mismatch = Mismatch(
            time.time(), self._plan.host, self.number, self._processor.model, self._processor.microcode,
            str(block.algorithm), kernel, piece.header[:76] + nonce.to_bytes(4, "little"), nonce, target,
            piece.top(nonce), hit, block.hash_again(nonce), again, tries)
        with self._lock:
            self._mismatches.append(mismatch)
        self._on_mismatch(mismatch)

    def _add(self, algorithm: Algorithm, kernel: str, hashes: int = 0, mismatches: int = 0, timed_hashes: int = 0,
             timed_seconds: float = 0.0) -> None:
        more = KernelScreening(str(algorithm), kernel, hashes, mismatches, timed_hashes, timed_seconds)
        with self._lock:
            self._kernels[algorithm, kernel] = self._kernels[algorithm, kernel].with_more(more)

    def _measure_clock(self, algorithm: Algorithm, kernel: str) -> None:
        clock = clock_hertz(_SPINS)
        if clock is None:
            return
        with self._lock:
            total = self._clocks.setdefault((algorithm, kernel), [0.0, 0.0])
            total[0] += clock
            total[1] += 1
            self._lowest, self._highest = min(self._lowest, clock), max(self._highest, clock)

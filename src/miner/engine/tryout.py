"""The runner-up kernel beside the present one, on the work of the thread that is mining."""

import time

from miner import _native
from miner.core.algorithm import Algorithm
from miner.engine.kernels import left_for
from miner.engine.review import KernelReview

TURN_SECONDS = 0.02  # of a call during a look
_MOST_SCRATCH = 64 << 20  # bytes a thread: with more, as for scrypt with N from 2^15 or 2^16 on, a look takes too long


class Tryout:
    """One thread's calls, some of them with the runner-up. `threads`: how many would change over with it; they may take
    `memory_limit` bytes, or with 0 what there is."""

    def __init__(self, algorithm: Algorithm, present: str, runner_up: str, threads: int, memory_limit: int = 0) -> None:
        self.review = KernelReview(present, runner_up, time.monotonic())
        self._algorithm, self._threads, self._memory_limit = algorithm, threads, memory_limit
        self._other: _native.Searcher | None = None
        self._cpu = 0.0

    def searcher(self, own: _native.Searcher) -> _native.Searcher:
        """What the thread's next call should be made with: `own`, or, in every second turn of a look, the runner-up's.
        A look that memory doesn't allow is put off."""
        now = time.monotonic()
        kernel = self.review.next_kernel(now)
        if not self.review.looking:
            self._other = None
        elif self._other is None:
            self._other = self._opened()
            if self._other is None:
                self.review.give_up(now)
        self._cpu = time.thread_time()
        return self._other if self._other and kernel == self._other.kernel else own

    def _opened(self) -> _native.Searcher | None:
        algorithm, kernel = self._algorithm, self.review.runner_up
        scratch = _native.kernel_scratch(algorithm.name, algorithm.parameters, kernel)
        if scratch > _MOST_SCRATCH or not self._room_for(scratch):
            return None
        try:
            searcher = _native.Searcher(algorithm.name, algorithm.parameters, kernel)
        except MemoryError:
            return None
        searcher.touch()
        return searcher

    def _room_for(self, scratch: int) -> bool:
        """Whether there is memory for all threads to change over to a kernel that needs `scratch` bytes in each. Under
        a limit for one more, too: the present kernel keeps its own until then."""
        left = left_for(self._algorithm, self._memory_limit)
        if left is None or left.usable < scratch * self._threads:
            return left is None
        present = _native.kernel_scratch(self._algorithm.name, self._algorithm.parameters, self.review.present)
        return not self._memory_limit or max(present, scratch) * (self._threads + 1) <= self._memory_limit

    def called(self, hashes: int) -> tuple[_native.Searcher, float] | None:
        """Take that the call is over, and wasn't cut short. Returns None, or the runner-up's searcher and how many
        times as fast it is, when all threads should change over to its kernel."""
        seconds = time.thread_time() - self._cpu
        gain = self.review.measured(hashes / seconds, time.monotonic()) if seconds > 0 else None
        return (self._other, gain) if gain and self._other else None

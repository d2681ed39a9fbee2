"""Which kernel to hash with: the one that is named, or of those with enough memory the fastest in a short trial."""

import functools
import os
import time
from collections.abc import Sequence

from miner import _native
from miner.core.algorithm import Algorithm
from miner.core.errors import EngineError, UsageError
from miner.engine.memory import MemoryLeft, memory_left, size_text

# A trial compares the first KERNELS by the best of ROUNDS turns each, or of fewer once it has taken BUDGET seconds. A
# turn takes SECONDS, or one batch. What has reached less than HOPELESS of the best gets no more turns: a neighbour on
# the core costs less than half.
_TRIAL_KERNELS, _TRIAL_ROUNDS, _TRIAL_SECONDS, _TRIAL_BUDGET, _TRIAL_HOPELESS = 4, 3, 0.005, 0.1, 0.45


def usable_kernels(algorithm: Algorithm, name: str = "") -> tuple[str, ...]:
    """The kernels to choose from, fastest first: the one of that name alone, or all that this CPU has. `name` defaults
    to the environment's MINER_KERNEL. All have passed their self-test. Raises UsageError, which lists this CPU's
    kernels, for a name that is none of them, and EngineError where a kernel computes wrong hashes."""
    name = name or os.environ.get("MINER_KERNEL", "")
    if not name:
        return ranking(algorithm)
    runnable = _native.kernels(algorithm.name)
    if name not in runnable:
        raise UsageError(f"no kernel {name!r} for {algorithm.name} on this CPU: it has {', '.join(runnable)}")
    if not _sound(algorithm, name):
        raise EngineError(f"kernel {name!r} computes wrong hashes on this machine: use another one")
    return (name,)


def first_that_fits(algorithm: Algorithm, names: Sequence[str], threads: int, limit: int = 0) -> str:
    """The first of these kernels whose scratchpads for `threads` threads fit in the memory that this process may still
    take, and in `limit` bytes; 0 sets no limit. Raises EngineError, with what is needed, what there is, and what would
    fit."""
    return first_within(left_for(algorithm, limit), algorithm, names, threads)


def left_for(algorithm: Algorithm, limit: int = 0) -> MemoryLeft | None:
    """The memory left for scratchpads, `limit` bytes at most where that isn't 0; None where the algorithm takes none,
    or neither the system nor `limit` sets a bound."""
    if not algorithm.memory:
        return None
    left = memory_left() or (MemoryLeft(1 << 62, "") if limit else None)
    return left.within(limit) if left else None


def first_within(left: MemoryLeft | None, algorithm: Algorithm, names: Sequence[str], threads: int) -> str:
    """The first of these kernels whose scratchpads for `threads` threads fit in `left`; None sets no limit. Raises
    EngineError, with what is needed, what there is, and what would fit."""
    for kernel in names:
        need = _native.kernel_scratch(algorithm.name, algorithm.parameters, kernel) * threads
        if left is None or need <= left.usable:
            return kernel
    assert left is not None
    raise EngineError(_too_little(algorithm, names[-1], threads, left))


@functools.cache
def _sound(algorithm: Algorithm, kernel: str) -> bool:
    return _native.selftest(algorithm.name, kernel)


@functools.cache
def ranking(algorithm: Algorithm) -> tuple[str, ...]:
    """All kernels that pass their self-test, fastest first. Those of which most is expected are compared in a short
    trial; the others follow as the C core lists them, the portable one last. Raises EngineError if none passes."""
    sound = [kernel for kernel in _native.kernels(algorithm.name) if _sound(algorithm, kernel)]
    if not sound:
        raise EngineError(f"even the portable {algorithm.name} kernel computes wrong hashes: this machine is broken")
    short, left = algorithm.short, left_for(algorithm)
    tried = [kernel for kernel in sound[:_TRIAL_KERNELS] if kernel != "portable" and (
             left is None or _native.kernel_scratch(short.name, short.parameters, kernel) <= left.usable)]
    best = dict.fromkeys(tried, 0.0)
    started = time.thread_time()
    for _ in range(_TRIAL_ROUNDS if len(tried) > 1 else 0):
        for kernel in tried:  # in turn: the machine may be busy with something else
            if 0.0 < best[kernel] < _TRIAL_HOPELESS * max(best.values()):
                continue
            best[kernel] = max(best[kernel], _trial(_native.Searcher(short.name, short.parameters, kernel)))
        if time.thread_time() - started > _TRIAL_BUDGET:
            break
    tried.sort(key=best.__getitem__, reverse=True)
    return (*tried, *(kernel for kernel in sound if kernel not in tried))


def _trial(searcher: _native.Searcher) -> float:
    """Hashes per second of this thread's CPU time, in a trial too short to notice."""
    searcher.touch()
    epoch = _native.Epoch()
    count, hashes, started = searcher.lanes, 0, time.thread_time()
    while (seconds := time.thread_time() - started) < _TRIAL_SECONDS:
        hashes += searcher.search(bytes(80), bytes(32), hashes, count, epoch, epoch.value)[1]
        count = min(2 * count, 1 << 16)
    return hashes / seconds


def _too_little(algorithm: Algorithm, kernel: str, threads: int, left: MemoryLeft) -> str:
    needs = {name: _native.kernel_scratch(algorithm.name, algorithm.parameters, name)
             for name in _native.kernels(algorithm.name)}
    need = needs[kernel]
    smaller = [name for name in needs if needs[name] * threads <= left.usable]
    fixes = [f"`kernel={smaller[0]}` ({size_text(needs[smaller[0]])})"] if smaller else []
    if left.usable >= need:
        fixes.append(f"fewer threads (`threads={left.usable // need}`)")
    fixes += ["a smaller N", *(["a larger `memory_limit`"] if left.asked else [])]
    return (f"{algorithm} with kernel {kernel} needs {size_text(need)} of memory a thread, {size_text(need * threads)} "
            f"for {threads}, and {left}: use " + ", or ".join(fixes))

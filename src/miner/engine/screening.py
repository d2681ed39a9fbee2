"""Screening: every kernel on every CPU over the same random headers, and what it says of each nonce compared with what
the portable code says. A CPU on which they differ computes wrongly; docs/screening.md says what that shows and what it
doesn't.

`screen` does it on this host; this module's classes are what it tells. A CPU's own loop is in `screened_cpu`.
"""

import contextlib
import math
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from miner import _native
from miner.core.algorithm import Algorithm, algorithms
from miner.core.errors import EngineError, UsageError
from miner.core.screening import ScreenEvent, Screening, ScreenProgress, ScreenStarted
from miner.engine.cpus import allowed_cpus, usable_threads
from miner.engine.hostlock import LOCKS, try_lock
from miner.engine.kernels import first_that_fits
from miner.engine.processors import processors
from miner.engine.screened_cpu import Plan, ScreenedCpu

NICE = 19
PROGRESS_SECONDS = 60.0
_TURN_SECONDS = 0.1  # CPU time of one kernel's turn, where the whole time suffices
_ROUNDS = 4  # turns that each kernel should have on each CPU at least, however short the whole time
_VISIT_SECONDS = 10.0  # a CPU's time until its thread goes on to another one, if more CPUs are to be screened
_WAIT_SECONDS = 0.05


def screen(chosen: Sequence[Algorithm | str] = (), seconds: float = 60.0, *, seed: int | None = None, threads: int = 0,
           cpus: Iterable[int] = (), nice: int | None = NICE, stop: threading.Event | None = None,
           on_event: Callable[[ScreenEvent], None] = lambda event: None, beside: int = 0,
           locks: Path = LOCKS) -> Screening:
    """Screen this host's CPUs for `seconds`, or until `stop` is set, and say what came of it.

    chosen    algorithms, or their names as `Algorithm.parse` reads them; none: all there are
    seed      what headers and targets are made from; None: a random number. A run with an equal seed hashes equal
              headers in an equal order, on any machine
    threads   how many CPUs are screened at a time; 0: as many as this process may use. Where there are more CPUs,
              they take turns
    cpus      the numbers of the CPUs; none: all in this process's affinity mask
    nice      the threads' nice value; None leaves it as it is
    on_event  is called with ScreenStarted; each Mismatch, from any thread; ScreenProgress after the first round of all
              kernels on all CPUs, and each minute

    beside    threads of other screenings on this host, which share its CPUs out with this one

    Screenings in several processes of one host visit different CPUs at any time. Raises UsageError for an unknown
    algorithm or a CPU that this process may not use, EngineError where no kernel can be screened, and whatever has
    ended a thread.
    """
    picked = [Algorithm.parse(one) if isinstance(one, str) else one for one in chosen] or algorithms()
    allowed = allowed_cpus()
    numbers = tuple(dict.fromkeys(cpus)) or allowed
    if unknown := sorted(set(numbers) - set(allowed)):
        raise UsageError(f"CPU {unknown[0]} is none that this process may use: it has {', '.join(map(str, allowed))}")
    threads = min(threads or usable_threads(), len(numbers))
    visits = math.ceil(len(numbers) / (threads + beside))
    plan, remarks = _plan(picked, threads, seconds / visits, secrets.randbits(63) if seed is None else seed)
    run = _Run(plan, numbers, threads, nice, min(_VISIT_SECONDS, seconds / visits / _ROUNDS), on_event, locks)
    on_event(ScreenStarted(plan.host, numbers, threads, plan.seed, seconds,
                           tuple((str(algorithm), kernels) for algorithm, kernels in plan.kernels), remarks))
    return run.run(seconds, stop or threading.Event())


def _plan(chosen: Sequence[Algorithm], threads: int, seconds: float, seed: int) -> tuple[Plan, tuple[str, ...]]:
    """What each CPU does in its `seconds`, and remarks on what is left out."""
    remarks, kernels = [], []
    for algorithm in dict.fromkeys(chosen):
        names = []
        for name in _native.kernels(algorithm.name):
            try:
                first_that_fits(algorithm, [name], threads)
            except EngineError as error:
                remarks.append(f"Left out: {error}")
            else:
                names.append(name)
        if names:
            kernels.append((algorithm, tuple(names)))
    if not kernels:
        raise EngineError(remarks[0] if remarks else "there is no kernel to screen")
    turns = sum(len(names) + 1 for _, names in kernels) * _ROUNDS
    return Plan(platform.node(), seed, tuple(kernels), min(_TURN_SECONDS, seconds / turns)), tuple(remarks)


class _Run:
    """Threads, and the CPUs that they visit."""

    def __init__(self, plan: Plan, cpus: Sequence[int], threads: int, nice: int | None, visit_seconds: float,
                 on_event: Callable[[ScreenEvent], None], locks: Path) -> None:
        self._seed, self._nice, self._visit_seconds, self._locks = plan.seed, nice, visit_seconds, locks
        self._on_event = on_event
        self._epoch = _native.Epoch()
        known = processors(cpus)
        self._cpus = [ScreenedCpu(known[cpu], plan, self._epoch, on_event) for cpu in cpus]
        self._free = set(self._cpus)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._work, name=f"miner-screen-{number}", daemon=True)
                         for number in range(threads)]

    def run(self, seconds: float, stop: threading.Event) -> Screening:
        started = time.monotonic()
        deadline, told, first_told = started + seconds, started, False
        try:
            for thread in self._threads:
                thread.start()
            while not stop.wait(min(_WAIT_SECONDS, max(0.0, deadline - time.monotonic()))):
                now = time.monotonic()
                if now >= deadline or self._ended.is_set():
                    break
                rounds = min(cpu.rounds for cpu in self._cpus)
                if now - told >= PROGRESS_SECONDS or rounds and not first_told:
                    told, first_told = now, rounds > 0
                    self._tell_progress(rounds, now - started)
        finally:
            self._ended.set()
            self._epoch.advance()
            for thread in self._threads:
                if thread.ident is not None:
                    thread.join()
        if self._errors:
            raise self._errors[0]
        return Screening(self._seed, time.monotonic() - started, tuple(cpu.result() for cpu in self._cpus))

    def _tell_progress(self, rounds: int, seconds: float) -> None:
        results = [cpu.result() for cpu in self._cpus]
        self._on_event(ScreenProgress(rounds, sum(cpu.hashes for cpu in results),
                                      sum(cpu.mismatch_count for cpu in results), seconds))

    def _work(self) -> None:
        try:
            if self._nice is not None:
                with contextlib.suppress(OSError):  # refused: then it has the priority of others
                    _native.set_thread_nice(self._nice)
            while not self._ended.is_set():
                self._visit()
        except BaseException as error:
            self._errors.append(error)
            self._ended.set()

    def _visit(self) -> None:
        """Screen the CPU that needs it most for a while; or wait a moment, if all are busy."""
        cpu, lock = self._take()
        if cpu is None:
            self._ended.wait(_WAIT_SECONDS)
            return
        try:
            cpu.visit(time.monotonic() + self._visit_seconds)
        finally:
            if lock is not None:
                os.close(lock)
            if not cpu.refused:
                with self._lock:
                    self._free.add(cpu)

    def _take(self) -> tuple[ScreenedCpu | None, int | None]:
        """The CPU that was screened least and that no other screening of this host visits, and what holds its lock:
        None where there can be no locks."""
        locked = os.access(self._locks, os.W_OK)
        with self._lock:
            for cpu in sorted(self._free, key=lambda each: each.seconds):
                lock = try_lock(self._locks / f"sparkminer-screen-cpu{cpu.number}.lock") if locked else None
                if lock is not None or not locked:
                    self._free.remove(cpu)
                    return cpu, lock
        return None, None

"""What a screening of CPUs tells (`miner.engine.screening`): the events while it runs, and its result."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

MISMATCHES_KEPT = 64  # told of each CPU; all are counted
# As the name of a kernel: the portable code's own list, a sample of which is compared with Python's hashlib.
REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class ScreenStarted:
    """A screening begins on `host`: `threads` of `cpus` at a time, for `seconds`. `kernels` has each algorithm, as
    `Algorithm.parse` reads it, with the names of its kernels. `remarks` are lines for people about what is left out."""

    host: str
    cpus: tuple[int, ...]
    threads: int
    seed: int
    seconds: float
    kernels: tuple[tuple[str, tuple[str, ...]], ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterScreenStarted:
    """A screening of a cluster begins, for `seconds`: with the executors that are there by now, and the cores that they
    have on that number of hosts. Executors that join later are screened from then on."""

    executors: int
    hosts: int
    cores: int
    seed: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ScreenProgress:
    """What a screening has done so far, in `seconds` of wall time: hashes compared, mismatches among them, and how
    often each kernel has had its turn on each CPU at least."""

    rounds: int
    hashes: int
    mismatches: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A nonce of which a kernel said something else than the portable code, on one CPU.

    time          seconds since 1970
    header        the 80 bytes that were hashed, with `nonce` (little-endian) at their end
    target_top    the most significant 32 bits of the target that the kernel compared with
    expected      the most significant 32 bits of the hash, by the portable code: a hit where they are at most
                  `target_top`
    hit           what the kernel said: the opposite of what follows from `expected`. None for REFERENCE, which says
                  `expected` itself
    expected_again
                  `expected` computed once more when the mismatch was found, by Python's hashlib where that takes the
                  algorithm's parameters: where the two differ, it was the portable code that went wrong
    again, tries  how often the kernel erred again for this nonce, when it was asked `tries` times more
    """

    time: float
    host: str
    cpu: int
    model: str
    microcode: str
    algorithm: str
    kernel: str
    header: bytes
    nonce: int
    target_top: int
    expected: int
    hit: bool | None
    expected_again: int
    again: int
    tries: int

    @property
    def portable_erred(self) -> bool:
        """Whether the portable code computed wrongly, and not the kernel."""
        return self.expected != self.expected_again


ScreenEvent = ScreenStarted | ClusterScreenStarted | ScreenProgress | Mismatch


@dataclass(frozen=True, slots=True)
class KernelScreening:
    """What a kernel did on one CPU. `hashes` were compared, each target counted; `mismatches` of them were wrong.
    `timed_hashes` of them were hashed as in mining, where hits are rare, in `timed_seconds` of the thread's CPU time.
    `clock_hertz` is the CPU's clock just after the kernel's turns, in the mean; None where it can't be measured."""

    algorithm: str
    kernel: str
    hashes: int = 0
    mismatches: int = 0
    timed_hashes: int = 0
    timed_seconds: float = 0.0
    clock_hertz: float | None = None

    @property
    def hashrate(self) -> float:
        """H/s by the thread's CPU time; 0 where nothing was timed."""
        return self.timed_hashes / self.timed_seconds if self.timed_seconds else 0.0

    def with_more(self, other: "KernelScreening") -> "KernelScreening":
        """The sum of two screenings of one kernel on one CPU."""
        clocks = [each.clock_hertz for each in (self, other) if each.clock_hertz is not None]
        return replace(self, hashes=self.hashes + other.hashes, mismatches=self.mismatches + other.mismatches,
                       timed_hashes=self.timed_hashes + other.timed_hashes,
                       timed_seconds=self.timed_seconds + other.timed_seconds,
                       clock_hertz=statistics.fmean(clocks) if clocks else None)


@dataclass(frozen=True, slots=True)
class Throttling:
    """What held a CPU back while it was screened. None: this system doesn't tell.

    core_events, package_events    how often the core's or the package's temperature was over its limit
                                   (thermal_throttle in sysfs: Intel's CPUs)
    core_seconds, package_seconds  how long it was
    thermal_interrupts             the CPU's interrupts for heat (/proc/interrupts, TRM)
    machine_checks                 its exceptions and interrupts for hardware faults, also for corrected ones (MCE, THR
                                   and DFR)
    quota_seconds                  CPU time that control groups denied all of the process's threads together
    """

    core_events: int | None = None
    package_events: int | None = None
    core_seconds: float | None = None
    package_seconds: float | None = None
    thermal_interrupts: int | None = None
    machine_checks: int | None = None
    quota_seconds: float | None = None

    def since(self, before: "Throttling") -> "Throttling":
        """What came on top of `before`: both are counted from one beginning."""
        return self._with(before, lambda now, then: None if None in (now, then) else max(now - then, 0 * now))

    def __add__(self, other: "Throttling") -> "Throttling":
        return self._with(other, lambda one, two: one if two is None else two if one is None else one + two)

    def _with(self, other: "Throttling", combine: Callable[[Any, Any], Any]) -> "Throttling":
        return Throttling(*(combine(getattr(self, each.name), getattr(other, each.name)) for each in fields(self)))


@dataclass(frozen=True, slots=True)
class CpuScreening:
    """What came of screening one CPU of `host`, numbered as its system does.

    model, microcode    see `miner.engine.processors.Processor`
    seconds             wall time for which a thread was on it; `cpu_seconds`: the CPU time that the thread had. 0: it
                        was not screened
    rounds              how often every kernel has had its turn
    kernels             one for each kernel, whether its turn came or not, and one for each algorithm's REFERENCE
    mismatches          the first MISMATCHES_KEPT of them, in the order in which they were found
    clock_lowest_hertz, clock_highest_hertz
                        the CPU's clock, measured after each turn of a kernel; None where it can't be
    remark              why it was not screened as it should be; "" if it was
    """

    host: str
    cpu: int
    model: str
    microcode: str
    seconds: float
    cpu_seconds: float
    rounds: int
    kernels: tuple[KernelScreening, ...]
    mismatches: tuple[Mismatch, ...]
    throttling: Throttling
    clock_lowest_hertz: float | None
    clock_highest_hertz: float | None
    remark: str = ""

    @property
    def hashes(self) -> int:
        """Hashes compared, by all kernels."""
        return sum(kernel.hashes for kernel in self.kernels)

    @property
    def mismatch_count(self) -> int:
        """Mismatches, those that are not in `mismatches` counted too."""
        return sum(kernel.mismatches for kernel in self.kernels)

    def with_more(self, other: "CpuScreening") -> "CpuScreening":
        """The sum of two screenings of one CPU, as by two processes of its host one after the other."""
        mine, more = ({(each.algorithm, each.kernel): each for each in one.kernels} for one in (self, other))
        kernels = {key: mine[key].with_more(more[key]) if key in mine and key in more else mine.get(key) or more[key]
                   for key in (mine | more)}
        lowest = [each for each in (self.clock_lowest_hertz, other.clock_lowest_hertz) if each is not None]
        highest = [each for each in (self.clock_highest_hertz, other.clock_highest_hertz) if each is not None]
        return replace(self, seconds=self.seconds + other.seconds, cpu_seconds=self.cpu_seconds + other.cpu_seconds,
                       rounds=self.rounds + other.rounds,
                       kernels=tuple(kernels.values()),
                       mismatches=(self.mismatches + other.mismatches)[:MISMATCHES_KEPT],
                       throttling=self.throttling + other.throttling,
                       clock_lowest_hertz=min(lowest, default=None), clock_highest_hertz=max(highest, default=None),
                       remark=self.remark if not self.hashes else other.remark and self.remark)


@dataclass(frozen=True, slots=True)
class Screening:
    """The result of a screening that ran for `seconds`."""

    seed: int
    seconds: float
    cpus: tuple[CpuScreening, ...]

    @property
    def hashes(self) -> int:
        """Hashes compared, on all CPUs."""
        return sum(cpu.hashes for cpu in self.cpus)

    @property
    def mismatches(self) -> int:
        """Mismatches, on all CPUs."""
        return sum(cpu.mismatch_count for cpu in self.cpus)

    @property
    def not_screened(self) -> tuple[CpuScreening, ...]:
        """The CPUs on which a kernel's turn never came."""
        return tuple(cpu for cpu in self.cpus
                     if not all(kernel.hashes for kernel in cpu.kernels if kernel.kernel != REFERENCE))


class Medians:
    """The median hashrate of each kernel over all CPUs of one model."""

    def __init__(self, cpus: Iterable[CpuScreening]) -> None:
        rates: dict[tuple[str, str, str], list[float]] = {}
        for cpu in cpus:
            for kernel in cpu.kernels:
                if kernel.hashrate:
                    rates.setdefault((cpu.model, kernel.algorithm, kernel.kernel), []).append(kernel.hashrate)
        self._rates = rates

    def items(self) -> list[tuple[str, str, str, int, float]]:
        """Model, algorithm, kernel, number of CPUs, and their median in H/s."""
        return [(*key, len(rates), statistics.median(rates)) for key, rates in self._rates.items()]

    def count(self, cpu: CpuScreening, kernel: KernelScreening) -> int:
        """The number of CPUs of that CPU's model on which the kernel was timed."""
        return len(self._rates.get((cpu.model, kernel.algorithm, kernel.kernel), ()))

    def distance(self, cpu: CpuScreening, kernel: KernelScreening) -> float | None:
        """How far a kernel's hashrate on a CPU is from the median of that CPU's model: -0.05 is 5% below. None where
        nothing was timed."""
        rates = self._rates.get((cpu.model, kernel.algorithm, kernel.kernel))
        return kernel.hashrate / statistics.median(rates) - 1 if rates and kernel.hashrate else None

    def farthest(self, cpu: CpuScreening) -> tuple[KernelScreening, float] | None:
        """The kernel that is slowest on that CPU beside the median of the CPU's model, and its distance."""
        known = [(kernel, distance) for kernel in cpu.kernels if (distance := self.distance(cpu, kernel)) is not None]
        return min(known, key=lambda pair: pair[1], default=None)

"""What Linux tells of each of this host's CPUs: its model and microcode, and whether heat, faults or a quota held it
back. Elsewhere, and in most virtual machines, little of it is known."""

import contextlib
import platform
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from miner import _native
from miner.core.screening import Throttling
from miner.engine.cgroups import groups_above

SYSTEM, PROC = Path("/sys"), Path("/proc")
_SPIN_CYCLES = 500_000
# What tells models apart in /proc/cpuinfo, on x86 and on ARM.
_NUMBERS = {"cpu family": "family", "model": "model", "stepping": "stepping", "CPU implementer": "implementer",
            "CPU part": "part", "CPU variant": "variant", "CPU revision": "revision"}
# Lines of /proc/interrupts: exceptions that tell of a fault, and interrupts for faults that the CPU has corrected.
_MACHINE_CHECKS, _THERMAL = ("MCE", "THR", "DFR"), ("TRM",)


@dataclass(frozen=True, slots=True)
class Processor:
    """A CPU as the system numbers them. `model` is its name, with family, model and stepping where Linux tells them: by
    these, CPUs are compared. `microcode` is the revision as Linux writes it, "" where it doesn't."""

    cpu: int
    model: str
    microcode: str


def processors(cpus: Iterable[int], cpuinfo: Path = PROC / "cpuinfo") -> dict[int, Processor]:
    """What is known of each of these CPUs, by its number: if Linux tells nothing of it, its architecture."""
    known = dict(_told(cpuinfo))
    return {cpu: known.get(cpu) or Processor(cpu, platform.processor() or platform.machine(), "") for cpu in cpus}


def _told(cpuinfo: Path) -> Iterator[tuple[int, Processor]]:
    for block in _blocks(cpuinfo):
        with contextlib.suppress(KeyError, ValueError):
            cpu = int(block["processor"])
            numbers = [f"{word} {block[name]}" for name, word in _NUMBERS.items() if name in block]
            name = block.get("model name") or platform.machine()
            yield cpu, Processor(cpu, f"{name} ({', '.join(numbers)})" if numbers else name, block.get("microcode", ""))


def cpuinfo_of_first(path: Path = PROC / "cpuinfo") -> dict[str, str]:
    """What Linux's /proc/cpuinfo says of the first CPU, by name; empty where there is no such file."""
    return next(_blocks(path), {})


def _blocks(cpuinfo: Path) -> Iterator[dict[str, str]]:
    try:
        text = cpuinfo.read_text(encoding="utf-8")
    except (OSError, ValueError):  # ValueError: not UTF-8
        return
    for block in text.split("\n\n"):
        pairs = (line.partition(":") for line in block.splitlines())
        yield {name.strip(): value.strip() for name, _, value in pairs}


def throttling(cpu: int, system: Path = SYSTEM, proc: Path = PROC) -> Throttling:
    """That CPU's counters as they stand now, most of them counted since the machine started."""
    counters = system / f"devices/system/cpu/cpu{cpu}/thermal_throttle"
    return Throttling(
        core_events=_number(counters / "core_throttle_count"),
        package_events=_number(counters / "package_throttle_count"),
        core_seconds=_seconds(counters / "core_throttle_total_time_ms"),
        package_seconds=_seconds(counters / "package_throttle_total_time_ms"),
        thermal_interrupts=_interrupts(proc, cpu, _THERMAL),
        machine_checks=_interrupts(proc, cpu, _MACHINE_CHECKS),
        quota_seconds=_denied_seconds(system / "fs/cgroup", proc / "self/cgroup"))


def _interrupts(proc: Path, cpu: int, names: tuple[str, ...]) -> int | None:
    """The sum of a CPU's counts in these lines of /proc/interrupts; None where there is none of them."""
    try:
        heads, *lines = (proc / "interrupts").read_text(encoding="utf-8", errors="replace").splitlines()
        column = 1 + heads.split().index(f"CPU{cpu}")
        counts = [int(words[column]) for line in lines if (words := line.split())[:1] and words[0][:-1] in names]
    except (OSError, ValueError, IndexError):
        return None
    return sum(counts) if counts else None


def _denied_seconds(cgroups: Path, membership: Path) -> float | None:
    """The CPU time that quotas denied this process: the largest figure of all groups above it, for version 2
    (throttled_usec) and version 1 (throttled_time, in nanoseconds)."""
    denied = []
    for group in groups_above("cpu", cgroups, membership):
        with contextlib.suppress(OSError, ValueError):
            words = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
            for name, unit in (("throttled_usec", 1e-6), ("throttled_time", 1e-9)):
                if name in words:
                    denied.append(int(words[name]) * unit)
    return max(denied, default=None)


def _seconds(path: Path) -> float | None:
    milliseconds = _number(path)
    return None if milliseconds is None else milliseconds / 1e3


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def clock_hertz(spins: int = 20) -> float | None:
    """The real clock of the CPU that this thread runs on, now, in hertz: the fastest of `spins` runs of a chain of
    additions of known length, a tenth of a millisecond or two each, since interruptions only make it slower. None where
    there is no such chain for the instruction set. In virtual machines and on CPUs that boost, the system tells
    another clock."""
    best = 0.0
    for _ in range(spins):
        started = time.perf_counter()
        if not _native.spin(_SPIN_CYCLES):
            return None
        best = max(best, _SPIN_CYCLES / (time.perf_counter() - started))
    return best

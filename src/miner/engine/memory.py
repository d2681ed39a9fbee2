"""How much memory this process may still take, and how much of what it has is in huge pages. For Linux; elsewhere
nothing is known.

Linux promises memory that it hasn't got, and kills a process that then uses it. So this is looked at first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from miner.engine.cgroups import CGROUPS, groups_above

PROC = Path("/proc")
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
# Names in a group's directory: limits, what is used of them, and in memory.stat what of that is file cache which the
# system drops when it runs short. memory.high doesn't end a process, but slows it until it hardly moves.
_VERSION_2 = ("memory.max", "memory.high"), "memory.current", "inactive_file"
_VERSION_1 = ("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file"


@dataclass(frozen=True, slots=True)
class MemoryLeft:
    """Memory that this process may still take; `where` says for people what sets the limit. `asked`: it is not what the
    system has left, but what a setting allows, which may be used to the last byte."""

    size: int  # bytes
    where: str
    asked: bool = False

    @property
    def usable(self) -> int:
        """Bytes to plan with: a sixteenth stays free for whatever else this process and others need."""
        return self.size if self.asked else max(0, self.size - self.size // 16)

    def __str__(self) -> str:
        size = size_text(self.size)
        return (f"{self.where} allows {size}" if self.asked else
                f"{size} are left {self.where}, of which a sixteenth stays free")

    def within(self, limit: int) -> "MemoryLeft":
        """The tighter of this and what the setting `memory_limit` allows, in bytes; 0 sets no limit."""
        return MemoryLeft(limit, "`memory_limit`", asked=True) if 0 < limit < self.usable else self


def memory_left(cgroups: Path = CGROUPS, proc: Path = PROC) -> MemoryLeft | None:
    """What is left under the tightest limit: the machine's memory, those of control groups (both versions), that on the
    address space (`ulimit -v`, spark.executor.pyspark.memory). None where nothing is known. Swap doesn't count: scrypt
    in swap is of no use."""
    known = [*_machine(proc), *_address_space(proc)]
    for group in groups_above("memory", cgroups, proc / "self/cgroup"):
        known += _group(group, *_VERSION_2)
        known += _group(group, *_VERSION_1)
    return min(known, key=lambda left: left.size, default=None)


def _machine(proc: Path) -> Iterator[MemoryLeft]:
    available = _field(proc / "meminfo", "MemAvailable:")
    if available is not None:
        yield MemoryLeft(available * 1024, "on this machine")


def _address_space(proc: Path) -> Iterator[MemoryLeft]:
    try:
        lines = (proc / "self/limits").read_text().splitlines()
        limit = next(line for line in lines if line.startswith("Max address space")).split()[3]
        used = _field(proc / "self/status", "VmSize:")
        if used is not None:
            yield MemoryLeft(max(0, int(limit) - used * 1024), "in this process's address space (ulimit -v)")
    except (OSError, ValueError, IndexError, StopIteration):  # ValueError: "unlimited"
        return


def _group(group: Path, limits: tuple[str, ...], usage: str, cache: str) -> Iterator[MemoryLeft]:
    for name in limits:
        try:
            limit, used = int((group / name).read_text()), int((group / usage).read_text())
        except (OSError, ValueError):  # ValueError: "max"
            continue
        used -= _field(group / "memory.stat", cache) or 0
        yield MemoryLeft(max(0, limit - used), f"in the control group {group} ({name})")


def huge_page_bytes(proc: Path = PROC) -> int | None:
    """Bytes of this process's memory that are in transparent huge pages; None where the system doesn't tell."""
    size = _field(proc / "self/smaps_rollup", "AnonHugePages:")
    return None if size is None else size * 1024


def huge_pages_switched_off(setting: Path = HUGE_PAGES) -> bool:
    """Whether this system gives no transparent huge pages to anybody."""
    try:
        return "[never]" in setting.read_text()
    except (OSError, ValueError):
        return False


def _field(path: Path, name: str) -> int | None:
    """The number behind `name` in a file with one name on each line; None where it isn't there."""
    try:
        lines = path.read_text().splitlines()
        return next((int(line.split()[1]) for line in lines if line.split()[:1] == [name]), None)
    except (OSError, ValueError, IndexError):
        return None


def size_text(size: int) -> str:
    """Bytes for people: `4.1 GiB`, `128 MiB`."""
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 30 else f"{size / (1 << 20):.4g} MiB"

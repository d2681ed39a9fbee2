"""Which CPUs this process may use, and how several miners on one host share them."""

import contextlib
import math
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from miner.engine.cgroups import CGROUPS, MEMBERSHIP, groups_above
from miner.engine.hostlock import LOCKS, try_lock

TOPOLOGY = Path("/sys/devices/system/cpu")
IPC = Path("/proc/self/ns/ipc")
_HOSTS_IPC = 0xEFFFFFFF  # the inode of the namespace that Linux boots with (PROC_IPC_INIT_INO)


def allowed_cpus() -> tuple[int, ...]:
    """The numbers of the CPUs in this process's affinity mask, which honours cpusets; all CPUs where the system doesn't
    tell."""
    if hasattr(os, "sched_getaffinity"):
        with contextlib.suppress(OSError):  # refused, as by a container's seccomp profile
            return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def cpu_quota(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> float | None:
    """How many CPUs' worth of time Linux's control groups grant this process; None: no limit. The tightest quota of all
    groups above the process counts (cpu.max in version 2, cpu.cfs_quota_us in version 1). It shows neither in the
    affinity mask nor in os.cpu_count()."""
    quotas = [_group_quota(group) for group in groups_above("cpu", cgroups, membership)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _group_quota(group: Path) -> float | None:
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text()
            period = (group / "cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # ValueError: "max"
        return None


def usable_threads() -> int:
    """How many threads are worth starting: one for each allowed CPU, or fewer where a quota grants less CPU time."""
    quota = cpu_quota()
    allowed = len(allowed_cpus())
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def cores_first(cpus: Sequence[int], topology: Path = TOPOLOGY) -> tuple[int, ...]:
    """These CPUs in the order in which they are worth taking: one of each physical core, then the siblings that share a
    core with one of them. Where the system doesn't tell which CPUs are siblings, their order stays."""
    taken: Counter[str] = Counter()
    places = []
    for cpu in cpus:
        core = _siblings(topology / f"cpu{cpu}" / "topology") or f"cpu{cpu}"
        places.append((taken[core], cpu))
        taken[core] += 1
    return tuple(cpu for _, cpu in sorted(places, key=lambda place: place[0]))


def _siblings(topology: Path) -> str:
    """The CPUs of one core, as Linux lists them: by the name from version 5.3 on, or the one before; "" for neither."""
    for name in ("core_cpus_list", "thread_siblings_list"):
        with contextlib.suppress(OSError, ValueError):
            return (topology / name).read_text().strip()
    return ""


class CpuClaims:
    """CPUs that this process has taken to pin threads to. Each has a lock, so that two miners of one host (two Spark
    executors, say) take different CPUs."""

    def __init__(self, directory: Path = LOCKS, ipc: Path = IPC) -> None:
        self._directory, self._ipc = directory, ipc
        self._held: list[int] = []

    def take(self, count: int) -> tuple[int, ...]:
        """Take up to `count` free CPUs, physical cores before siblings, and return their numbers: none where quota or
        system don't allow pinning, nor for some of a container's CPUs, since a miner in another container would take
        the same ones. Where there is no shared memory for locks, takes the first CPUs, as a miner that is alone on its
        host would."""
        allowed = cores_first(allowed_cpus())
        quota = cpu_quota()
        if sys.platform != "linux" or (quota is not None and quota < len(allowed)):
            return ()
        if count < len(allowed) and _in_container(self._ipc):
            return ()
        if not os.access(self._directory, os.W_OK):
            return allowed[:count]
        taken: list[int] = []
        for cpu in allowed:
            if len(taken) == count:
                break
            descriptor = try_lock(self._directory / f"sparkminer-cpu{cpu}.lock")
            if descriptor is not None:
                self._held.append(descriptor)
                taken.append(cpu)
        return tuple(taken)

    def release(self) -> None:
        """Give all CPUs back. May be called twice."""
        while self._held:
            with contextlib.suppress(OSError):
                os.close(self._held.pop())


def _in_container(ipc: Path) -> bool:
    """Whether this process has shared memory of its own, so that locks tell it nothing of other miners on the host: it
    is in an IPC namespace, which the path names, other than the host's."""
    try:
        return ipc.stat().st_ino != _HOSTS_IPC
    except OSError:
        return False

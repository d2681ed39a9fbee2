"""Where this process stands in Linux's control groups, which limit CPU time and memory in containers."""

from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def groups_above(controller: str, cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> Iterator[Path]:
    """The directories of this process's control group and of all groups above it, each of which may set a limit: of
    version 2, and of version 1's hierarchy for `controller` ("cpu", "memory"). Not every directory exists, nor has
    every file in it. Empty where there are no control groups."""
    try:
        lines = membership.read_text().splitlines()
    except (OSError, ValueError):  # ValueError: no text
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if not colon or controllers and controller not in controllers.split(","):
            continue
        mount = cgroups / controllers if controllers and _is_directory(cgroups / controllers) else cgroups
        if controllers and mount == cgroups:
            mount = cgroups / controller
        # In a container the path may be the host's: then only the mount's own root can be read, which is enough.
        group = mount / path.lstrip("/")
        yield from (level for level in (group, *group.parents) if level.is_relative_to(mount))


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a directory above it can't be read
        return False

"""The real programs that tests talk to. Where one is missing, a user's run skips the test, and CI fails."""

import os
import shutil
from pathlib import Path
from typing import TypeVar

import pytest

Found = TypeVar("Found")

IN_CI = bool(os.environ.get("CI"))


def require(name: str, found: Found | None, how_to_get: str) -> Found:
    """`found`, if it is something. Else skip the test with the line that gets it; with CI set, fail it."""
    __tracebackhide__ = True
    if found:
        return found
    text = f"{name} is not there: {how_to_get}"
    if IN_CI:
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


def executable(name: str, *elsewhere: str) -> Path | None:
    """Where the program `name` is: one of the paths `elsewhere`, or on PATH."""
    for path in map(Path, elsewhere):
        if os.access(path, os.X_OK) and path.is_file():
            return path
    found = shutil.which(name)
    return Path(found) if found else None


def minerd() -> Path | None:
    """An unmodified minerd: the file that MINERD names, or the one on PATH."""
    named = os.environ.get("MINERD", "")
    return executable("minerd", named) if named else executable("minerd")


def out_of_idle(pid: int) -> bool:
    """Let a minerd that has begun to mine get CPU on a busy machine, too: its mining threads ask for SCHED_IDLE and
    nice 19. False where none has asked yet."""
    threads = [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]
    idle = [thread for thread in threads if os.sched_getscheduler(thread) == os.SCHED_IDLE]
    for thread in idle:
        os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, thread, 0)
    return bool(idle)

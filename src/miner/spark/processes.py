"""Processes that must not be left behind: those of a Spark that this process started, found by their session."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")


class _Process(NamedTuple):
    pid: int
    parent: int
    session: int


def _processes() -> Iterator[_Process]:
    """The processes of this machine, without zombies, which have ended (proc_pid_stat(5)). None where there is no
    /proc."""
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent, _, session = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:4]
                if state not in "ZX":
                    yield _Process(int(entry.name), int(parent), int(session))


def session_members(session: int) -> list[int]:
    """The process ids of a session, without those that have ended. Whatever a session's leader starts belongs to the
    session too, whichever process groups are made. Empty where there is no /proc."""
    return [process.pid for process in _processes() if process.session == session]


def child_sessions() -> list[int]:
    """The process ids of this process's children that lead a session."""
    return [process.pid for process in _processes() if process.parent == os.getpid() and process.session == process.pid]


def end_session(leader: int, patience: float) -> None:
    """Wait `patience` seconds for a session to end by itself, then kill what is left of it."""
    deadline = time.monotonic() + patience
    while session_members(leader) and time.monotonic() < deadline:
        time.sleep(0.02)
    with contextlib.suppress(OSError):  # where there is no /proc
        os.killpg(leader, signal.SIGKILL)
    while left := session_members(leader):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def executor_id() -> str:
    """Spark's id of the executor whose Python worker this process is, read from the command line of the JVM that
    started it, since Python's TaskContext doesn't tell. "" on a driver (local mode), and where it can't be found."""
    pid = os.getppid()
    for _ in range(4):  # worker, daemon, JVM; one more for wrappers
        try:
            arguments = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
            parent = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
        except OSError:
            return ""
        if b"--executor-id" in arguments[:-1]:
            return arguments[arguments.index(b"--executor-id") + 1].decode(errors="replace")[:40]
        pid = int(parent)
    return ""

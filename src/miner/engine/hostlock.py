"""Locks between the miners of one host, whatever their users: files in shared memory. The system frees the lock of a
process that dies, however it dies."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl

LOCKS = Path("/dev/shm")
_POLL_SECONDS = 0.02


def try_lock(path: Path) -> int | None:
    """A descriptor that holds the lock until it is closed; None if another holds it, or there can be no such file."""
    if sys.platform == "win32":
        return None
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        try:
            descriptor = os.open(path, flags | os.O_CREAT, 0o644)
        except PermissionError:  # another user's file, in a directory that forbids O_CREAT on those
            descriptor = os.open(path, flags)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


@contextlib.contextmanager
def turn(path: Path, seconds: float) -> Iterator[None]:
    """One process after the other. Who has waited so long goes on without: the one before hangs, or is no miner."""
    deadline = time.monotonic() + seconds
    while (descriptor := try_lock(path)) is None and path.exists() and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)

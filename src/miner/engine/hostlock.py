"""Locks between the miners of one host, of all its users: files in shared memory. The system frees a lock when the
process that holds it ends, however it ends."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl

LOCKS = Path("/dev/shm")
_POLL_SECONDS = 0.02


def try_lock(path: Path) -> int | None:
    """Take the lock: returns a file descriptor that holds it until it is closed. None if another process holds the
    lock, or there can be no such file."""
    try:
        return _take(path)
    except OSError:
        return None


def _take(path: Path) -> int | None:
    """Take the lock: returns a file descriptor that holds it until it is closed. None where this system has no such
    locks. Raises BlockingIOError where another process holds the lock, and another OSError where it can't be had: the
    file can't be made, say, or this process may open no more."""
    if sys.platform == "win32":
        return None
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags | os.O_CREAT, 0o644)
    except PermissionError:  # another user's file, in a directory that forbids O_CREAT on those
        descriptor = os.open(path, flags)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextlib.contextmanager
def exclusive(path: Path, seconds: float, stop: threading.Event | None = None) -> Iterator[None]:
    """Hold the lock of that name, which other processes ask for as well. After `seconds` of waiting, or when `stop` is
    set, the caller goes on without the lock: the process that holds it hangs, or is no miner. So it does at once where
    there can be no lock."""
    stop = stop or threading.Event()
    deadline = time.monotonic() + seconds
    descriptor = None
    while True:
        try:
            descriptor = _take(path)
        except BlockingIOError:
            if time.monotonic() < deadline and not stop.wait(_POLL_SECONDS):
                continue
        except OSError:
            pass
        break
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)

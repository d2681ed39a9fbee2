"""Passwords and tokens in files of their own."""

import os
from pathlib import Path

from miner.core.errors import UsageError

MAX_SECRET = 4096  # characters


def read_secret(option: str, path: str) -> str:
    """The first line of a file that holds a password or token, behind a byte
    order mark if there is one. Raises UsageError, which names the option, if the file
    can't be read or the line is empty or longer than MAX_SECRET."""
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            secret = file.readline(MAX_SECRET + 1).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"{option}: can't read {path!r}: {reason}") from None
    if not secret or len(secret) > MAX_SECRET:
        raise UsageError(f"{option}: the first line of {path!r} must have from 1 to {MAX_SECRET} characters")
    return secret


def readable_by_others(path: str) -> bool:
    """Whether users other than the owner may read it. False where the system has no such modes."""
    try:
        return os.name == "posix" and bool(Path(path).stat().st_mode & 0o044)
    except OSError:
        return False

"""Passwords and tokens in files of their own."""

import getpass
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from miner.core.errors import UsageError
from miner.front.given import Secret

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


def from_environment(environ: Mapping[str, str], name: str) -> str:
    """The variable's value, "" where it is not set. Raises UsageError where it is set to nothing."""
    value = environ.get(name)
    if value is not None and not value.strip():
        raise UsageError(f"the environment's {name} is set, but empty: unset it, or put something into it")
    return value or ""


def get_secret(secret: Secret, ask: Callable[[str], str] = getpass.getpass, prompt: str = "Password: ") -> str:
    """The secret itself: from its file, or from the person at the terminal, if the option didn't have it. Raises
    UsageError where that can't be done."""
    if secret.file:
        return read_secret(secret.option, secret.file)
    if secret.text is not None:
        return secret.text
    try:
        return ask(prompt)
    except EOFError:
        raise UsageError(f"{secret.option}: there is no terminal to ask on") from None


def readable_by_others(path: str) -> bool:
    """Whether users other than the owner may read it. False where the system has no such modes."""
    try:
        return os.name == "posix" and bool(Path(path).stat().st_mode & 0o044)
    except OSError:
        return False

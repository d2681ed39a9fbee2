"""Passwords and tokens in files of their own."""

import getpass
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from miner.core.errors import UsageError
from miner.front.given import Secret

MAX_SECRET = 4096  # characters


def read_secret(option: str, path: str) -> str:
    """The first line of a file that holds a password or token, without a byte order mark. Raises UsageError, which
    names the option, if the file can't be read or is not UTF-8, or the line is empty or longer than MAX_SECRET."""
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
    """An environment variable's value, "" where it is not set. Raises UsageError where it is set, but empty."""
    value = environ.get(name)
    if value is not None and not value.strip():
        raise UsageError(f"the environment's {name} is set, but empty: unset it, or put something into it")
    return value or ""


def get_secret(secret: Secret, ask: Callable[[str], str] = getpass.getpass, prompt: str = "Password: ") -> str:
    """A secret's text: its own, or that of its file, or what the person at the terminal answers to `prompt`. Raises
    UsageError where the file can't be read, or there is no terminal."""
    if secret.file:
        return read_secret(secret.option, secret.file)
    if secret.text is not None:
        return secret.text
    try:
        return ask(prompt)
    except EOFError:
        raise UsageError(f"{secret.option}: there is no terminal to ask on") from None


def readable_by_others(path: str) -> bool:
    """Whether users other than this one and the file's owner may read a file. The group's right to do so doesn't count
    where the file is another user's: this user may owe it the file, as to a Kubernetes secret. False where files have
    no modes, or none is there."""
    try:
        state = Path(path).stat()
    except OSError:
        return False
    if os.name != "posix":
        return False
    return bool(state.st_mode & (0o044 if state.st_uid == os.geteuid() else 0o004))

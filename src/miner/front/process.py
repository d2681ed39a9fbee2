"""What a command does to its own process: passwords off the process list, signals, going to the background."""

import contextlib
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from miner.core.errors import UsageError

_SHORT = re.compile(r"-[DPSBq]*([pOox])(.*)", re.DOTALL)  # -p, also as in -qp: flags may stand before it
_KINDS = {"-p": "all", "--pass": "all", "--password": "all", "--token": "all",
          "-O": "userpass", "--userpass": "userpass", "-o": "url", "--url": "url",
          "-x": "url", "--proxy": "url",
          "--aux": "url", "--aux-userpass": "userpass"}


def secret_spans(args: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Where passwords stand on a command line: (argument, from, to)."""
    rest = iter(enumerate(args))
    for index, token in rest:
        name, equals, value = token.partition("=")
        short = _SHORT.fullmatch(token)
        if short:
            name, equals, value = f"-{short[1]}", short[2], short[2]
        if name not in _KINDS:
            continue
        if not equals:
            index, value = next(rest, (index, ""))
        start, end = _secret_in(value, _KINDS[name])
        offset = len(args[index]) - len(value)
        if start < end:
            yield index, offset + start, offset + end


def _secret_in(value: str, kind: str) -> tuple[int, int]:
    if kind == "url":
        credentials, at, _ = value.rpartition("@")
        start = credentials.find("//") + 2 if "//" in credentials else 0
        value = credentials if at else ""
    else:
        start = 0
    if kind != "all":
        colon = value.find(":", start)
        start = colon + 1 if colon >= 0 else len(value)
    return start, len(value)


def hide_secrets(args: Sequence[str], proc: Path = Path("/proc/self")) -> bool:
    """Write `x` over the passwords among this process's arguments, as `ps` shows them. True when none is visible any
    more. Linux keeps them in the process's own memory, and lets it write there; elsewhere they stay visible."""
    spans = list(secret_spans(args))
    if not spans:
        return True
    try:
        tokens = (proc / "cmdline").read_bytes().split(b"\0")[:-1]
        first = len(tokens) - len(args)
        if first < 0 or tokens[first:] != [os.fsencode(arg) for arg in args]:
            return False  # called with arguments other than the process's own
        base = int((proc / "stat").read_text().rpartition(")")[2].split()[45])  # arg_start, proc_pid_stat(5)
        with (proc / "mem").open("r+b", buffering=0) as memory:
            for index, start, end in spans:
                token = sum(len(token) + 1 for token in tokens[:first + index])
                before, secret = os.fsencode(args[index][:start]), os.fsencode(args[index][start:end])
                memory.seek(base + token + len(before))
                memory.write(b"x" * len(secret))
    except (OSError, ValueError, IndexError):
        return False
    return True


@contextlib.contextmanager
def stopping_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on the first SIGINT or SIGTERM; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def go_to_background() -> int:
    """Go on in a child that no terminal controls. Returns 0 there, and the child's process number in the parent, which
    should end. Call it before any thread is started. Raises UsageError where the system can't."""
    if not hasattr(os, "fork"):
        raise UsageError("-B/--background: this system has no fork")
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
    return child

"""What a command does to its own process: passwords off the process list, signals, going to the background."""

import contextlib
import os
import re
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, TextIO, TypeAlias

from miner.core.errors import MinerError, UsageError
from miner.front.minerd import full_name

ONE_WISH_SECONDS = 1.0  # signals to end that come within this time are one wish to end
_SIGHUP: int | None = getattr(signal, "SIGHUP", None)  # None on Windows, which sends SIGBREAK when a console is closed
ENDING_SIGNALS = tuple(number for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
                       if (number := getattr(signal, name, None)) is not None)
_Handler: TypeAlias = Any  # a function, a signal.Handlers or a number
_SHORT = re.compile(r"-[DPSBq]*([pOox])(.*)", re.DOTALL)  # -p, also as in -qp: flags may stand before it
_KINDS = {"-p": "all", "--pass": "all", "--password": "all", "--token": "all",
          "-O": "userpass", "--userpass": "userpass", "-o": "url", "--url": "url",
          "-x": "url", "--proxy": "url",
          "--aux": "url", "--aux-userpass": "userpass"}


def secret_spans(args: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Where passwords stand on a command line: an argument's index, and from which of its characters to which, the last
    not included."""
    rest = iter(enumerate(args))
    for index, token in rest:
        name, equals, value = token.partition("=")
        name = full_name(name)
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
    """Write `x` over the passwords among this process's arguments, as `ps` shows them. Returns True when none is
    visible any more. On Linux the arguments are in memory that the process may write; elsewhere they stay visible."""
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


class _Ending:
    """A signal handler that calls `stop` once. The first signal is the wish to end; those that come within
    ONE_WISH_SECONDS belong to that wish. A later one is left to the handlers that were there before or, while the end
    is still under way, to the system, which ends the process."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._wished: float | None = None  # on time.monotonic's clock
        self._before: dict[int, _Handler] = {}
        self._over = False

    def install(self, number: int) -> None:
        """Handle this signal from now on."""
        self._before[number] = signal.signal(number, self._handle) or signal.SIG_DFL

    def leave(self) -> None:
        """Note that what was to be stopped has ended. Where a wish to end has come, the handler stays: a second one may
        come while the process is on its way out."""
        self._over = True
        if self._wished is None:
            self._restore()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._wished is None:
            self._wished = now
            self._stop()
        elif now - self._wished >= ONE_WISH_SECONDS:
            self._restore()
            signal.raise_signal(number)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, handler if self._over else signal.SIG_DFL)


@contextlib.contextmanager
def stopping_on_signals(stop: Callable[[], None], hang_up: Callable[[], None] | None = None,
                        numbers: Sequence[int] = ENDING_SIGNALS) -> Iterator[None]:
    """Meanwhile, call `stop` on the first of these signals. Others that come within ONE_WISH_SECONDS are one wish with
    it (`timeout` sends two at once: to a process, and to its group). A later one ends the process at once.

    hang_up  is called for each SIGHUP instead. Without it SIGHUP is one of the signals that end, unless it is ignored
             already, as under nohup
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ending = _Ending(stop)
    for number in numbers:
        if number != _SIGHUP or hang_up is None and signal.getsignal(number) != signal.SIG_IGN:
            ending.install(number)
    try:
        with _hearing_hang_up(hang_up):
            yield
    finally:
        ending.leave()


@contextlib.contextmanager
def _hearing_hang_up(hang_up: Callable[[], None] | None) -> Iterator[None]:
    if hang_up is None or _SIGHUP is None:
        yield
        return
    before = signal.signal(_SIGHUP, lambda number, frame: hang_up())
    try:
        yield
    finally:
        signal.signal(_SIGHUP, before)


def run_process(main: Callable[[list[str]], int], args: list[str]) -> int:
    """Run `main` with these arguments as all that this process does. Returns the exit status, 130 where Ctrl-C comes
    before there is anything to stop. Before, the three standard streams are opened where they are closed, so that no
    connection can be taken for one of them, and passwords are hidden on the process list."""
    _open_standard_streams()
    hide_secrets(args)
    try:
        with stopping_on_signals(_interrupt, numbers=(signal.SIGINT,)):
            return main(args)
    except KeyboardInterrupt:
        return 130


def _interrupt() -> None:
    raise KeyboardInterrupt


def _open_standard_streams() -> None:
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def go_to_background() -> int:
    """Go on in a child process that no terminal controls. Returns 0 there, and the child's process id in the parent,
    which should end. To be called before any thread is started. Raises UsageError where the system has no fork, and
    MinerError where it refuses one."""
    if not hasattr(os, "fork"):
        raise UsageError("-B/--background: this system has no fork")
    try:
        child = os.fork()
    except OSError as error:
        raise MinerError(f"-B/--background: the system refuses another process: {error.strerror}") from None
    if child == 0:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is a handler for it
        with contextlib.suppress(OSError):  # refused: then the terminal's SIGHUP comes here, and ends nothing
            os.setsid()
        with contextlib.suppress(OSError):  # a root directory without /dev
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            os.close(nothing)
    return child


def has_terminal() -> bool:
    """Whether a terminal controls this process, and is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def file_behind(stream: TextIO) -> str:
    """The path of the regular file behind a stream; "" where there is none, or the system doesn't tell."""
    try:
        descriptor = stream.fileno()
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        if sys.platform == "darwin":
            import fcntl

            return os.fsdecode(fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    except (OSError, AttributeError):
        return ""


def reopen_file(descriptor: int, path: str) -> None:
    """Make a file descriptor write to the end of the file that has this path now: somebody may have moved the old file
    away, as logrotate does. Where there is none, one is made with the old file's mode. Raises OSError, and changes
    nothing then."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOCTTY | os.O_NOFOLLOW
    new = os.open(path, flags, stat.S_IMODE(os.fstat(descriptor).st_mode))
    os.dup2(new, descriptor)
    os.close(new)


def is_journal(stream: TextIO) -> bool:
    """Whether a stream goes to systemd's journal (JOURNAL_STREAM, systemd.exec(5)). When the journal goes away, the
    service needn't end."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"

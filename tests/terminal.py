"""A terminal for tests: a pseudo-terminal with a command in it, and pyte that reads what the command draws."""

import copy
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyte

LIMIT = 60.0  # seconds until what is waited for must be there
ALTERNATE, CURSOR = 1049 << 5, 25 << 5  # DEC's private modes, as pyte numbers them


class _Screen(pyte.Screen):
    """With the alternate screen that pyte lacks: drawn over, and the primary screen comes back when it is left."""

    def __init__(self, columns: int, lines: int) -> None:
        self.kept: Any = None
        super().__init__(columns, lines)

    def set_mode(self, *modes: int, **keywords: Any) -> None:
        if 1049 in modes and keywords.get("private"):
            self.kept = copy.deepcopy(self.buffer), copy.copy(self.cursor)
            self.erase_in_display(2)
        super().set_mode(*modes, **keywords)

    def reset_mode(self, *modes: int, **keywords: Any) -> None:
        super().reset_mode(*modes, **keywords)
        if 1049 in modes and keywords.get("private") and self.kept:
            (self.buffer, self.cursor), self.kept = self.kept, None


class Terminal:
    """What a command shows in a terminal of this size. `raw` is all that it has written."""

    def __init__(self, columns: int, lines: int, descriptor: int, process: "subprocess.Popen[bytes]") -> None:
        self.process, self.raw = process, b""
        self._descriptor = descriptor
        self._screen = _Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._lines: list[str] = []  # what the screen shows, once somebody has asked; pyte takes long to tell it

    @property
    def lines(self) -> list[str]:
        if not self._lines:
            self._lines = [line.rstrip() for line in self._screen.display]
        return self._lines

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def clean(self) -> bool:
        """Whether it shows the primary screen, with its cursor."""
        return self._screen.kept is None and CURSOR in self._screen.mode

    def read_until(self, seen: Callable[[], bool]) -> None:
        """Read on until `seen` is so, which must happen before the command ends."""
        deadline = time.monotonic() + LIMIT
        while not seen():
            assert time.monotonic() < deadline, self.text
            assert self._read() or seen(), f"it ended: {self.text}"

    def read_to_end(self) -> int:
        """Read all that comes until the command ends. Returns its exit status."""
        deadline = time.monotonic() + LIMIT
        while self._read():
            assert time.monotonic() < deadline, self.text
        return self.process.wait(LIMIT)

    def resize(self, columns: int, lines: int) -> None:
        self._screen.resize(lines, columns)
        self._lines = []
        set_size(self._descriptor, columns, lines)

    def type(self, keys: bytes) -> None:
        os.write(self._descriptor, keys)

    def settings(self) -> list[Any]:
        return termios.tcgetattr(self._descriptor)

    def _read(self) -> bool:
        if not select.select([self._descriptor], [], [], 0.1)[0]:
            return self.process.poll() is None
        try:
            data = os.read(self._descriptor, 1 << 16)
        except OSError:  # nobody has it open any more
            return False
        self.raw += data
        self._stream.feed(data)
        self._lines = []
        return bool(data)


def set_size(descriptor: int, columns: int, lines: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


@contextmanager
def terminal(columns: int, lines: int, *command: str, **environ: str) -> Iterator[Terminal]:
    """A shell's command line in a terminal of its own, behind a line that says `before`."""
    ours, theirs = pty.openpty()
    set_size(ours, columns, lines)
    process = subprocess.Popen(
        ["sh", "-c", 'echo before; exec "$@"', "sh", *command], stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        env={**os.environ, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"} | environ)
    os.close(theirs)
    try:
        yield Terminal(columns, lines, ours, process)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def miner(*options: str) -> tuple[str, ...]:
    return sys.executable, "-m", "miner", *options

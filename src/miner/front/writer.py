"""Lines on their way out of the process. Code that prints a line never waits for whoever reads it."""

import io
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TextIO

MAX_WAITING = 1000  # messages that wait for a reader; beyond it the oldest gives way
_TOGETHER = 100  # texts that are written at once, at most
_LOOK_SECONDS = 1.0  # between two looks: on Windows nothing else lets a Ctrl-C through


class Writer:
    """Writes texts one after the other, in a thread of its own. A reader that has stopped (a terminal after Ctrl-S, a
    pipe that nobody empties) or a disk that hangs holds up that thread and nothing else.

    write    writes one text, however long that takes; raises OSError where it can't be written
    limit    how many texts may wait: beyond that the oldest is dropped; 0: any number
    linger   seconds for which a text waits for others, that are then written with it: where texts come by the thousand,
             waking the thread for each would take more time than writing it
    missing  gives the line for a number of texts that were lost. It is written as soon as writing works again
    on_gone  is called on the writing thread when nobody will ever read again (BrokenPipeError)
    """

    def __init__(self, write: Callable[[str], None], *, limit: int = 0, linger: float = 0.0,
                 missing: Callable[[int], str] | None = None, on_gone: Callable[[], None] | None = None) -> None:
        self.error: OSError | None = None  # why the last text that was lost couldn't be written
        self._write, self._limit, self._linger, self._missing, self._on_gone = write, limit, linger, missing, on_gone
        self._waiting: deque[str] = deque()
        self._lost = 0  # texts, since the last line that told of lost ones
        self._began: float | None = None  # when the write in progress began, on time.monotonic's clock
        self._thread: threading.Thread | None = None
        self._lingering = self._draining = False
        self._changed = threading.Condition()  # re-entrant: a signal's handler may say something, too

    def put(self, text: str) -> None:
        """Have a text written soon. Returns at once."""
        with self._changed:
            self._waiting.append(text)
            if self._limit and len(self._waiting) > self._limit:
                self._waiting.popleft()
                self._lost += 1
            if not self._lingering or self._enough():
                self._changed.notify_all()
            if self._thread is None:
                self._start()

    def drain(self, patience: float) -> bool:
        """Wait until all texts are written. Returns False where that takes more than `patience` seconds, or a single
        text has taken that long already."""
        deadline = time.monotonic() + patience
        with self._changed:
            self._draining = True
            self._changed.notify_all()
            while self._waiting or self._began is not None:
                now = time.monotonic()
                left = min(deadline, deadline if self._began is None else self._began + patience) - now
                if left <= 0:
                    return False
                self._changed.wait(min(left, _LOOK_SECONDS))
        return True

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="line-writer", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # this process may have no more threads
            self._thread = None
            while self._waiting:
                self._write_some([self._waiting.popleft()])

    def _run(self) -> None:
        while True:
            with self._changed:
                self._began = None
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                if self._linger:
                    self._lingering = True
                    self._changed.wait_for(self._enough, self._linger)
                    self._lingering = False
                together = _TOGETHER if self._linger else 1
                texts = [self._waiting.popleft() for _ in range(min(len(self._waiting), together))]
                self._began = time.monotonic()
            self._write_some(texts)

    def _enough(self) -> bool:
        """Whether what waits for others need wait no longer."""
        return self._draining or len(self._waiting) >= _TOGETHER

    def _write_some(self, texts: Sequence[str]) -> None:
        lost = self._lost
        try:
            if lost and self._missing is not None:
                self._write(self._missing(lost))
                with self._changed:
                    self._lost -= lost
            self._write("".join(texts))
        except (OSError, ValueError) as error:  # ValueError: somebody closed the stream
            self.error = error if isinstance(error, OSError) else OSError(str(error))
            with self._changed:
                self._lost += len(texts)
            if isinstance(error, BrokenPipeError) and self._on_gone is not None:
                self._on_gone()


class StreamFile:
    """The file below a text stream, written past the stream's buffer. Python takes that buffer's lock when the process
    ends, and dies of a fatal error where a thread is held up inside of it. Characters that the stream's encoding lacks
    are written as escapes."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream  # None: the process was started with this stream closed
        buffer = getattr(stream, "buffer", None)
        self._raw: io.RawIOBase | None = getattr(buffer, "raw", buffer)
        self._torn = False  # a text was written in part

    def write(self, text: str) -> None:
        """Write all of a text. Raises OSError; where a part was written by then, the next text starts on a new line."""
        if self._stream is None:
            raise OSError("it was closed when this process started")
        if self._raw is None:  # not a file, but something in memory
            self._stream.write(text)
            return
        whole = f"\n{text}" if self._torn else text
        data = whole.replace("\n", os.linesep).encode(self._stream.encoding or "utf-8", "backslashreplace")
        while data:
            written = self._raw.write(data)
            if written is None:  # another process that has this file made it non-blocking
                select.select([], [self._raw], [])
                continue
            self._torn = True
            data = data[written:]
        self._torn = False


class TerminalFile:
    """The terminal behind a text stream, for whoever draws on it: as much of a text file as that takes. It is written
    past the stream's buffer: see StreamFile."""

    def __init__(self, stream: TextIO) -> None:
        self.encoding = stream.encoding
        self.fileno, self.isatty, self.write = stream.fileno, stream.isatty, StreamFile(stream).write

    def flush(self) -> None:
        """Nothing is kept back."""


class LineStream(io.TextIOBase):
    """A text stream that hands on whole lines, in place of sys.stdout or sys.stderr."""

    def __init__(self, put: Callable[[str], None], stream: TextIO | None) -> None:
        self._put, self._stream = put, stream
        self._begun = ""
        self._lock = threading.RLock()  # re-entrant for a signal's handler

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
            for line in lines:
                self._put(f"{line}\n")
        return len(text)

    def flush(self) -> None:
        with self._lock:
            begun, self._begun = self._begun, ""
            if begun:
                self._put(begun)

    def fileno(self) -> int:
        return _fileno(self._stream)


def _fileno(stream: TextIO | None) -> int:
    if stream is None:
        raise io.UnsupportedOperation("fileno")
    return stream.fileno()

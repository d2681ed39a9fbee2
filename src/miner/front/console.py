"""Where a command's lines go (results to stdout, messages to stderr or the system log), and how a command ends."""

import contextlib
import enum
import math
import os
import re
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from miner.core.errors import MinerError, UsageError
from miner.core.text import one_line
from miner.front.minerd import full_name
from miner.front.naming import in_options
from miner.front.process import (
    file_behind,
    go_to_background,
    has_terminal,
    is_journal,
    reopen_file,
    stopping_on_signals,
)
from miner.front.writer import MAX_WAITING, LineStream, StreamFile, TerminalFile, Writer

_IN_ORDER_SECONDS = 0.2  # how long a line for one stream waits for those before it on the other
_LAST_WORDS_SECONDS = 3.0  # how long the end waits for a reader that has stopped
_PLACES = 3  # innermost places in the code that an unexpected error's line names
_MAX_FAULT = 300  # characters of an unexpected error's own text
_HELD = 10  # lines that are printed of those that came while a screen was there


class ExitStatus(enum.IntEnum):
    """A command's exit status."""

    OK = 0
    FAILED = 1
    USAGE = 2
    MISMATCH = 3  # found by a screening of CPUs
    INTERRUPTED = 130  # by Ctrl-C before there was anything to stop


@dataclass(slots=True)
class Console:
    """The outside of a command: its streams and signals. Tests bring their own streams, environment and clock.

    Nothing here waits for a reader, and what can't be written stops nobody: messages that are lost are counted, and the
    count is told where they are missing; a result that is lost makes the exit status 1. Only a reader that has gone,
    such as the other end of a pipe, ends a command, in order; in the background not even that.
    """

    out: TextIO | None = field(default_factory=lambda: sys.stdout)  # None: closed when the process was started
    err: TextIO | None = field(default_factory=lambda: sys.stderr)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Callable[[], float] = time.time
    syslog_address: str = "/dev/log"
    _results: Writer = field(init=False)
    _lines: Writer = field(init=False)  # to stderr
    _apart: Writer | None = None  # where messages go in place of stderr
    _stamps: bool = False  # each behind its time
    _background: bool = False
    _log_files: dict[int, str] = field(default_factory=dict)  # descriptors and the files that they were opened on
    _stop: Callable[[], None] | None = None
    _told_to_end: bool = False
    _reader_gone: bool = False
    _told: list[Callable[[str], None]] = field(default_factory=list)  # who else is told each message
    _stdout_given: bool = False  # results go to stderr
    _held: deque[str] | None = None  # lines for stderr, while a screen is there in their place

    def __post_init__(self) -> None:
        self._results = Writer(StreamFile(self.out).write, on_gone=lambda: self._on_gone(self.out))
        self._lines = Writer(StreamFile(self.err).write, limit=MAX_WAITING, missing=self._missing,
                             on_gone=lambda: self._on_gone(self.err))

    def use_syslog(self) -> None:
        """Send messages to the system log from now on. Where there is none they still go to stderr, and a line says
        so."""
        from miner.front.syslog import open_syslog

        try:
            log = open_syslog(self.syslog_address)
        except OSError as error:
            self.message(f"-S/--syslog: no system log at {self.syslog_address}, so messages go to stderr: "
                         f"{error.strerror or error}")
            return
        self._stamps = False
        self._apart = Writer(log, limit=MAX_WAITING, missing=_missing_words)

    def use_log_file(self, path: str) -> None:
        """Append messages to this file from now on. Raises UsageError where it can't be opened."""
        try:
            file = Path(path).open("a", buffering=1, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        except OSError as error:
            raise UsageError(f"--log-file: can't write to {path!r}: {error.strerror}") from None
        self._apart = Writer(StreamFile(file).write, limit=MAX_WAITING, missing=self._missing)
        self._stamps = True
        self.reopens(file.fileno(), str(Path(path).absolute()))

    def go_to_background(self) -> int:
        """Go on in a child process that no terminal controls. Returns 0 there, and the child's process id in the
        parent. To be called before the first line. Raises MinerError where the system can't or won't."""
        child = go_to_background()
        if not child:
            self._background = True
            for stream in (self.out, self.err):
                if stream is not None and (path := file_behind(stream)):
                    self._log_files[stream.fileno()] = path
        return child

    def give_stdout(self, *, limit: int, linger: float, missing: Callable[[int], str]) -> Writer:
        """Give standard output to somebody who writes lines for a program there. From now on results go to stderr.
        `limit`, `linger` and `missing` are the Writer's."""
        self._stdout_given = True
        return Writer(StreamFile(self.out).write, limit=limit, linger=linger, missing=missing,
                      on_gone=lambda: self._on_gone(self.out))

    def reopens(self, descriptor: int, path: str) -> None:
        """Open a log file anew on SIGHUP, as those of messages, where that is what SIGHUP does."""
        self._log_files[descriptor] = path

    @property
    def told_to_end(self) -> bool:
        """Somebody wants the command to end."""
        return self._told_to_end

    @contextlib.contextmanager
    def telling(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Meanwhile, call `tell` with each message, too."""
        self._told.append(tell)
        try:
            yield
        finally:
            self._told.remove(tell)

    @contextlib.contextmanager
    def screen(self) -> Iterator[TerminalFile]:
        """Meanwhile, the terminal behind stderr is for whoever draws on the file that this gives. Lines for it wait;
        the newest of them are printed when the screen is over."""
        assert self.err is not None
        self._lines.drain(_LAST_WORDS_SECONDS)
        held = self._held = deque(maxlen=_HELD)
        try:
            yield TerminalFile(self.err)
        finally:
            self._held = None
            for text in held:
                self._lines.put(text)

    def _put_line(self, text: str) -> None:
        held = self._held
        if held is not None:
            held.append(text)
        else:
            self._lines.put(text)

    def result(self, text: str) -> None:
        """Print a line that was asked for, to stdout."""
        shared = self._held is not None and self.out is not None and self.out.isatty()  # with the screen
        if self._stdout_given or shared:
            self._put_line(f"{text}\n")
            return
        self._lines.drain(_IN_ORDER_SECONDS)
        self._results.put(f"{text}\n")

    def message(self, text: str) -> None:
        """Print a line about what is going on, to stderr or a log file with the time, or to the system log."""
        for tell in self._told:
            tell(text)
        self._results.drain(_IN_ORDER_SECONDS)
        if self._apart is not None:
            self._apart.put(self._stamped(text) if self._stamps else text)
        else:
            self._put_line(self._stamped(text))

    def messages(self, lines: Iterable[str]) -> None:
        """Print lines about what is going on, each as `message` does."""
        for line in lines:
            self.message(line)

    def error(self, text: str) -> None:
        """Print why the command ends, to stderr without the time, for a person who has just typed the command, and to
        the system log or log file. A setting that the line names is shown as its option."""
        text = in_options(text)
        self._results.drain(_IN_ORDER_SECONDS)
        if self._apart is not None:
            self._apart.put(self._stamped(text) if self._stamps else text)
        self._lines.put(f"{text}\n")

    @contextlib.contextmanager
    def stopping(self, stop: Callable[[], None], reload: Callable[[], None] | None = None) -> Iterator[None]:
        """Meanwhile, call `stop` when the process is to end: on SIGINT, SIGTERM or SIGHUP, or when the reader of its
        lines has gone. In the background SIGHUP opens the log files anew instead. With `reload` it does so in the
        foreground, too, and `reload` is called then; only where it means that the terminal has gone it still ends."""
        def end() -> None:
            self._told_to_end = True
            stop()

        self._stop = end
        if self._reader_gone:
            end()
        try:
            with stopping_on_signals(end, self._hang_up(end, reload) if self._background or reload else None):
                yield
        finally:
            self._stop = None

    def _hang_up(self, end: Callable[[], None], reload: Callable[[], None] | None) -> Callable[[], None]:
        """What SIGHUP does."""
        had_terminal = not self._background and has_terminal()

        def hang_up() -> None:
            if had_terminal and not has_terminal():
                end()
                return
            if self._log_files or reload is None:
                self._reopen_logs()
            if reload is not None:
                reload()
        return hang_up

    @contextlib.contextmanager
    def taking_streams(self) -> Iterator[None]:
        """Meanwhile, whatever is printed to sys.stdout and sys.stderr goes through this console, such as argparse's
        help and a thread's traceback."""
        out, err = LineStream(self._results.put, self.out), LineStream(self._put_line, self.err)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                yield
            finally:
                out.flush()
                err.flush()

    def close(self, name: str, status: int) -> int:
        """Wait for the last lines to be written: for messages a few seconds, for results until they are read or
        somebody wants the process to end. `status` is the command's exit status, `name` its name in an error. Returns
        the exit status of the process, in which a lost result counts."""
        error: OSError | None = None
        if not self._results.drain(_LAST_WORDS_SECONDS if self._told_to_end else math.inf):
            error = TimeoutError("nobody reads it")
        error = error or self._results.error
        if error is not None:
            if not isinstance(error, BrokenPipeError):  # whose reader wanted no more
                self.error(f"{name}: can't write to standard output: {error.strerror or error}")
            status = status or ExitStatus.FAILED
        if self._apart is not None:
            self._apart.drain(_LAST_WORDS_SECONDS)
        self._lines.drain(_LAST_WORDS_SECONDS)
        return ExitStatus.FAILED if self._reader_gone and not status else status

    def _stamped(self, text: str) -> str:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.clock()))
        return f"[{stamp}] {text}\n"

    def _missing(self, count: int) -> str:
        return self._stamped(_missing_words(count))

    def _on_gone(self, stream: TextIO | None) -> None:
        if self._told_to_end or self._background or stream is None or is_journal(stream):
            return  # told to end: Ctrl-C ends the other commands of a pipeline too, so that no reader is left
        self._reader_gone = True
        if self._stop is not None:
            self._stop()

    def _reopen_logs(self) -> None:
        for descriptor, path in self._log_files.items():
            try:
                reopen_file(descriptor, path)
            except OSError as error:
                self.message(f"SIGHUP: can't open {path!r} anew: {error.strerror}")
            else:
                self.message(f"SIGHUP: {path} opened anew")
        if not self._log_files:
            self.message("SIGHUP: no file to open anew")


def run_command(name: str, command: Callable[[list[str], Console], int], args: list[str], console: Console) -> int:
    """Run a command and return its exit status. A MinerError becomes one line on stderr; so does any other error, as a
    fault of this program or of the system. `name` stands before these lines; `args` are the arguments behind it."""
    with console.taking_streams():
        try:
            status = command(args, console)
        except MinerError as error:
            console.error(f"{name}: {error}")
            status = ExitStatus.USAGE if isinstance(error, UsageError) else ExitStatus.FAILED
        except KeyboardInterrupt:
            status = ExitStatus.INTERRUPTED
        except SystemExit as end:  # argparse's, after --help and --version
            status = end.code if isinstance(end.code, int) else ExitStatus.OK
        except Exception as error:
            console.error(f"{name}: {_unexpected(error)}")
            if any(full_name(arg) == "--debug" or re.fullmatch(r"-[PSBq]*D.*", arg) for arg in args):
                for line in "".join(traceback.format_exception(error)).splitlines():
                    console.error(line)
            status = ExitStatus.FAILED
    return console.close(name, status)


def _unexpected(error: BaseException) -> str:
    """An unexpected error in one line: what the system refuses or lacks, or else where in the code the fault is."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    place = "".join(f" at {Path(frame.filename).name}:{frame.lineno} in {frame.name}"
                    for frame in traceback.extract_tb(error.__traceback__)[:-_PLACES - 1:-1])
    said = one_line(str(error), _MAX_FAULT)
    if isinstance(error, ImportError):
        return f"this installation lacks something, or is for another Python: {said}"
    if isinstance(error, OSError | MemoryError) or "can't start new thread" in said:
        return f"the system refuses{place}: {said or 'out of memory'}"
    return (f"unexpected {type(error).__name__}{place}{f': {said}' if said else ''}. This is a fault in sparkminer: "
            "please report it")


def _missing_words(count: int) -> str:
    return f"{count} line{' is' if count == 1 else 's are'} missing here: they could not be written"

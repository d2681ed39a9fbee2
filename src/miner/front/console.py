"""Where a command's lines go (results to stdout, messages to stderr or the system log), and how it ends."""

import enum
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from miner.core.errors import MinerError, UsageError

if TYPE_CHECKING:
    from logging.handlers import SysLogHandler


class ExitStatus(enum.IntEnum):
    OK = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130  # by Ctrl-C before there was anything to stop


@dataclass(slots=True)
class Console:
    """The outside of a command. Tests bring their own streams, environment and clock."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Callable[[], float] = time.time
    syslog_address: str = "/dev/log"
    _syslog: "SysLogHandler | None" = None

    def use_syslog(self) -> None:
        """From now on messages go to the system log. Raises UsageError if there is none."""
        import socket
        from logging import LogRecord
        from logging.handlers import SysLogHandler

        class Log(SysLogHandler):
            ident = "miner: "

            def handleError(self, record: LogRecord) -> None:
                """A log that has gone away is no reason to stop mining, and there is nobody left to tell."""

        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
                probe.connect(self.syslog_address)
        except (OSError, AttributeError) as error:
            reason = getattr(error, "strerror", None) or "this system has none"
            raise UsageError(f"-S/--syslog: no system log at {self.syslog_address}: {reason}") from None
        self._syslog = Log(self.syslog_address, SysLogHandler.LOG_USER)

    def result(self, text: str) -> None:
        """A line that was asked for."""
        print(text, file=self.out, flush=True)

    def message(self, text: str) -> None:
        """A line about what is going on."""
        if self._syslog is not None:
            from logging import INFO, LogRecord

            self._syslog.emit(LogRecord("miner", INFO, "", 0, text, None, None))
            return
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.clock()))
        print(f"[{stamp}] {text}", file=self.err, flush=True)

    def messages(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.message(line)


def run_command(name: str, command: Callable[[list[str], Console], int], args: list[str], console: Console) -> int:
    """Run a command; errors that are meant for people become one line on stderr and an exit status."""
    try:
        return command(args, console)
    except MinerError as error:
        print(f"{name}: {error}", file=console.err, flush=True)
        return ExitStatus.USAGE if isinstance(error, UsageError) else ExitStatus.FAILED
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:  # whoever read our lines has gone, and Python would complain once more on its way out
        os.dup2(os.open(os.devnull, os.O_WRONLY), console.err.fileno())
        return ExitStatus.FAILED

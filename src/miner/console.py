"""Where a command's lines go: results to stdout, messages to stderr or the system log, each with the time before it."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TextIO

from miner.core.errors import UsageError


@dataclass(slots=True)
class Console:
    """The outside of a command. Tests bring their own streams, environment and clock."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Callable[[], float] = time.time
    syslog_address: str = "/dev/log"
    _syslog: logging.Handler | None = None

    def use_syslog(self) -> None:
        """From now on messages go to the system log. Raises UsageError if there is none."""
        from logging.handlers import SysLogHandler

        try:
            self._syslog = SysLogHandler(self.syslog_address, SysLogHandler.LOG_USER)
        except OSError as error:
            raise UsageError(f"-S/--syslog: no system log at {self.syslog_address}: {error.strerror}") from None
        self._syslog.ident = "miner: "

    def result(self, text: str) -> None:
        """A line that was asked for."""
        print(text, file=self.out, flush=True)

    def message(self, text: str) -> None:
        """A line about what is going on."""
        if self._syslog is not None:
            self._syslog.emit(logging.LogRecord("miner", logging.INFO, "", 0, text, None, None))
            return
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.clock()))
        print(f"[{stamp}] {text}", file=self.err, flush=True)

    def messages(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.message(line)

    def complain(self, command: str, text: str) -> None:
        """Why the command won't start: without a time, as other programs do."""
        print(f"{command}: {text}", file=self.err, flush=True)

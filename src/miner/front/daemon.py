"""Commands that run for long, perhaps without a terminal: where their messages go, the background, and what systemd is
told."""

import argparse
import os
import time
from collections.abc import Mapping
from contextlib import suppress

from miner.front.argparser import Parser
from miner.front.console import Console


def add_daemon_options(parser: Parser) -> None:
    """Where messages go, and the background. Read back with `settle`."""
    add = parser.add_argument_group("background").add_argument
    add("-B", "--background", action="store_true", help="go on in the background")
    add("-S", "--syslog", action="store_true", help="write messages to the system log")
    add("--log-file", default="", metavar="FILE",
        help="append messages to FILE in place of standard error; SIGHUP opens it anew, for logrotate")


def settle(options: argparse.Namespace, console: Console) -> bool:
    """Go where -B, -S and --log-file say. False in the process that is left behind by -B. To be called before anything
    is printed and any thread is started. Raises UsageError where the file can't be opened."""
    log_file = getattr(options, "log_file", "")
    if log_file:
        console.use_log_file(log_file)
    child = console.go_to_background() if options.background else 0
    if options.syslog:
        console.use_syslog()
    if child:
        console.message(f"Running in the background as process {child}")
        return False
    return True


class Systemd:
    """Tells systemd how a service does (sd_notify(3)), where it asks for that with the environment's NOTIFY_SOCKET;
    else nothing happens. What can't be sent is dropped: nothing here waits or fails."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")

    def ready(self, status: str = "") -> None:
        """The service has started, or has reloaded."""
        self._send("READY=1", *([f"STATUS={status}"] if status else []))

    def status(self, status: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={status}")

    def reloading(self) -> None:
        """`ready` follows."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The service is on its way out."""
        self._send("STOPPING=1")

    def _send(self, *lines: str) -> None:
        if not self._address.startswith(("/", "@")):
            return
        import socket  # which a miner without systemd doesn't load

        if not hasattr(socket, "AF_UNIX"):
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode("utf-8", "replace"), os.fsencode(address))

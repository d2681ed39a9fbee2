"""The system log of Unix."""

import socket
from collections.abc import Callable
from logging import INFO, LogRecord
from logging.handlers import SysLogHandler


def open_syslog(address: str) -> Callable[[str], None]:
    """A function that writes one message to the system log behind the Unix socket at `address`. Raises OSError where
    nobody listens there. So does the function while the log is away; it connects anew when the log is back."""
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has none")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        probe.connect(address)
    log = _Log(address, SysLogHandler.LOG_USER)

    def write(text: str) -> None:
        encodable = text.encode("utf-8", "backslashreplace").decode()  # an argument's bytes may be no UTF-8
        log.emit(LogRecord("miner", INFO, "", 0, encodable, None, None))

    return write


class _Log(SysLogHandler):
    ident = "miner: "

    def handleError(self, record: LogRecord) -> None:
        raise  # the error that is just being handled, which kept the message from the log

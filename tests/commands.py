"""Running the project's commands: in this process with streams of their own, or as processes."""

import contextlib
import io
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from miner.cli import main
from miner.front.console import Console

STAMP = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] ")
LIMIT = 60.0  # seconds that any command here may take


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left: its exit status, and its output as lines. `lines`: those of stderr without their times."""

    status: int
    out: list[str]
    err: list[str]

    @property
    def lines(self) -> list[str]:
        return [STAMP.sub("", line, count=1) for line in self.err]


def run_here(*args: str, environ: dict[str, str] | None = None, syslog: str = "/nonexistent") -> Done:
    """Run `miner ARGS` in this process."""
    out, err = io.StringIO(), io.StringIO()
    status = main(list(args), Console(out=out, err=err, environ=environ or {}, syslog_address=syslog))
    return Done(status, out.getvalue().splitlines(), err.getvalue().splitlines())


def run(*args: str) -> Done:
    """Run `python -m miner ARGS` to its end."""
    done = subprocess.run([sys.executable, "-m", "miner", *args], capture_output=True, text=True, timeout=LIMIT,
                          stdin=subprocess.DEVNULL, check=False)
    return Done(done.returncode, done.stdout.splitlines(), done.stderr.splitlines())


@contextlib.contextmanager
def child(command: Sequence[str], **options: Any) -> Iterator["subprocess.Popen[Any]"]:
    """A process, started as subprocess.Popen would. It is killed where the block fails: Popen's own block would wait
    for its end, however long it goes on."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


@contextlib.contextmanager
def running(*args: str) -> Iterator["subprocess.Popen[str]"]:
    """`python -m miner ARGS` for as long as the block lasts."""
    process = subprocess.Popen([sys.executable, "-m", "miner", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(process: "subprocess.Popen[str]", words: str) -> list[str]:
    """Read the process's stderr up to a line that holds `words`."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line.rstrip("\n"))
        if words in line:
            return seen
    raise AssertionError(f"it ended without {words!r}: {seen}")


def interrupt(process: "subprocess.Popen[str]", number: signal.Signals = signal.SIGINT) -> Done:
    """Send it the signal, and return the rest of what it says."""
    process.send_signal(number)
    out, err = process.communicate(timeout=LIMIT)
    return Done(process.returncode, out.splitlines(), err.splitlines())

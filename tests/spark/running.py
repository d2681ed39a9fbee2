"""The job as a user starts it: a process whose lines are read as they come, and whose processes are all known."""

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

STAMP = re.compile(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] ")
JOIN_SECONDS = 240.0  # for Spark to start and an executor to join, on a machine that is busy with other things
PROC = Path("/proc")


class SparkRun:
    """A running job. `lines` are all that it said so far, without their times; `out` those of stdout alone (under
    spark-submit everything that Python says comes out there)."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self.out: list[str] = []
        self._open = 2  # streams
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        assert process.stderr is not None
        assert process.stdout is not None
        self._readers = [threading.Thread(target=self._read, args=(process.stderr, []), daemon=True),
                         threading.Thread(target=self._read, args=(process.stdout, self.out), daemon=True)]
        for reader in self._readers:
            reader.start()

    def wait_for(self, pattern: str, seconds: float = JOIN_SECONDS) -> re.Match[str]:
        """The next line that matches. Fails when none comes in time, or the job ends before."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(queue.Empty):
            while self._open or not self._queue.empty():
                line = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
                if found := re.search(pattern, line or ""):
                    return found
        raise AssertionError(f"no line matches {pattern!r}:\n" + "\n".join(self.lines))

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> None:
        """As a terminal does it: the whole process group hears it."""
        os.killpg(self.process.pid, number)

    def finish(self, seconds: float = JOIN_SECONDS) -> int:
        """Wait for the end. The exit status."""
        status = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(10)
        return status

    def processes(self) -> set[int]:
        """Every process that this job has started, directly or not, and that runs now."""
        parents = dict(_parents())
        return {pid for pid in parents if _descends(pid, self.process.pid, parents)}

    def _read(self, stream: IO[str], copy: list[str]) -> None:
        for line in stream:
            text = STAMP.sub("", line.rstrip("\n"))
            self.lines.append(text)
            copy.append(text)
            self._queue.put(text)
        self._open -= 1
        self._queue.put(None)


@contextlib.contextmanager
def job(*args: str, environ: Mapping[str, str] = os.environ, command: Sequence[str] = ()) -> Iterator[SparkRun]:
    """`python -m miner spark ARGS` for as long as the block lasts; or another command with these arguments."""
    process = subprocess.Popen([*(command or (sys.executable, "-m", "miner", "spark")), *args], env=dict(environ),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               process_group=0)
    running = SparkRun(process)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
        process.kill()
        running.finish()


def summary(lines: Sequence[str]) -> dict[str, list[str]]:
    """The rows of the table at the end by their first column, down to "total"."""
    heads = ["executor", "host", "hashes", "hashrate", "accepted", "rejected", "stale", "blocks"]
    start = next(number for number, line in enumerate(lines) if line.split() == heads)
    end = next(number for number in range(start, len(lines)) if lines[number].startswith("total"))
    return {line.split()[0]: line.split()[1:] for line in (*lines[start + 2:end], lines[end])}


def re_lines(pattern: str, lines: Sequence[str]) -> list[tuple[str, ...]]:
    """The groups of each line that matches."""
    return [found.groups() for line in lines if (found := re.search(pattern, line))]


def alive(pids: set[int]) -> set[int]:
    """Those of them that still run."""
    return pids & {pid for pid, _ in _parents()}


def all_processes() -> set[int]:
    """Every process of this machine."""
    return {int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()}


def wait_until(true: Callable[[], bool], seconds: float = JOIN_SECONDS) -> None:
    """Wait for something to become true. Fails where that takes longer."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it has not come true"
        time.sleep(0.05)


def command_line(pid: int) -> str:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _parents() -> Iterator[tuple[int, int]]:
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    yield int(entry.name), int(parent)


def _descends(pid: int, ancestor: int, parents: Mapping[int, int]) -> bool:
    while pid := parents.get(pid, 0):
        if pid == ancestor:
            return True
    return False

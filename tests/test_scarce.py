"""Where the system gives few files or threads: a run goes on with what there is, or ends with a line that says why."""

import functools
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from miner.core.errors import EngineError
from miner.loop import begin_in_thread, in_thread, run_loop
from miner.mining import mine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prlimit(1)")
RUN = [sys.executable, "-m", "miner", "--sandbox", "-t", "1", "-q"]


def with_files(files: int, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["prlimit", f"--nofile={files}:{files}", *command], capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL, check=False)


@functools.cache
def fewest() -> int:
    """The open files with which this Python itself starts, whatever the virtual environment makes it load."""
    return next(files for files in range(4, 20) if not with_files(files, sys.executable, "-c", "").stderr)


@pytest.mark.skipif(not shutil.which("prlimit"), reason="needs util-linux")
@pytest.mark.parametrize("more", range(6))
def test_few_open_files(more: int) -> None:
    """Python and the engine open some while they start. None of them is worth a wait."""
    done = with_files(fewest() + more, *RUN, "--blocks", "1")
    assert "Traceback" not in done.stderr and "Warning" not in done.stderr, done.stderr
    last = done.stderr.splitlines()[-1]
    if done.returncode == 0:
        assert "Done: " in last and "Done: 0 hashes" not in last
    else:
        assert done.returncode == 1 and "refuses" in last and "iles" in last


def refuse(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """The system starts no thread whose name begins so."""
    start = threading.Thread.start

    def starts(self: threading.Thread) -> None:
        if self.name.startswith(names):
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", starts)


def test_without_threads_for_it_what_takes_long_is_done_on_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    async def where() -> threading.Thread:
        with ThreadPoolExecutor(1, thread_name_prefix="mine-") as executor:
            assert await begin_in_thread(threading.current_thread, executor=executor) is threading.current_thread()
        return await in_thread(threading.current_thread)

    refuse(monkeypatch, "asyncio", "mine-", "Thread-")  # the last: the end of the loop's executor
    assert run_loop(where) is threading.main_thread()
    with mine(sandbox=True, threads=1, blocks=1) as mining:
        names = [type(event).__name__ for event in mining]
    assert "BlockFound" in names and names[-1] == "Totals"


def test_an_engine_that_can_have_no_thread_to_open_on_is_an_error_with_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "miner-opening")
    with mine(sandbox=True, threads=1) as mining, pytest.raises(EngineError, match="starts no more threads"):
        list(mining)

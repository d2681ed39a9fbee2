"""What all tests share: what they start, what happens where a counterpart is missing, and that no test leaves a process
behind.

Tests import `require` from `counterparts`. A test that needs minerd is marked `@pytest.mark.minerd`: nobody packages
minerd, so CI deselects those tests by design when there is none; everything else must be there in CI.
"""

import gc
import os
import shutil
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import counterparts

# What the tests of a folder or file start. Each is a mark, and `--quick` (`make quick`) leaves all of them out.
# pytest-xdist hands them out in this order: who takes longest begins first.
STARTS = {
    "spark": ("spark",),
    "compilers": ("test_csrc.py", "test_fuzz.py", "test_toy.py", "test_screen_faults.py", "test_free_threading.py"),
    "packaging": ("test_packaging.py",),
    "screens": ("test_live.py",),
    "browser": ("browser",),
    "nodes": ("node", "test_readme.py", "test_pool.py", "test_hub_node.py"),
    "kubernetes": ("kubernetes",),
}
# Of all others these take longest.
LONG = ("test_hub_shares.py", "test_console.py", "test_swarm.py", "test_engine.py", "test_session.py", "test_cli.py")
# Spark takes memory and CPUs: its tests are two rows, each one after the other, those on the shared cluster and all
# others. Else what is in one file, or in one class of a file, stays together, since much of it shares what it has
# started.
ALONE = ("spark",)
CLUSTER = ("test_job.py", "test_leases.py")
TESTS = Path(__file__).parent

# On a busy machine the first example alone may take as long as Hypothesis would have all take. Few examples, since
# `make fuzz` searches for as long as it is told to.
hypothesis.settings.register_profile("miner", deadline=None, max_examples=25,
                                     suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("miner")

# Every process that a test starts inherits this mark, however it forks. A test that makes an environment of its own
# starts from os.environ, or passes the mark on.
MARK = "MINER_TEST_RUN"
# A folder that all workers of a run share, for what takes long to make. It is removed at the end.
SHARED = "MINER_TEST_SHARED"
PROC = Path("/proc")
GRACE = 30.0  # seconds for processes that are already on their way out


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help=f"leave out the tests that start {', '.join(STARTS)}")


def pytest_configure(config: pytest.Config) -> None:
    gc.disable()  # until all tests are collected: nothing of them goes away, and to look for it took half of the time
    # Ignored in a shell's background and under nohup, and so they would be in all that the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # Hundreds of processes start here: none compiles the package's modules again, whatever the environment says.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    if not of_a_worker(config):     # pytest-xdist's workers inherit these
        os.environ[MARK] = uuid.uuid4().hex
        os.environ[SHARED] = tempfile.mkdtemp(prefix="miner-tests-")
    for name in STARTS:
        config.addinivalue_line("markers", f"{name}: starts {name}; set by tests/conftest.py, from where the test is")


def of_a_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def started_by(file: Path) -> str | None:
    """What of STARTS the tests of a file, named from here, start."""
    return next((name for name, places in STARTS.items() if file.parts and file.parts[0] in places), None)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What is left out is not even imported: pyspark and a browser's driver take long."""
    return True if config.getoption("quick") and started_by(collection_path.relative_to(TESTS)) else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """More than CPUs, since tests often wait; of those that start large things only one more."""
    cpus = len(os.sched_getaffinity(0))
    return 2 * cpus + 1 if config.getoption("quick") else cpus + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A scheduler made here: the group that pytest-xdist 3.8 writes into a test's name is lost with pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class ByWhatTheyStart(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = (config.rootpath / nodeid.partition("::")[0]).relative_to(TESTS)
            name = started_by(file)
            if name not in ALONE:
                return super()._split_scope(nodeid)
            return f"{name} cluster" if file.name in CLUSTER else name

    return ByWhatTheyStart(config, log)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if name := started_by(item.path.relative_to(TESTS)):
            item.add_marker(name)
    order = [*STARTS, *LONG]

    def place(item: pytest.Item) -> int:
        names = (item.path.name, *(mark.name for mark in item.iter_markers()))
        return min((order.index(name) for name in names if name in order), default=len(order))

    items.sort(key=place)
    if not counterparts.IN_CI or counterparts.minerd():
        return
    left_out = [item for item in items if item.get_closest_marker("minerd")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if a process that it started is still there, and end that process."""
    if of_a_worker(session.config):
        return
    shutil.rmtree(os.environ[SHARED], ignore_errors=True)
    deadline = time.monotonic() + GRACE
    while (left := dict(_survivors())) and time.monotonic() < deadline:
        time.sleep(0.1)
    if not left:
        return
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.ensure_newline()
        for pid, command in left.items():
            reporter.write_line(f"left behind by a test, killed: {pid} {command}", red=True)
    session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _survivors() -> Iterator[tuple[int, str]]:
    """Process number and command line of everything that carries this run's mark or descends from it."""
    mark = f"{MARK}={os.environ[MARK]}".encode()
    parents: dict[int, int] = {}
    marked: set[int] = set()
    for entry in PROC.iterdir() if PROC.exists() else ():  # Linux; elsewhere nothing is known of other processes
        if not entry.name.isdigit():
            continue
        try:
            state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state == "Z":  # has ended; only its parent's wait is missing
                continue
            parents[int(entry.name)] = int(parent)
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                marked.add(int(entry.name))
        except OSError:  # gone meanwhile, or another user's
            continue
    for pid in parents:
        if pid == os.getpid() or not (pid in marked or _descends(pid, parents)):
            continue
        command = _command(pid)
        # multiprocessing's own helper: it ends with this process.
        if command and "multiprocessing.resource_tracker" not in command:
            yield pid, command


def _descends(pid: int, parents: dict[int, int]) -> bool:
    while pid := parents.get(pid, 0):
        if pid == os.getpid():
            return True
    return False


def _command(pid: int) -> str:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""

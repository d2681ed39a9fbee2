"""What memory is left: the machine's, the control groups' of both versions, the address space's; and in real groups."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from miner.engine.memory import MemoryLeft, huge_page_bytes, huge_pages_switched_off, memory_left, size_text

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc and control groups are Linux's")
MIB = 1 << 20


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A machine with 8000 MiB left and a process without limits, in version 2's group /pod/task."""
    proc = tmp_path / "proc"
    write(proc / "meminfo", "MemTotal:       16384000 kB\nMemFree:   5000 kB\nMemAvailable:    8192000 kB\n")
    write(proc / "self/limits", "Limit  Soft Limit  Hard Limit  Units\n"
                                "Max address space         unlimited            unlimited            bytes     \n")
    write(proc / "self/status", "Name:\tpython\nVmSize:\t  102400 kB\n")
    write(proc / "self/cgroup", "0::/pod/task\n")
    return proc


def test_the_machine_is_the_limit_where_nothing_else_is(tmp_path: Path, proc: Path) -> None:
    assert memory_left(tmp_path / "fs", proc) == MemoryLeft(8000 * MIB, "on this machine")


def test_version_2_counts_what_the_group_uses_but_for_file_cache(tmp_path: Path, proc: Path) -> None:
    write(tmp_path / "fs/pod/task/memory.max", "max\n")
    write(tmp_path / "fs/pod/memory.max", f"{1000 * MIB}\n")
    write(tmp_path / "fs/pod/memory.current", f"{700 * MIB}\n")
    write(tmp_path / "fs/pod/memory.stat", f"anon 5\ninactive_file {300 * MIB}\nactive_file 7\n")
    left = memory_left(tmp_path / "fs", proc)
    assert left == MemoryLeft(600 * MIB, f"in the control group {tmp_path}/fs/pod (memory.max)")
    assert left.usable == 600 * MIB * 15 // 16


def test_version_2_slows_down_from_memory_high_on(tmp_path: Path, proc: Path) -> None:
    write(tmp_path / "fs/pod/task/memory.max", f"{1000 * MIB}\n")
    write(tmp_path / "fs/pod/task/memory.high", f"{500 * MIB}\n")
    write(tmp_path / "fs/pod/task/memory.current", f"{600 * MIB}\n")
    left = memory_left(tmp_path / "fs", proc)
    assert left is not None
    assert (left.size, left.usable) == (0, 0)


def test_version_1(tmp_path: Path, proc: Path) -> None:
    write(proc / "self/cgroup", "5:cpu,cpuacct:/elsewhere\n4:memory:/job\n0::/\n")
    for group, limit in (("job", 2000 * MIB), ("", 0x7FFFFFFFFFFFF000)):
        write(tmp_path / "fs/memory" / group / "memory.limit_in_bytes", f"{limit}\n")
        write(tmp_path / "fs/memory" / group / "memory.usage_in_bytes", f"{1500 * MIB}\n")
        write(tmp_path / "fs/memory" / group / "memory.stat", f"inactive_file 1\ntotal_inactive_file {100 * MIB}\n")
    left = memory_left(tmp_path / "fs", proc)
    assert left == MemoryLeft(600 * MIB, f"in the control group {tmp_path}/fs/memory/job (memory.limit_in_bytes)")


def test_an_address_space_that_is_limited(tmp_path: Path, proc: Path) -> None:
    write(proc / "self/limits", f"Max address space         {500 * MIB}            unlimited            bytes     \n")
    left = memory_left(tmp_path / "fs", proc)
    assert left == MemoryLeft(400 * MIB, "in this process's address space (ulimit -v)")


def test_nothing_is_known_elsewhere(tmp_path: Path) -> None:
    assert memory_left(tmp_path / "fs", tmp_path / "proc") is None
    assert huge_page_bytes(tmp_path) is None
    assert not huge_pages_switched_off(tmp_path / "enabled")


@pytest.mark.parametrize("text", ["", "MemAvailable:", "MemAvailable: many kB", "MemAvailable: \n", "\n\n"])
def test_files_that_are_damaged_say_nothing(tmp_path: Path, text: str) -> None:
    for name in ("meminfo", "self/limits", "self/status", "self/smaps_rollup", "self/cgroup"):
        write(tmp_path / "proc" / name, "" if name == "self/cgroup" else text)
    assert memory_left(tmp_path / "fs", tmp_path / "proc") is None
    assert huge_page_bytes(tmp_path / "proc") is None


@linux
def test_on_this_machine_something_is_known() -> None:
    left = memory_left()
    assert left is not None
    assert left.size > 0
    assert huge_page_bytes() is not None


def test_the_setting_for_huge_pages(tmp_path: Path) -> None:
    write(tmp_path / "enabled", "always madvise [never]\n")
    assert huge_pages_switched_off(tmp_path / "enabled")
    write(tmp_path / "enabled", "always [madvise] never\n")
    assert not huge_pages_switched_off(tmp_path / "enabled")


def test_sizes_for_people() -> None:
    assert [size_text(size) for size in (128 * MIB, 3 * MIB // 2, 4100 * MIB)] == ["128 MiB", "1.5 MiB", "4.0 GiB"]


@contextlib.contextmanager
def real_group(limit: int) -> Iterator[Path]:
    """A control group of this machine with that memory limit; skips where none can be made (no root, no controller)."""
    root = Path("/sys/fs/cgroup")
    for parent, name in ((root / "memory", "memory.limit_in_bytes"), (root, "memory.max")):
        group = parent / f"sparkminer-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if (group / name).exists():
                (group / name).write_text(str(limit))
                yield group
                return
        finally:
            group.rmdir()
    pytest.skip("no memory control group can be made here")


@linux
def test_in_a_real_group_a_hash_that_would_be_killed_is_refused_and_a_smaller_kernel_taken() -> None:
    """A process that enters the group, asks what is left, and mines scrypt with N = 2^20 in 256 MiB: only the portable
    kernel's one scratchpad fits. A second thread would be the OOM killer's."""
    program = """
import sys
from miner import _native
from miner.config import EngineConfig
from miner.core.algorithm import Algorithm
from miner.core.errors import EngineError
from miner.engine.threads import Engine
from miner.engine.memory import memory_left
with open(sys.argv[1] + "/cgroup.procs", "w") as procs:
    procs.write("0")
print(memory_left().where)
large = Algorithm.parse("scrypt:1048576")
first = _native.kernels("scrypt")[0]
for threads, kernel in ((1, ""), (2, ""), (1, first)):
    try:
        with Engine(large, EngineConfig(threads, kernel), on_hit=lambda *hit: None) as engine:
            print(engine.kernel)
    except EngineError as error:
        print(error)
"""
    with real_group(256 << 20) as group:
        done = subprocess.run([sys.executable, "-c", program, str(group)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (done.returncode, done.stderr)
    where, one, two, forced = done.stdout.splitlines()
    assert str(group) in where
    assert one == "portable"
    assert "128 MiB of memory a thread, 256 MiB for 2" in two
    assert "fewer threads (`threads=1`)" in two
    assert forced == one or "use `kernel=portable` (128 MiB)" in forced


@linux
def test_miners_of_one_group_do_not_count_on_the_same_memory() -> None:
    """What the first one's scratchpads take is gone for the second, though the first has not hashed yet."""
    program = """
import sys
from miner.config import EngineConfig
from miner.core.algorithm import Algorithm
from miner.core.errors import EngineError
from miner.engine.threads import Engine
with open(sys.argv[1] + "/cgroup.procs", "w") as procs:
    procs.write("0")
try:
    with Engine(Algorithm.parse("scrypt:1048576"), EngineConfig(1, "portable"), on_hit=lambda *hit: None) as engine:
        print(engine.kernel, flush=True)
        sys.stdin.read()
except EngineError as error:
    print(error)
"""
    with real_group(256 << 20) as group:
        command = [sys.executable, "-c", program, str(group)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
            assert first.stdout is not None
            assert first.stdout.readline() == "portable\n"
            second = subprocess.run(command, input="", capture_output=True, text=True, timeout=120)
            first.communicate(timeout=30)
    assert second.returncode == 0, second.stderr
    assert "128 MiB of memory a thread" in second.stdout
    assert f"left in the control group {group}" in second.stdout

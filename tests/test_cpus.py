"""CPUs that a process may use, quotas of both cgroup versions, and claims between processes."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from miner.engine.cpus import CpuClaims, allowed_cpus, cores_first, cpu_quota, usable_threads

linux = pytest.mark.skipif(sys.platform != "linux", reason="pinning and control groups are Linux's")
HOST = Path("/none")     # a system that has no IPC namespaces


@linux
def test_affinity_mask_is_honoured() -> None:
    one = allowed_cpus()[-1]
    code = "from miner.engine.cpus import allowed_cpus, usable_threads; print(allowed_cpus(), usable_threads())"
    out = subprocess.run(["taskset", "-c", str(one), sys.executable, "-c", code], check=True, capture_output=True,
                         text=True, timeout=60).stdout
    assert out.strip() == f"({one},) 1"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_quota_of_version_2_is_the_tightest_on_the_way_up(tmp_path: Path) -> None:
    write(tmp_path / "me", "0::/pod/task\n")
    write(tmp_path / "fs/pod/task/cpu.max", "max 100000\n")
    write(tmp_path / "fs/pod/cpu.max", "150000 100000\n")
    write(tmp_path / "fs/cpu.max", "400000 100000\n")
    assert cpu_quota(tmp_path / "fs", tmp_path / "me") == 1.5


def test_quota_of_version_1(tmp_path: Path) -> None:
    write(tmp_path / "me", "5:memory:/x\n4:cpu,cpuacct:/job\n")
    write(tmp_path / "fs/cpu,cpuacct/job/cpu.cfs_quota_us", "90000\n")
    write(tmp_path / "fs/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n")
    write(tmp_path / "fs/cpu,cpuacct/cpu.cfs_quota_us", "-1\n")
    write(tmp_path / "fs/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    assert cpu_quota(tmp_path / "fs", tmp_path / "me") == 0.9


def test_quota_in_a_container_that_sees_only_its_own_root(tmp_path: Path) -> None:
    write(tmp_path / "me", "0::/kubepods/pod1/c1\n")
    write(tmp_path / "fs/cpu.max", "50000 100000\n")
    assert cpu_quota(tmp_path / "fs", tmp_path / "me") == 0.5


def test_no_quota(tmp_path: Path) -> None:
    write(tmp_path / "me", "0::/\n")
    write(tmp_path / "fs/cpu.max", "max 100000\n")
    assert cpu_quota(tmp_path / "fs", tmp_path / "me") is None
    assert cpu_quota(tmp_path / "fs", tmp_path / "missing") is None


def test_at_least_one_thread() -> None:
    assert 1 <= usable_threads() <= len(allowed_cpus())


@linux
@pytest.mark.skipif(cpu_quota() is not None, reason="under a quota nothing is pinned")
def test_claims_of_two_owners_do_not_overlap_and_come_back(tmp_path: Path) -> None:
    first, second = CpuClaims(tmp_path, HOST), CpuClaims(tmp_path, HOST)
    taken = first.take(1)
    assert len(taken) == 1
    assert second.take(len(allowed_cpus())) == tuple(cpu for cpu in allowed_cpus() if cpu not in taken)
    first.release()
    second.release()
    assert first.take(len(allowed_cpus())) == allowed_cpus()
    first.release()


@linux
@pytest.mark.skipif(cpu_quota() is not None, reason="under a quota nothing is pinned")
def test_a_killed_process_gives_its_claims_back(tmp_path: Path) -> None:
    code = ("import sys, pathlib; from miner.engine.cpus import CpuClaims; "
            "c = CpuClaims(*map(pathlib.Path, sys.argv[1:])); print(len(c.take(1)), flush=True); sys.stdin.read()")
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(HOST)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"1\n"
        claims = CpuClaims(tmp_path, HOST)
        assert len(claims.take(len(allowed_cpus()))) == len(allowed_cpus()) - 1
        claims.release()
        other.kill()
        other.wait(10)
    assert claims.take(len(allowed_cpus())) == allowed_cpus()
    claims.release()


@linux
@pytest.mark.skipif(cpu_quota() is not None, reason="under a quota nothing is pinned")
def test_a_container_pins_to_all_its_cpus_or_none(tmp_path: Path) -> None:
    """Two pods on one node have locks of their own each, and would both take its first CPU."""
    ipc = tmp_path / "ipc"
    ipc.write_text("")
    claims = CpuClaims(tmp_path, ipc)
    assert claims.take(len(allowed_cpus())) == cores_first(allowed_cpus())
    claims.release()
    if len(allowed_cpus()) > 1:
        assert claims.take(len(allowed_cpus()) - 1) == ()


@linux
def test_a_symlink_in_the_shared_directory_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    for cpu in allowed_cpus():
        (tmp_path / f"sparkminer-cpu{cpu}.lock").symlink_to(victim)
    assert CpuClaims(tmp_path, HOST).take(1) == ()
    assert not victim.exists()


REFUSED = """
import ctypes, struct, sys
BPF_LD, BPF_JEQ, BPF_RET, ALLOW, ERRNO, PERMISSION = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050000, 1
number = {"x86_64": 204, "aarch64": 123}[sys.argv[1]]  # sched_getaffinity
program = b"".join(struct.pack("HBBI", *step) for step in (
    (BPF_LD, 0, 0, 0), (BPF_JEQ, 0, 1, number), (BPF_RET, 0, 0, ERRNO | PERMISSION), (BPF_RET, 0, 0, ALLOW)))
steps = ctypes.create_string_buffer(program)
filter = ctypes.create_string_buffer(struct.pack("HP", 4, ctypes.addressof(steps)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, filter, 0, 0) == 0, ctypes.get_errno()
import os
try:
    os.sched_getaffinity(0)
    sys.exit("it was not refused")
except PermissionError:
    pass
import miner
from miner.core.events import Totals
assert miner.benchmark("scrypt:16", seconds=0.1).hashes > 0
with miner.mine(sandbox=True, algorithm="scrypt:16", seconds=0.3) as mining:
    assert isinstance(list(mining)[-1], Totals)
"""


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"), reason="seccomp")
def test_an_affinity_mask_that_the_system_refuses_to_tell_stops_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", REFUSED, platform.machine()], capture_output=True, text=True,
                          timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_files_of_the_system_that_make_no_sense_set_no_limit(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    (tmp_path / "cpu.max").write_text("100000 0\n")
    for text in (b"0::/\n", b"nonsense\n\n::", b"\xff\xfe", b""):
        membership.write_bytes(text)
        assert cpu_quota(tmp_path, membership) is None


@pytest.mark.parametrize("name", ["core_cpus_list", "thread_siblings_list"])
def test_physical_cores_come_before_siblings(tmp_path: Path, name: str) -> None:
    for cpu, siblings in enumerate(("0,4", "1,5", "2,6", "3,7") * 2):
        write(tmp_path / f"cpu{cpu}/topology" / name, f"{siblings}\n")
    assert cores_first(range(8), tmp_path) == (0, 1, 2, 3, 4, 5, 6, 7)
    assert cores_first((0, 4, 1, 5, 7), tmp_path) == (0, 1, 7, 4, 5)
    for cpu in range(8):
        write(tmp_path / f"cpu{cpu}/topology" / name, f"{cpu & ~1}-{cpu | 1}\n")
    assert cores_first(range(8), tmp_path) == (0, 2, 4, 6, 1, 3, 5, 7)


def test_without_a_topology_the_order_stays(tmp_path: Path) -> None:
    assert cores_first((3, 1, 2), tmp_path) == (3, 1, 2)

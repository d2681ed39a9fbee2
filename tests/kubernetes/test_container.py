"""What a hardened pod gives the miner, in single containers, which take seconds where a cluster takes minutes."""

import os
import shutil
from pathlib import Path

import pytest

from kubernetes.container import USER, empty_dir, run_container
from miner.spark.settings import script
from miner.spark.ship import write_bundle

pytestmark = pytest.mark.timeout(300)

WORK = "/opt/spark/work-dir"
PATHS = {"SPARK_LOCAL_DIRS": "/tmp", "PYTHONPATH": f"{WORK}/bundle.zip", "HOME": "/none"}
MINE = ["python3", "-m", "miner", "--sandbox", "--no-live", "--seconds", "1"]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The volume that Spark's files come to."""
    work = empty_dir(tmp_path / "work")
    write_bundle(work / "bundle.zip")
    shutil.copy(script(), work / "mine.py")
    return work


def said(folder: Path, command: list[str], work: Path, cpus: float = 0, volumes: dict[str, Path] | None = None,
         status: int = 0) -> str:
    done = run_container(folder, command, cpus, {WORK: work} | (volumes or {}), PATHS)
    assert done.returncode == status, done.stdout
    return done.stdout


@pytest.mark.parametrize(("cpus", "threads"), [(0.9, 1), (1, 1), (1.5, 2), (2, 2)])
def test_threads_follow_the_quota(tmp_path: Path, work: Path, cpus: float, threads: int) -> None:
    threads = min(threads, len(os.sched_getaffinity(0)))
    out = said(tmp_path / "pod", MINE, work, cpus)
    assert f"{threads} miner threads started" in out
    assert len(list(work.glob("sparkminer-*"))) == 1, "the native module is beside the zip"


def test_pods_of_one_node_do_not_pin_to_the_same_cpu(tmp_path: Path, work: Path) -> None:
    """Without a limit of CPU time, as Spark starts them by default, and fewer threads than the node has CPUs."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("a miner with all CPUs may pin")
    out = said(tmp_path / "pod", [*MINE, "-t", "1"], work)
    assert "1 miner threads started" in out
    assert "Binding thread" not in out


def test_secret_as_a_file(tmp_path: Path, work: Path) -> None:
    """As a pod with an fsGroup has it: root's, readable by the group, and nothing to complain about."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "pool.txt").write_text("correct-horse-battery\n")
    os.chown(secret / "pool.txt", 0, USER)
    (secret / "pool.txt").chmod(0o440)
    command = [*MINE[:3], "--url", "stratum+tcp://pool.example:3333", "-u", "alice", "--password-file",
               "/opt/password/pool.txt", "--check"]
    out = said(tmp_path / "pod", command, work, volumes={"/opt/password": secret})
    assert "pool.example" in out
    assert "can be read by other users" not in out
    assert "correct-horse-battery" not in out


def test_driver(tmp_path: Path, work: Path) -> None:
    """Spark itself, as a driver's pod starts it, with the package out of a zip. Nothing of ours is in the image."""
    command = ["driver", "--master", "local[1]", "--py-files", f"{WORK}/bundle.zip", f"{WORK}/mine.py", "--sandbox",
               "--seconds", "3"]
    environ = {"SPARK_DRIVER_BIND_ADDRESS": "127.0.0.1", "SPARK_LOCAL_IP": "127.0.0.1"}
    done = run_container(tmp_path / "pod", command, 1, {WORK: work}, environ)
    assert done.returncode == 0, done.stdout
    assert "executor" in done.stdout
    assert "accepted" in done.stdout


def test_image_without_the_package(tmp_path: Path, work: Path) -> None:
    out = said(tmp_path / "pod", ["python3", "-I", "-c", "import miner"], work, status=1)
    assert "No module named 'miner'" in out

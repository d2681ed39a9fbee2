"""The package in a zip: its native module is unpacked once, safely, and loaded from there."""

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from counterparts import require
from miner._bootstrap import NATIVES, platform_tag
from miner.spark.ship import write_bundle

REPORT = """
import json, os, sys, tempfile
if "NO_MEMFD" in os.environ and hasattr(os, "memfd_create"):
    del os.memfd_create
tempfile.tempdir = os.environ["TEMPORARY"]
import miner, miner._native
print(json.dumps({"package": miner.__file__, "native": miner._native.__file__, "mode": os.stat(
    os.path.dirname(miner._native.__file__)).st_mode & 0o7777, "same": miner._native is sys.modules["miner._native"],
    "kernels": list(miner.kernels("sha256d"))}))
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "miner.zip"
    write_bundle(path)
    return path


@pytest.fixture(scope="module")
def used(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder in which a process has unpacked the module. Tests take copies."""
    path = tmp_path_factory.mktemp("used")
    run(bundle, path)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home folder of our own, made writable again so that it can be removed."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    yield home
    home.chmod(0o700)


@pytest.fixture
def used_home(home: Path, used: Path) -> Path:
    """That, as a home folder of a test's own."""
    shutil.copytree(used, home, dirs_exist_ok=True)
    return home


def start(bundle: Path, home: Path, through: Sequence[str] = (), **settings: str) -> "subprocess.Popen[str]":
    """A Python that has nothing but the zip, and no folder but these."""
    environment = {"PYTHONPATH": str(bundle), "HOME": str(home), "TEMPORARY": os.devnull, "PATH": os.environ["PATH"],
                   "MINER_TEST_RUN": os.environ.get("MINER_TEST_RUN", "")} | settings
    return subprocess.Popen([*through, sys.executable, "-S", "-c", REPORT], env=environment, cwd=home, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(bundle: Path, home: Path, through: Sequence[str] = (), **settings: str) -> dict[str, Any]:
    with start(bundle, home, through, **settings) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    report: dict[str, Any] = json.loads(out)
    return report


def refusal(bundle: Path, home: Path, through: Sequence[str] = (), **settings: str) -> str:
    """What is said where there are no files in memory, as on macOS."""
    with start(bundle, home, through, NO_MEMFD="yes", **settings) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    return err.strip().splitlines()[-1]


def unpacked(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def rebuilt(bundle: Path, path: Path) -> Path:
    """A copy of the bundle with other bytes in its native modules."""
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name) + (b"\0" if NATIVES in name else b""))
    return path


def test_loads_from_a_private_folder(bundle: Path, home: Path) -> None:
    report = run(bundle, home)
    assert report["package"].startswith(str(bundle))
    assert report["native"].startswith(str(home / ".cache"))
    assert report["mode"] == 0o700
    assert report["same"]
    assert "portable" in report["kernels"]


def test_the_second_process_uses_what_the_first_unpacked(bundle: Path, used_home: Path) -> None:
    before = {path: path.stat().st_ino for path in unpacked(used_home)}
    run(bundle, used_home)
    assert {path: path.stat().st_ino for path in unpacked(used_home)} == before
    assert len(before) == 1


def test_named_folder_comes_first(bundle: Path, home: Path, tmp_path: Path) -> None:
    report = run(bundle, home, MINER_CACHE_DIR=str(tmp_path / "new" / "cache"))
    assert report["native"].startswith(str(tmp_path / "new" / "cache"))


def test_xdg_cache_home_unless_relative(bundle: Path, home: Path, tmp_path: Path) -> None:
    assert run(bundle, home, XDG_CACHE_HOME=str(tmp_path / "xdg"))["native"].startswith(str(tmp_path / "xdg"))
    assert run(bundle, home, XDG_CACHE_HOME="relative")["native"].startswith(str(home / ".cache"))


def test_spark_worker_unpacks_beside_the_zip(bundle: Path, home: Path, tmp_path: Path) -> None:
    """A task's folder goes away with the application, and so does what was unpacked there."""
    task = tmp_path / "task"
    task.mkdir()
    shutil.copy(bundle, task / "miner.zip")
    assert run(task / "miner.zip", home, SPARK_LOCAL_DIRS="/x")["native"].startswith(str(task))


def test_relative_path_on_sys_path(bundle: Path, home: Path) -> None:
    """Spark puts ./miner.zip on its executors' path."""
    shutil.copy(bundle, home / "miner.zip")
    assert run(Path("./miner.zip"), home, PYTHONPATH="./miner.zip")["native"].startswith(str(home / ".cache"))


def test_unpacked_bundle_works_too(bundle: Path, home: Path, tmp_path: Path) -> None:
    """--archives bundle.zip#pkg with PYTHONPATH=pkg."""
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path / "pkg")
    assert run(tmp_path / "pkg", home)["package"].startswith(str(tmp_path / "pkg"))


@pytest.mark.timeout(300)
def test_eight_processes_at_once(bundle: Path, home: Path) -> None:
    processes = [start(bundle, home) for _ in range(8)]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    assert len(unpacked(home)) == 1, "temporary files are left"


def test_tampered_file_is_replaced_before_it_is_loaded(bundle: Path, used_home: Path) -> None:
    (file,) = unpacked(used_home)
    original = file.read_bytes()
    file.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
    run(bundle, used_home)
    assert file.read_bytes() == original


def test_cut_file_is_replaced(bundle: Path, used_home: Path) -> None:
    """What a full disk left."""
    (file,) = unpacked(used_home)
    original = file.read_bytes()
    file.write_bytes(original[:100])
    run(bundle, used_home)
    assert file.read_bytes() == original


def test_file_that_is_a_link_is_replaced(bundle: Path, used_home: Path, tmp_path: Path) -> None:
    (file,) = unpacked(used_home)
    elsewhere = tmp_path / "elsewhere.so"
    shutil.move(file, elsewhere)
    file.symlink_to(elsewhere)
    run(bundle, used_home)
    assert not file.is_symlink()


def test_folder_that_is_a_link_is_refused(bundle: Path, used_home: Path, tmp_path: Path) -> None:
    folder = unpacked(used_home)[0].parent
    shutil.move(folder, tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    error = refusal(bundle, used_home)
    assert "symbolic link" in error
    assert "MINER_CACHE_DIR" in error


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_folder_with_another_mode_is_refused(bundle: Path, used_home: Path, mode: int) -> None:
    unpacked(used_home)[0].parent.chmod(mode)
    assert f"has mode {mode:04o} instead of 0700" in refusal(bundle, used_home)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_folder_of_another_user_is_refused(bundle: Path, used_home: Path) -> None:
    os.chown(unpacked(used_home)[0].parent, 12345, -1)
    assert "belongs to user 12345" in refusal(bundle, used_home)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_below_folders_of_the_user_who_starts_containers(bundle: Path, tmp_path: Path) -> None:
    """A secure YARN: usercache belongs to yarn, the container's folder below it to the user, who has no home. Whoever
    could exchange the zip may own what is above the unpacked module, and nobody else."""
    container = tmp_path / "usercache" / "alice" / "container"
    container.mkdir(parents=True)
    os.chown(container.parents[1], 12345, -1)
    (tmp_path / "home").write_text("")
    shutil.copy(bundle, container / "miner.zip")
    settings = {"HOME": str(tmp_path / "home")}
    report = run(container / "miner.zip", container, SPARK_LOCAL_DIRS="/x", **settings)
    assert report["native"].startswith(str(container / "sparkminer-"))
    error = refusal(bundle, container, MINER_CACHE_DIR=str(container), **settings)
    assert f"{container}: {container.parents[1]} belongs to user 12345" in error


def test_folder_below_one_that_others_can_change_is_refused(bundle: Path, home: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    report = run(bundle, home, MINER_CACHE_DIR=str(shared))
    assert report["native"].startswith(str(home / ".cache")), "not loaded from where others can exchange it"
    shared.chmod(0o1777)
    assert run(bundle, home, MINER_CACHE_DIR=str(shared))["native"].startswith(str(shared)), "sticky, like /tmp"


def test_beside_a_zip_in_a_volume_that_everybody_can_write_to(bundle: Path, tmp_path: Path) -> None:
    """A pod with a read-only root file system: its folders are Kubernetes' volumes, with mode 2777 and no sticky bit.
    Beside the zip, which others could exchange as well, is as good a place as the zip's; in another volume isn't."""
    work, other = tmp_path / "work", tmp_path / "other"
    for volume in (work, other):
        volume.mkdir()
        volume.chmod(0o2777)
    (tmp_path / "home").write_text("")
    shutil.copy(bundle, work / "miner.zip")
    settings = {"HOME": str(tmp_path / "home"), "TEMPORARY": str(other)}
    report = run(work / "miner.zip", other, SPARK_LOCAL_DIRS="/x", **settings)
    assert report["native"].startswith(str(work / "sparkminer-"))
    assert f"{other}: {other} can be changed by other users" in refusal(work / "miner.zip", other, **settings)


def test_home_that_cannot_be_written(bundle: Path, tmp_path: Path) -> None:
    """Files in the way are an obstacle to root as well, which a mode is not."""
    (tmp_path / "home").write_text("")
    report = run(bundle, tmp_path, HOME=str(tmp_path / "home"), TEMPORARY=str(tmp_path))
    assert report["native"].startswith(str(tmp_path / "sparkminer-"))


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="files in memory are Linux's")
def test_memory_where_no_folder_will_do(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    report = run(bundle, tmp_path, HOME=str(tmp_path / "home"))
    assert report["native"].startswith("/proc/self/fd/")
    assert "portable" in report["kernels"]
    assert not list(tmp_path.glob("sparkminer-*"))


def test_no_home_at_all(bundle: Path, home: Path, tmp_path: Path) -> None:
    """A user whom the system doesn't know, as containers have them, in a user namespace of its own."""
    stranger = ["unshare", "--user", "--map-user=12345", "--map-group=12345", "env", "-u", "HOME"]
    can = subprocess.run([*stranger, "true"], capture_output=True, timeout=60, check=False).returncode == 0
    require("user namespaces", can, "sysctl kernel.apparmor_restrict_unprivileged_userns=0")
    report = run(bundle, home, stranger, TEMPORARY=str(tmp_path))
    assert report["native"].startswith(str(tmp_path / "sparkminer-12345-"))


def test_error_names_every_folder_and_the_way_out(bundle: Path, tmp_path: Path) -> None:
    for name in ("home", "cache"):
        (tmp_path / name).write_text("")
    error = refusal(bundle, tmp_path, HOME=str(tmp_path / "home"), MINER_CACHE_DIR=str(tmp_path / "cache"))
    assert "set MINER_CACHE_DIR to one that is yours, writable and not mounted noexec" in error
    for folder in (tmp_path / "home" / ".cache", tmp_path / "cache", Path(os.devnull)):
        assert f"{folder}: " in error


def test_other_platforms_are_named(bundle: Path, home: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.zip"
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(foreign, "w") as new:
        for name in old.namelist():
            new.writestr(name.replace(f"{NATIVES}/{platform_tag()}", f"{NATIVES}/plan9-vax"), old.read(name))
    error = refusal(foreign, home)
    assert f"no native module for {platform_tag()}" in error


def test_two_versions_side_by_side(bundle: Path, home: Path, tmp_path: Path) -> None:
    """Another build has another hash and so another folder; a process that runs the old one keeps it."""
    newer = rebuilt(bundle, tmp_path / "newer.zip")
    first, second = run(bundle, home), run(newer, home)
    assert first["native"] != second["native"]
    assert len(unpacked(home)) == 2
    for file in unpacked(home):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_upgrade_beside_a_running_old_version(bundle: Path, home: Path, tmp_path: Path) -> None:
    """What the new version unpacks leaves the old one's file alone, whose process goes on."""
    newer = rebuilt(bundle, tmp_path / "newer.zip")
    code = "import sys, miner._native as n; print(n.__file__, flush=True); sys.stdin.read(); print(n.kernels('scrypt'))"
    environment = {"PYTHONPATH": str(bundle), "HOME": str(home), "MINER_TEST_RUN": os.environ["MINER_TEST_RUN"]}
    with subprocess.Popen([sys.executable, "-S", "-c", code], env=environment, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as old:
        assert old.stdout is not None
        file = Path(old.stdout.readline().strip())
        before = file.read_bytes(), file.stat().st_ino
        assert run(newer, home)["native"] != str(file)
        assert (file.read_bytes(), file.stat().st_ino) == before
        out, _ = old.communicate("", timeout=60)
    assert old.returncode == 0
    assert "portable" in out


def test_noexec_mounts_are_passed_over(bundle: Path, home: Path, tmp_path: Path) -> None:
    """A real mount, in a namespace of its own."""
    can = subprocess.run(["unshare", "-rm", "true"], capture_output=True, timeout=60, check=False).returncode == 0
    require("permission to mount in a user namespace", can, "sysctl kernel.apparmor_restrict_unprivileged_userns=0")
    cache = tmp_path / "cache"
    cache.mkdir()
    mount = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o noexec,mode=700 tmpfs "$0" && exec "$@"', str(cache)]
    report = run(bundle, home, mount, MINER_CACHE_DIR=str(cache))
    assert report["native"].startswith(str(home / ".cache"))
    (home / ".cache").rename(home / "moved")
    (home / ".cache").write_text("")
    error = refusal(bundle, home, mount, MINER_CACHE_DIR=str(cache))
    assert f"{cache}: is mounted noexec" in error
    assert "set MINER_CACHE_DIR" in error

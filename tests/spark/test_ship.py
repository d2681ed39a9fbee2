"""The bundle: one zip, the same bytes for the same content, natives of several platforms, nothing but code."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import miner
from miner._bootstrap import NATIVES, platform_tag
from miner.core.errors import UsageError
from miner.spark.ship import bundle, main, write_bundle

VERSION = miner.__version__


def wheel(directory: Path, tags: str = "cp311-abi3-manylinux_2_17_aarch64.manylinux2014_aarch64",
          version: str = VERSION, member: str = "miner/_native.abi3.so") -> Path:
    path = directory / f"sparkminer-{version}-{tags}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("miner/__init__.py", "")
        archive.writestr(member, b"another platform's native code")
    return path


def names(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    write_bundle(tmp_path / "a.zip")
    write_bundle(tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    found = names(bundle(tmp_path))
    assert {"miner/__init__.py", "miner/core/model.py", "miner/spark/partition.py", "miner/_native.py"} <= found
    assert all(name.startswith("miner/") for name in found)
    natives = {name for name in found if not name.endswith(".py")}
    assert {str(Path(name).parent) for name in natives} == {f"miner/{NATIVES}/{platform_tag()}"}


@pytest.mark.parametrize(("tags", "directory"), [
    ("cp311-abi3-manylinux_2_17_aarch64.manylinux2014_aarch64", "linux-aarch64"),
    ("cp311-abi3-linux_x86_64", "linux-x86_64"),
    ("cp311-abi3-musllinux_1_2_x86_64", "linux-x86_64-musl"),
    ("cp311-abi3-macosx_11_0_arm64", "macosx-arm64"),
    ("cp311-abi3-macosx_10_9_x86_64", "macosx-x86_64"),
    ("cp311-abi3-win_amd64", "win-amd64"),
])
def test_takes_natives_from_wheels(tmp_path: Path, tags: str, directory: str) -> None:
    write_bundle(tmp_path / "all.zip", [wheel(tmp_path, tags)])
    assert f"miner/{NATIVES}/{directory}/_native.abi3.so" in names(tmp_path / "all.zip")
    assert any(name.startswith(f"miner/{NATIVES}/{platform_tag()}/") for name in names(tmp_path / "all.zip"))


@pytest.mark.parametrize("version", ["314t", "315t"])
def test_takes_natives_for_free_threaded_pythons_beside_the_others(tmp_path: Path, version: str) -> None:
    native = f"_native.cpython-{version}-x86_64-linux-gnu.so"
    write_bundle(tmp_path / "all.zip", [wheel(tmp_path, f"cp{version[:-1]}-cp{version}-manylinux2014_x86_64",
                                              member=f"miner/{native}")])
    assert f"miner/{NATIVES}/linux-x86_64/{native}" in names(tmp_path / "all.zip")


@pytest.mark.parametrize(("changes", "reason"), [
    ({"version": "0.0.1"}, f"is no wheel of sparkminer {VERSION}"),
    ({"member": "miner/other.so"}, "holds no native module"),
    ({"tags": "py3-none-any"}, "platform any is not one that a bundle can hold"),
])
def test_refuses_wheels_that_do_not_belong(tmp_path: Path, changes: dict[str, str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        write_bundle(tmp_path / "x.zip", [wheel(tmp_path, **changes)])
    assert not (tmp_path / "x.zip").exists()


def test_refuses_what_is_no_wheel(tmp_path: Path) -> None:
    path = tmp_path / f"sparkminer-{VERSION}-cp311-abi3-linux_x86_64.whl"
    path.write_text("not a zip")
    with pytest.raises(UsageError, match="can't read"):
        write_bundle(tmp_path / "x.zip", [path])


def test_command_makes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "a.zip"), str(wheel(tmp_path))]) == 0
    assert f"miner/{NATIVES}/linux-aarch64/_native.abi3.so" in names(tmp_path / "a.zip")
    assert main([]) == main(["--help"]) == main([str(tmp_path / "b.zip"), "absent.whl"]) == 2
    assert "absent.whl is no wheel" in capsys.readouterr().err


def test_a_package_in_a_zip_ships_that_zip(tmp_path: Path) -> None:
    write_bundle(tmp_path / "a.zip")
    code = "import pathlib, sys; from miner.spark.ship import bundle; print(bundle(pathlib.Path(sys.argv[1])))"
    shipped = subprocess.run([sys.executable, "-S", "-c", code, str(tmp_path / "new")], timeout=150, check=True,
                             env={"PYTHONPATH": str(tmp_path / "a.zip")}, capture_output=True, text=True).stdout
    assert Path(shipped.strip()) == tmp_path / "a.zip"


def test_a_package_in_a_zip_makes_the_same_bundle_again(tmp_path: Path) -> None:
    """`python -m miner.spark.ship` with an unpacked bundle on the path."""
    write_bundle(tmp_path / "a.zip", [wheel(tmp_path)])
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    subprocess.run([sys.executable, "-S", "-B", "-m", "miner.spark.ship", str(tmp_path / "b.zip")], timeout=150,
                   check=True, env={"PYTHONPATH": str(tmp_path / "unpacked")})
    assert (tmp_path / "b.zip").read_bytes() == (tmp_path / "a.zip").read_bytes()

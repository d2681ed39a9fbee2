"""What travels: the source distribution builds to a wheel, and both hold what they must and nothing else."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NATIVE_SUFFIXES = (".abi3.so", ".abi3.dylib", ".pyd", ".so")


@pytest.fixture(scope="module")
def tracked() -> set[str]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("what belongs into the packages is known in a git checkout only")
    return {name for name in done.stdout.splitlines() if (ROOT / name).exists()}


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory, tracked: set[str]) -> Path:
    """Built from a copy of the tracked files, so that nothing lying about gets in."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("sdist")
    for name in tracked:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    code = f"import setuptools.build_meta as b; print(b.build_sdist({str(out)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True, timeout=120)
    return next(out.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir",
                    str(out), str(sdist)], check=True, capture_output=True, timeout=600)
    return next(out.glob("*.whl"))


def test_the_source_distribution_holds_all_source_and_nothing_built(sdist: Path, tracked: set[str]) -> None:
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    hosting = {name for name in tracked if name.startswith(".")}
    written = {name for name in names if "egg-info/" in name} | {"PKG-INFO", "setup.cfg"}
    assert names - written == tracked - hosting - {"MANIFEST.in"} | ({"MANIFEST.in"} & names)


@pytest.mark.timeout(700)
def test_the_wheel_holds_the_package_and_one_native_module(wheel: Path, tracked: set[str]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    native = {name for name in names if name.startswith("miner/_native") and name.endswith(NATIVE_SUFFIXES)}
    package = {name.removeprefix("src/") for name in tracked if name.startswith("src/miner/")} - {"miner/_native.pyx"}
    assert len(native) == 1
    assert names - native == package


def test_the_wheel_is_one_for_all_pythons_from_3_11(wheel: Path) -> None:
    if hasattr(sys, "_is_gil_enabled") and not sys._is_gil_enabled():
        pytest.skip("a free-threaded Python before 3.15 has no stable ABI")
    assert "-cp311-abi3-" in wheel.name


def test_the_wheel_needs_nothing_but_python(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA")]
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:")]
    assert required
    assert all("extra ==" in line for line in required)

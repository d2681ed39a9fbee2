"""Without the GIL: the module says that it is safe there, threads search at once, and abi3 modules are refused."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from counterparts import executable, require
from miner.spark.ship import write_bundle

ROOT = Path(__file__).parent.parent
GOT = Path(os.environ.get("MINER_PYTHONS_DIR") or ROOT / ".pythons", "free-threaded/usr/bin/python3.13t")

SEARCH = """
import hashlib, sys, threading
from miner import _native

assert not sys._is_gil_enabled(), "importing the module has brought the GIL back"
header, target, answers = bytes(range(80)), b"\\xff" * 31 + b"\\x0f", []
expected = [n for n in range(2000) if hashlib.sha256(hashlib.sha256(
    header[:76] + n.to_bytes(4, "little")).digest()).digest()[31] <= 15]

def search(kernel):
    searcher = _native.Searcher("sha256d", (), kernel)
    for _ in range(20):
        hits, done = [], 0
        while done < 2000:
            found, more = searcher.search(header, target, done, 2000 - done, epoch, 0)
            hits, done = hits + [nonce for nonce, _ in found], done + more
        answers.append(hits)

epoch = _native.Epoch()
threads = [threading.Thread(target=search, args=[kernel]) for kernel in _native.kernels("sha256d") * 4]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(answers) == 20 * len(threads) and all(hits == expected for hits in answers)
assert not sys._is_gil_enabled()
print("right answers:", len(answers))
"""


@pytest.fixture(scope="module")
def python() -> str:
    found = executable("python3.15t", *map(str, (GOT, shutil.which("python3.14t") or GOT)))
    return str(require("a free-threaded Python", found, "make pythons"))


@pytest.fixture(scope="module")
def package(python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This package, its module built by that Python with our setuptools and Cython."""
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "csrc", "src"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    for built in (source / "src/miner").glob("_native*.so"):
        built.unlink()
    tools = {str(Path(require(name, importlib.util.find_spec(name), f"pip install {name}").origin or "").parents[1])
             for name in ("setuptools", "Cython")}
    subprocess.run([python, "setup.py", "--quiet", "build_ext", "--inplace"], cwd=source, check=True, timeout=600,
                   env=os.environ | {"PYTHONPATH": os.pathsep.join(tools)}, capture_output=True)
    return source / "src"


def run(python: str, code: str, path: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([python, "-B", "-c", code], env=os.environ | {"PYTHONPATH": str(path)}, timeout=120,
                          capture_output=True, text=True, check=False)


@pytest.mark.timeout(800)
def test_threads_search_at_once_without_the_gil(python: str, package: Path) -> None:
    done = run(python, SEARCH, package)
    assert done.returncode == 0, done.stderr
    assert "right answers: " in done.stdout


@pytest.mark.skipif(sys.version_info < (3, 15) and not getattr(sys, "_is_gil_enabled", lambda: True)(),
                    reason="this Python builds no abi3 module")
def test_a_bundle_with_an_abi3_module_is_refused(python: str, tmp_path: Path) -> None:
    """A free-threaded Python before 3.15 would load it, and fail for a reason that says nothing."""
    write_bundle(tmp_path / "bundle.zip")
    done = run(python, "import miner._native", tmp_path / "bundle.zip")
    assert done.returncode == 1
    assert "and free-threaded Python 3." in done.stderr
    assert "build the bundle with the wheel for these too" in done.stderr


def test_an_abi3_module_that_an_old_pip_installed_is_refused(python: str, package: Path, tmp_path: Path) -> None:
    shutil.copytree(package / "miner", tmp_path / "miner", ignore=shutil.ignore_patterns("_native*.so"))
    (tmp_path / "miner/_native.abi3.so").touch()
    done = run(python, "import miner", tmp_path)
    assert done.returncode == 1
    assert "install sparkminer again with this Python's own pip" in done.stderr
    (own,) = (package / "miner").glob("_native*.so")
    shutil.copy(own, tmp_path / "miner")
    assert run(python, "from miner import _native", tmp_path).returncode == 0

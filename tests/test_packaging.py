"""What travels: the source distribution builds to a wheel, and both hold what they must and nothing else."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

import miner
from counterparts import executable
from outside import take_objects

ROOT = Path(__file__).parent.parent
NATIVE_SUFFIXES = (".abi3.so", ".abi3.dylib", ".pyd", ".so")
TIME = {"SOURCE_DATE_EPOCH": "1700000000"}
FREE_THREADED = hasattr(sys, "_is_gil_enabled") and not sys._is_gil_enabled()

pytestmark = pytest.mark.timeout(700)


def python(*arguments: str, cwd: Path = ROOT, settings: Mapping[str, str] = TIME) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, env=os.environ | settings, capture_output=True,
                          text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build_sdist(source: Path, out: Path) -> Path:
    python("-c", f"import setuptools.build_meta as b; b.build_sdist({str(out)!r})", cwd=source)
    return next(out.glob("*.tar.gz"))


def build_wheel(source: Path, out: Path) -> Path:
    """The C core is not compiled again where `make build` has compiled it: each object is as new as the files that it
    was made from."""
    take_objects(source / "build")
    python("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out), str(source))
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def tracked() -> set[str]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("what belongs into the packages is known in a git checkout only")
    return {name for name in done.stdout.splitlines() if (ROOT / name).exists()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, tracked: set[str]) -> Path:
    """A copy of the tracked files, so that nothing lying about gets in."""
    tree = tmp_path_factory.mktemp("tree")
    for name in tracked:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)
    return tree


@pytest.fixture(scope="module")
def sdist(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_sdist(tree, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tracked: set[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (source,) = unpacked.iterdir()
    for name in tracked:
        if (source / name).exists():
            shutil.copystat(ROOT / name, source / name)
    return build_wheel(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def requirements(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA")]
    return [line.removeprefix("Requires-Dist: ") for line in metadata.splitlines() if line.startswith("Requires-Dist:")]


def test_the_source_distribution_holds_all_source_and_nothing_built(sdist: Path, tracked: set[str]) -> None:
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    hosting = {name for name in tracked if name.startswith(".")}
    written = {name for name in names if "egg-info/" in name} | {"PKG-INFO", "setup.cfg"}
    assert names - written == tracked - hosting - {"MANIFEST.in"} | ({"MANIFEST.in"} & names)


def test_the_source_distribution_is_the_same_each_time(sdist: Path, tree: Path, tmp_path: Path) -> None:
    assert build_sdist(tree, tmp_path).read_bytes() == sdist.read_bytes()


def test_the_wheel_is_the_same_each_time(wheel: Path, tree: Path, tmp_path: Path) -> None:
    """And whether it is built from the source distribution or from a checkout."""
    copy = shutil.copytree(tree, tmp_path / "copy")
    assert build_wheel(copy, tmp_path).read_bytes() == wheel.read_bytes()


def test_the_wheel_holds_the_package_and_one_native_module(wheel: Path, tracked: set[str]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name and ".data/" not in name}
    native = {name for name in names if name.startswith("miner/_native") and name.endswith(NATIVE_SUFFIXES)}
    package = {name.removeprefix("src/") for name in tracked if name.startswith("src/miner/")} - {"miner/_native.pyx"}
    assert len(native) == 1
    assert names - native == package


def test_the_wheels_data_are_man_pages_and_completions(wheel: Path, tmp_path: Path) -> None:
    share = f"sparkminer-{miner.__version__}.data/data/share"
    with zipfile.ZipFile(wheel) as archive:
        texts = {name.removeprefix(f"{share}/"): archive.read(name).decode() for name in archive.namelist()
                 if ".data/" in name}
    commands = ("", "-spark", "-spark-screen", "-hub", "-bench", "-screen", "-swarm")
    pages = {f"man/man1/sparkminer{command}.1" for command in commands}
    assert set(texts) == pages | {"bash-completion/completions/sparkminer", "zsh/site-functions/_sparkminer",
                                  "fish/vendor_completions.d/sparkminer.fish"}
    for page in pages:
        assert all(word in texts[page] for word in (".SH EXIT STATUS", ".SH SEE ALSO", r"\fB\-\-")), page
        assert texts[page].isascii() and "python" not in texts[page].replace("python\\-socks", "")
    completion = tmp_path / "sparkminer"
    completion.write_text(texts["bash-completion/completions/sparkminer"])
    asked = """source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shtab_sparkminer; echo "${COMPREPLY[@]}" """
    for words, found in ((["sp"], "spark"), (["hub", "--lis"], "--listen"), (["--user-a"], "--user-agent"),
                         (["spark", "scr"], "screen"), (["spark", "screen", "--write"], "--write-to")):
        done = subprocess.run(["bash", "-c", asked, str(completion), "sparkminer", *words], capture_output=True,
                              text=True, check=True)
        assert done.stdout.split() == [found]


@pytest.mark.parametrize("shell", ["fish", "zsh"])
def test_other_shells_take_their_completion(shell: str, tmp_path: Path) -> None:
    program = executable(shell)
    if program is None:
        pytest.skip(f"no {shell} here: apt-get install {shell}")
    subprocess.run([sys.executable, "wheels/manuals.py", str(tmp_path)], cwd=ROOT, check=True, timeout=60)
    if shell == "zsh":
        subprocess.run([program, "-n", str(tmp_path / "zsh/site-functions/_sparkminer")], check=True, timeout=60)
        return
    for words, found in (("spark scr", "screen"), ("hub --lis", "--listen"), ("spark screen --write", "--write-to")):
        asked = f"source {tmp_path}/fish/vendor_completions.d/sparkminer.fish; complete -C 'sparkminer {words}'"
        done = subprocess.run([program, "--no-config", "-c", asked], capture_output=True, text=True, check=True,
                              timeout=60)
        assert [line.partition("\t")[0] for line in done.stdout.splitlines()] == [found]


@pytest.mark.skipif(FREE_THREADED, reason="free-threaded Pythons have no stable ABI that Cython knows")
def test_the_wheel_is_one_for_all_pythons_from_3_11(wheel: Path) -> None:
    assert "-cp311-abi3-" in wheel.name
    python("-m", "abi3audit", "--strict", str(wheel))


def test_an_index_would_take_both(sdist: Path, wheel: Path) -> None:
    python("-m", "twine", "check", "--strict", str(sdist), str(wheel))


def test_the_wheel_needs_nothing_but_python(requirements: list[str]) -> None:
    assert requirements
    assert all("extra ==" in line for line in requirements)


def test_spark_needs_nothing_but_pyspark_and_what_makes_certificates(requirements: list[str]) -> None:
    assert sorted(line.partition(";")[0] for line in requirements if 'extra == "spark"' in line) == [
        "cryptography>=42", "pyspark>=3.5"]


@pytest.mark.parametrize(("system", "platforms"), [
    ("linux", ["manylinux_x86_64", "manylinux_aarch64", "musllinux_x86_64", "musllinux_aarch64"]),
    ("macos", ["macosx_x86_64", "macosx_arm64"]),
    ("windows", ["win_amd64"]),
])
def test_hosted_ci_builds_every_platform(system: str, platforms: list[str]) -> None:
    said = python("-m", "cibuildwheel", "--print-build-identifiers", "--platform", system, ".")
    abis = [abi.removesuffix("-*") for abi in
            tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["cibuildwheel"]["build"]]
    assert {"cp311", "cp314t"} <= set(abis)
    assert set(re.findall(r"^cp\S+$", said, re.MULTILINE)) == {f"{abi}-{name}" for abi in abis for name in platforms}


def build(tree: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    """What `make build` runs."""
    return subprocess.run([sys.executable, "setup.py", "build_ext", "--inplace"], cwd=tree, env=os.environ | settings,
                          capture_output=True, text=True, check=False, timeout=600)


def compiled(done: "subprocess.CompletedProcess[str]") -> list[str]:
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(re.findall(r" -c ((?:csrc|src)/\S+)", done.stdout))


@pytest.mark.skipif(sys.platform == "win32", reason="clang-cl's dependency files are not read")
def test_only_what_has_changed_is_compiled_again(tree: Path, tmp_path: Path) -> None:
    """With hardly anything in the core's files and in the binding, which take long to compile."""
    copy = shutil.copytree(tree, tmp_path / "copy", ignore=shutil.ignore_patterns("_native.c", "build"))
    for path in copy.glob("csrc/*.c"):
        path.write_text('#include "thread.h"\n' if path.stem == "thread" else '#include "miner.h"\n')
    (copy / "src/miner/_native.pyx").write_text('cdef extern from "thread.h":\n    pass\n')
    sources = [*sorted(f"csrc/{path.name}" for path in copy.glob("csrc/*.c")), "src/miner/_native.c"]
    assert compiled(build(copy)) == sources
    assert compiled(build(copy)) == []
    (copy / "csrc/search.c").touch()
    assert compiled(build(copy)) == ["csrc/search.c"]
    (copy / "csrc/thread.h").touch()
    assert compiled(build(copy)) == ["csrc/thread.c", "src/miner/_native.c"]
    (copy / "src/miner/_native.pyx").touch()
    assert compiled(build(copy)) == ["src/miner/_native.c"]
    assert compiled(build(copy, CFLAGS="-DOTHER")) == sources, "other flags"


@pytest.mark.parametrize("compiler", ["/nonexistent/gcc", "gcc -nostdinc"])
def test_a_missing_compiler_or_header_is_told_before_anything_is_compiled(compiler: str, tree: Path,
                                                                          tmp_path: Path) -> None:
    copy = shutil.copytree(tree, tmp_path / "copy", ignore=shutil.ignore_patterns("_native.c", "build"))
    done = build(copy, CC=compiler)
    assert done.returncode == 1
    assert re.search(r"^error: .*apt-get install gcc libc6-dev python3\.\d+-dev$", done.stderr, re.MULTILINE)
    assert not list(copy.glob("build/**/*.o"))


def test_the_hubs_image_has_all_that_a_wheel_is_made_from(tmp_path: Path) -> None:
    """But the core, which takes long to compile: its sources are there."""
    for line in (ROOT / "examples/Dockerfile").read_text(encoding="utf-8").splitlines():
        match line.split():
            case ["COPY", source, target] if target.startswith("/src/"):
                shutil.copytree(ROOT / source, tmp_path / target.removeprefix("/src/"))
            case ["COPY", *sources, "/src/"]:
                for source in sources:
                    shutil.copy(ROOT / source, tmp_path)
    subprocess.run([sys.executable, "setup.py", "--quiet", "build_py", "install_data", "--install-dir", "made"],
                   cwd=tmp_path, check=True, timeout=300)
    assert (tmp_path / "made/share/man/man1/sparkminer.1").is_file() and (tmp_path / "csrc/miner.h").is_file()


def test_the_version_is_the_packages_own(sdist: Path, wheel: Path) -> None:
    assert sdist.name == f"sparkminer-{miner.__version__}.tar.gz"
    assert wheel.name.startswith(f"sparkminer-{miner.__version__}-")

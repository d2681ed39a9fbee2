"""Builds the source distribution, and from it the wheels for Linux, without containers: clang with every C library
comes from the PyPI package ziglang.

`python wheels/build.py [--out DIR] [--abi ABI]… [TARGET…]` builds for each target one cp311-abi3 wheel and one for each
free-threaded Python, and audits them. What the build needs is the extra "wheels". Equal sources give equal bytes: times
are the last commit's, or SOURCE_DATE_EPOCH.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

import audit
import pythons

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Target:
    """`triple` is clang's, with the oldest C library that the wheel is to run on; `tags` are the wheel's."""

    triple: str
    machine: str
    tags: str


TARGETS = {
    "manylinux-x86_64": Target("x86_64-linux-gnu.2.17", "x86_64", "manylinux_2_17_x86_64.manylinux2014_x86_64"),
    "manylinux-aarch64": Target("aarch64-linux-gnu.2.17", "aarch64", "manylinux_2_17_aarch64.manylinux2014_aarch64"),
    "musllinux-x86_64": Target("x86_64-linux-musl", "x86_64", "musllinux_1_2_x86_64"),
    "musllinux-aarch64": Target("aarch64-linux-musl", "aarch64", "musllinux_1_2_aarch64"),
}
ABIS = ("abi3", "cp314t", "cp315t")     # every Python from 3.11 on; and free-threaded ones, each its own


def build_sdist(out: Path) -> Path:
    """The source distribution of the files that git knows, as they are now: nothing that an earlier build left behind
    gets into it, nor into a wheel."""
    with tempfile.TemporaryDirectory() as directory:
        source, built = copy_source(Path(directory, "source")), Path(directory, "built")
        built.mkdir()
        run("-c", f"import setuptools.build_meta as backend; backend.build_sdist({str(built)!r})", quiet=True,
            cwd=source, env=os.environ | {"SOURCE_DATE_EPOCH": epoch()})
        (sdist,) = built.glob("*.tar.gz")
        out.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(sdist, out / sdist.name))


def build_wheel(sdist: Path, name: str, out: Path, abi: str = "abi3", headers: Path | None = None) -> Path:
    """Build one wheel into `out` and return its path; `headers` are a free-threaded Python's. A step that fails says
    why and raises CalledProcessError or SystemExit."""
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        env = environment(target)
        tags = ["--platform-tag", target.tags]
        if headers:
            env |= free_threaded(target, abi, headers, work)
            tags += ["--python-tag", abi.removesuffix("t"), "--abi-tag", abi]
        run("-m", "pip", "wheel", str(sdist), "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(work),
            env=env)
        (wheel,) = work.glob("*.whl")
        run("-m", "wheel", "tags", "--remove", *tags, str(wheel), env=environment(target), quiet=True)
        (wheel,) = work.glob("*.whl")
        if found := audit.problems(wheel):
            raise SystemExit(f"{wheel.name}: {'; '.join(found)}")
        if abi == "abi3":
            run("-m", "abi3audit", "--strict", str(wheel), quiet=True)
        out.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(wheel, out / wheel.name))


def environment(target: Target) -> dict[str, str]:
    """What makes setuptools build for the target. The target is always spelled out, or this machine's own CPU would
    be built for; LDSHARED replaces Python's own, which may carry a path of this machine; CFLAGS name no instruction
    set."""
    compiler = f"{sys.executable} -m ziglang cc -target {target.triple}"
    return os.environ | {
        "CC": compiler,
        "LDSHARED": f"{compiler} -shared",
        "CFLAGS": "-O3 -g0 -fPIC",
        "CPPFLAGS": "",
        "LDFLAGS": "-s",
        "_PYTHON_HOST_PLATFORM": f"linux-{target.machine}",
        "SOURCE_DATE_EPOCH": epoch(),
    }


def free_threaded(target: Target, abi: str, headers: Path, work: Path) -> dict[str, str]:
    """What makes this Python build for another: its headers, and what sysconfig would say there, as CPython's own
    cross-builds have it."""
    version, library = abi.removeprefix("cp"), "musl" if "musl" in target.triple else "gnu"
    (work / "cross_sysconfig.py").write_text(f"""import importlib

host = importlib.import_module({sysconfig._get_sysconfigdata_name()!r}).build_time_vars
build_time_vars = host | {{
    "Py_GIL_DISABLED": 1,
    "SOABI": "cpython-{sys.version_info.major}{sys.version_info.minor}t",
    "EXT_SUFFIX": ".cpython-{version}-{target.machine}-linux-{library}.so",
}}
""")
    return {"CPPFLAGS": f"-I{headers}", "PYTHONPATH": str(work), "_PYTHON_SYSCONFIGDATA_NAME": "cross_sysconfig"}


def copy_source(to: Path) -> Path:
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.decode()
    for name in filter(None, files.split("\0")):
        if (ROOT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    return to


def epoch() -> str:
    """The time that everything built carries."""
    return os.environ.get("SOURCE_DATE_EPOCH") or subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def run(*arguments: str, quiet: bool = False, **settings: object) -> None:
    done = subprocess.run([sys.executable, *arguments], text=True,  # type: ignore[call-overload]
                          stdout=subprocess.PIPE if quiet else None, stderr=subprocess.STDOUT if quiet else None,
                          **settings)
    if done.returncode:
        sys.stderr.write(done.stdout or "")
        done.check_returncode()


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the source distribution and the Linux wheels.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all if left out")
    parser.add_argument("--abi", action="append", choices=ABIS, help="once or several times; all if left out")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where they go (default: dist)")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"unknown target {', '.join(sorted(unknown))}: choose from {', '.join(TARGETS)}")
    headers = {abi: None if abi == "abi3" else pythons.headers(f"3.{abi[3:-1]}") for abi in options.abi or ABIS}
    sdist = build_sdist(options.out)
    print(f"{sdist}  {sdist.stat().st_size / 1000:.0f} kB")
    for name in options.targets or TARGETS:
        for abi in headers:
            wheel = build_wheel(sdist, name, options.out, abi, headers[abi])
            print(f"{wheel}  {wheel.stat().st_size / 1000:.0f} kB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

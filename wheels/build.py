"""Builds the wheels for Linux, without containers: clang with every C library comes from the PyPI package ziglang.

`python wheels/build.py [--out DIR] [TARGET…]` builds one cp311-abi3 wheel a target and audits it. What the build needs
is the extra "wheels". Equal sources give equal bytes: times are the last commit's, or SOURCE_DATE_EPOCH.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import audit

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


def build(name: str, out: Path) -> Path:
    """Build one wheel into `out` and return its path. A step that fails says why and raises CalledProcessError or
    SystemExit."""
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        source, env = copy_source(work / "source"), environment(target)
        run("pip", "wheel", ".", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(work),
            cwd=source, env=env)
        (wheel,) = work.glob("*.whl")
        run("wheel", "tags", "--remove", "--platform-tag", target.tags, str(wheel), env=env, quiet=True)
        (wheel,) = work.glob("*.whl")
        if found := audit.problems(wheel):
            raise SystemExit(f"{wheel.name}: {'; '.join(found)}")
        run("abi3audit", "--strict", str(wheel), quiet=True)
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
        "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH") or last_commit_time(),
    }


def copy_source(to: Path) -> Path:
    """The files that git knows, as they are now: nothing that an earlier build left behind gets into a wheel."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.decode()
    for name in filter(None, files.split("\0")):
        if (ROOT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    return to


def last_commit_time() -> str:
    return subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, capture_output=True,
                          text=True).stdout.strip()


def run(module: str, *arguments: str, quiet: bool = False, **settings: object) -> None:
    done = subprocess.run([sys.executable, "-m", module, *arguments], text=True,  # type: ignore[call-overload]
                          stdout=subprocess.PIPE if quiet else None, stderr=subprocess.STDOUT if quiet else None,
                          **settings)
    if done.returncode:
        sys.stderr.write(done.stdout or "")
        done.check_returncode()


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the Linux wheels.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all if left out")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the wheels go (default: dist)")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"unknown target {', '.join(sorted(unknown))}: choose from {', '.join(TARGETS)}")
    for name in options.targets or TARGETS:
        wheel = build(name, options.out)
        print(f"{wheel}  {wheel.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Tries wheels the way their users will: in a fresh environment of each Python here, on older CPUs, on aarch64.

`python wheels/check.py DIST` takes the wheels from `wheels/build.py`. Emulated CPUs need qemu-user; aarch64 also
apt-get on a Debian or Ubuntu, from whose packages an arm64 Python is unpacked into a temporary folder. What can't be
had is said, with the line that gets it; with CI set in the environment it is a failure.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

# Run in the installed wheel: every kernel that the CPU offers answers right, and one real search finds what it must.
PROBE = """
import hashlib, os, platform
from miner import _native
from miner.core.algorithm import Algorithm
from miner.engine import choose_kernel

for name in ("scrypt:64", "sha256d"):
    algorithm = Algorithm.parse(name)
    for kernel in _native.kernels(algorithm.name):
        assert _native.selftest(algorithm.name, kernel), (name, kernel)
        epoch, header = _native.Epoch(), os.urandom(80)
        searcher = _native.Searcher(algorithm.name, algorithm.n, kernel)
        hits, done, nonces = [], 0, 300
        while done < nonces:
            found, more = searcher.search(header, b"\\xff" * 31 + b"\\x0f", done, nonces - done, epoch, 0)
            hits, done = hits + found, done + more
        expected = [n for n in range(nonces) if algorithm.hash(header[:76] + n.to_bytes(4, "little"))[31] <= 15]
        assert [nonce for nonce, _ in hits] == expected, (name, kernel)
print(f"Python {platform.python_version()} on {platform.machine()}: "
      + "; ".join(f"{a} {', '.join(_native.kernels(a))}; chosen {choose_kernel(Algorithm.parse(a))}"
                  for a in ("scrypt", "sha256d")))
"""
# The oldest CPU with the kernels between the portable one and AVX2, the oldest with AVX2, and all that qemu knows.
X86_CPUS = {"Nehalem": "sse", "Haswell": "avx2", "max": "avx2"}
PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14")


def check_venvs(wheel: Path, work: Path) -> Iterator[str]:
    """Install into a fresh environment of each Python and try it there."""
    for number, python in enumerate(pythons()):
        home = work / f"venv{number}"
        call(python, "-m", "venv", str(home))
        call(str(home / "bin/python"), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel))
        yield call(str(home / "bin/python"), "-c", PROBE)


def check_cpus(wheel: Path, work: Path) -> Iterator[str]:
    """Each emulated CPU must choose a kernel of its own without an illegal instruction."""
    package = unpacked(wheel, work / "x86_64")
    for cpu, expected in X86_CPUS.items():
        said = call("qemu-x86_64", "-cpu", cpu, os.path.realpath(sys.executable), "-c", PROBE, path=package)
        assert expected in said, f"{cpu} runs no {expected} kernel: {said}"
        yield f"-cpu {cpu}: {said}"


def check_aarch64(wheel: Path, work: Path) -> Iterator[str]:
    root, package = arm64_root(work / "arm64"), unpacked(wheel, work / "aarch64")
    (python,) = (root / "usr/bin").glob("python3.[0-9][0-9]")
    yield call("qemu-aarch64", "-L", str(root), str(python), "-c", PROBE, path=package)


def arm64_root(directory: Path) -> Path:
    """Debian's arm64 Python and its libraries, unpacked into a folder, with package lists of its own."""
    root, archives = directory / "root", directory / "cache/archives"
    for folder in (root, archives / "partial", directory / "state/lists/partial"):
        folder.mkdir(parents=True)
    (directory / "state/status").touch()
    config = directory / "apt.conf"
    config.write_text(f"""APT::Architecture "arm64";
APT::Architectures {{ "arm64"; }};
APT::Sandbox::User "{os.environ.get('USER', 'root')}";
Dir::State "{directory}/state";
Dir::State::status "{directory}/state/status";
Dir::Cache "{directory}/cache";
""")
    apt = ["env", f"APT_CONFIG={config}", "apt-get", "-qq"]
    call(*apt, "update")
    call(*apt, "install", "--download-only", "--no-install-recommends", "--yes", "python3-minimal", "libpython3-stdlib")
    for package in archives.glob("*.deb"):
        call("dpkg", "--extract", str(package), str(root))
    return root


def unpacked(wheel: Path, to: Path) -> Path:
    shutil.unpack_archive(wheel, to, "zip")
    return to


def pythons() -> list[str]:
    """One of each version on PATH that starts; a version manager's stand-ins for versions it has not got don't."""
    found = [path for name in PYTHONS if (path := shutil.which(name))
             and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0]
    return found or [sys.executable]


def call(*command: str, path: Path | None = None) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MINER_"))}
    if path:
        env["PYTHONPATH"] = str(path)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:4])} … failed ({done.returncode}):\n{done.stderr[-3000:]}")
    return done.stdout.strip()


CHECKS: list[tuple[str, Callable[[Path, Path], Iterator[str]], list[str]]] = [
    ("manylinux*x86_64", check_venvs, []),
    ("manylinux*x86_64", check_cpus, ["qemu-x86_64"]),
    ("manylinux*aarch64", check_aarch64, ["qemu-aarch64", "apt-get", "dpkg"]),
]


def main() -> int:
    parser = argparse.ArgumentParser(description="Try the Linux wheels.")
    parser.add_argument("dist", type=Path, help="the folder that holds them")
    dist = parser.parse_args().dist
    missing = False
    for pattern, check, programs in CHECKS:
        wheels = sorted(dist.glob(f"sparkminer-*{pattern}.whl"))
        if not wheels:
            parser.error(f"no wheel {pattern} in {dist}: run wheels/build.py --out {dist}")
        if lacking := [program for program in programs if not shutil.which(program)]:
            print(f"not tried: {check.__name__} needs {', '.join(lacking)}: apt-get install qemu-user")
            missing = True
            continue
        with tempfile.TemporaryDirectory() as work:
            for line in check(wheels[-1], Path(work)):
                print(line, flush=True)
    return 1 if missing and os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())

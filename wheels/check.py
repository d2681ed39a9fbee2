"""Tries what `wheels/build.py` made as its users will: on every Python, older CPUs, aarch64, musl, without the GIL.

`python wheels/check.py DIST`. Pythons that this machine lacks come from `wheels/pythons.py`, emulated CPUs from
qemu-user. What isn't there is said, with the line that gets it; with CI set in the environment it is a failure.
"""

import argparse
import functools
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import build
import pythons

from miner.core.algorithm import Algorithm

PROBE = Path(__file__).parent / "probe.py"
HEADER, TARGET, NONCES = bytes(range(80)), b"\xff" * 31 + b"\x0f", 300
# The oldest CPU with the kernels between the portable one and AVX2, the oldest with AVX2, and all that qemu knows.
X86_CPUS = {"Nehalem": "sse", "Haswell": "avx2", "max": "avx2"}
HOST_PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14", "python3.15", "python3.14t", "python3.15t")
OTHER_SYSTEMS = ("x86_64-macos", "aarch64-macos", "x86_64-windows-gnu", "aarch64-windows-gnu")
MAX_BUNDLE_BYTES = 1_000_000
QEMU = "apt-get install qemu-user"


class Missing(Exception):
    """What isn't there, and how to get it."""


def check_descriptions(dist: Path, work: Path) -> Iterator[str]:
    """What a package index would say of them."""
    files = [str(path) for path in sorted(dist.glob("sparkminer-*"))]
    call(sys.executable, "-m", "twine", "check", "--strict", *files)
    yield f"twine check: {len(files)} files are as an index wants them"


def check_rebuilt(dist: Path, work: Path) -> Iterator[str]:
    """The same bytes once more, from the same sources."""
    sdist = build.build_sdist(work)
    again = build.build_wheel(sdist, "manylinux-x86_64", work)
    for path in (sdist, again):
        if path.read_bytes() != (dist / path.name).read_bytes():
            raise SystemExit(f"{path.name} has other bytes when it is built once more")
        yield f"built twice, the same bytes: {path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"


def check_bundle(dist: Path, work: Path) -> Iterator[str]:
    """The zip for a cluster of both architectures, made by the wheel's own command."""
    own, foreign = the_wheel(dist, "manylinux*x86_64"), the_wheel(dist, "manylinux*aarch64")
    bundle = work / "bundle.zip"
    call(sys.executable, "-m", "miner.spark.ship", str(bundle), str(foreign), path=unpacked(own, work / "own"))
    if (size := bundle.stat().st_size) > MAX_BUNDLE_BYTES:
        raise SystemExit(f"the bundle for two architectures has {size} bytes, more than {MAX_BUNDLE_BYTES}")
    yield f"bundle for x86-64 and aarch64: {size / 1000:.0f} kB"
    yield f"in it: {call(sys.executable, '-S', *probe(), path=bundle)}"
    yield f"in it: {call(*found('debian-aarch64'), *probe(), path=bundle)}"


def check_import(dist: Path, work: Path) -> Iterator[str]:
    """How long `import miner` takes, in this process's CPU time: said, not judged, since machines differ."""
    package = unpacked(the_wheel(dist, "manylinux*x86_64"), work / "package")
    code = "import time; start = time.process_time(); import miner; print(time.process_time() - start)"
    times = [float(call(sys.executable, "-S", "-c", code, path=package)) * 1000 for _ in range(9)]
    median = statistics.median(times)
    yield f"import miner: {median:.1f} ms (median of {len(times)}; {min(times):.1f} to {max(times):.1f})"


def check_other_systems(dist: Path, work: Path) -> Iterator[str]:
    """The C core is a library for systems whose wheels only hosted CI can build."""
    sources = [str(path) for path in sorted((build.ROOT / "csrc").glob("*.c"))]
    for system in OTHER_SYSTEMS:
        call(sys.executable, "-m", "ziglang", "cc", "-target", system, "-std=gnu11", "-O0", "-Werror", "-shared",
             "-o", str(work / "core"), *sources)
        yield f"the C core compiles and links for {system}"


def check_venvs(dist: Path, work: Path) -> Iterator[str]:
    """Let pip choose for a fresh environment of each Python on PATH, free-threaded or not, and try that there."""
    for number, python in enumerate(host_pythons()):
        home = work / f"venv{number}"
        call(python, "-m", "venv", str(home))
        call(str(home / "bin/python"), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--only-binary",
             "sparkminer", "--find-links", str(dist), "sparkminer")
        yield call(str(home / "bin/python"), *probe())


def check_cpus(dist: Path, work: Path) -> Iterator[str]:
    """Each emulated CPU must choose a kernel of its own without an illegal instruction."""
    need("qemu-x86_64", QEMU)
    package = unpacked(the_wheel(dist, "manylinux*x86_64"), work / "package")
    for cpu, expected in X86_CPUS.items():
        said = call("qemu-x86_64", "-cpu", cpu, os.path.realpath(sys.executable), *probe(), path=package)
        if expected not in said:
            raise SystemExit(f"{cpu} runs no {expected} kernel: {said}")
        yield f"-cpu {cpu}: {said}"


def check_python(name: str, dist: Path, work: Path) -> Iterator[str]:
    """One of the Pythons that were got for this."""
    command, python = found(name), pythons.PYTHONS[name]
    package = unpacked(the_wheel(dist, f"{python.family}*{python.machine}"), work / "package")
    yield f"{name}: {call(*command, *probe(), path=package)}"


def check_free_threaded(dist: Path, work: Path) -> Iterator[str]:
    """A module built as those for free-threaded Pythons are leaves the GIL off, also where none of these is on PATH."""
    (python,) = found("free-threaded")
    abi = call(python, "-c", "import sys; print('cp%d%dt' % sys.version_info[:2])")
    headers = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('include'))"))
    wheel = build.build_wheel(next(dist.glob("*.tar.gz")), "manylinux-x86_64", work, abi, headers)
    yield call(python, *probe(), path=unpacked(wheel, work / "package"))


def check_refused(dist: Path, work: Path) -> Iterator[str]:
    """On a free-threaded Python the abi3 wheel is refused by pip, and its module, in a bundle, by the package."""
    abi3 = the_wheel(dist, "manylinux*x86_64")
    call(sys.executable, "-m", "miner.spark.ship", str(work / "bundle.zip"), path=unpacked(abi3, work / "abi3"))
    for python in found("free-threaded") + [path for path in host_pythons() if path.endswith("t")]:
        refused = call(sys.executable, "-m", "pip", "--python", python, "install", "--no-index", "--no-deps",
                       "--target", str(work / "refused"), str(abi3), fails="is not a supported wheel on this platform")
        yield f"pip for {Path(python).name}: {refused}"
        refused = call(python, "-c", "import miner._native", path=work / "bundle.zip",
                       fails="has no native module for linux-x86_64 and free-threaded Python")
        yield f"a bundle there: {refused}"


def probe() -> list[str]:
    """What a Python is to run, with the answers that hashlib gives here."""
    expected = [(str(algorithm), [nonce for nonce in range(NONCES) if algorithm.hash(
        HEADER[:76] + nonce.to_bytes(4, "little"))[::-1] <= TARGET[::-1]])
        for algorithm in map(Algorithm.parse, ("scrypt:64", "sha256d"))]
    task = {"header": HEADER.hex(), "target": TARGET.hex(), "nonces": NONCES, "expected": expected}
    return [str(PROBE), json.dumps(task)]


def the_wheel(dist: Path, platform: str) -> Path:
    wheels = sorted(dist.glob(f"sparkminer-*-abi3-{platform}.whl"))
    if len(wheels) != 1:
        raise SystemExit(f"{len(wheels)} abi3 wheels for {platform} in {dist}: empty it and run wheels/build.py")
    return wheels[0]


def unpacked(wheel: Path, to: Path) -> Path:
    shutil.unpack_archive(wheel, to, "zip")
    return to


def host_pythons() -> list[str]:
    """One of each version, on PATH or kept by pyenv, that starts: pyenv's stand-ins on PATH often don't."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv").glob("versions/*/bin")
    folders = [*os.get_exec_path(), *map(str, pyenv)]
    found = [next(filter(starts, (path for folder in folders if (path := shutil.which(name, path=folder)))), "")
             for name in HOST_PYTHONS]
    return list(filter(None, found)) or [sys.executable]


def starts(python: str) -> bool:
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def found(name: str) -> list[str]:
    command = pythons.command(name)
    if not command:
        raise Missing(f"the Python {name} is not there: python wheels/pythons.py {name}")
    if command[0].startswith("qemu-"):
        need(command[0], QEMU)
    return command


def need(program: str, how_to_get: str) -> None:
    if not shutil.which(program):
        raise Missing(f"{program} is not there: {how_to_get}")


def call(*command: str, path: Path | None = None, fails: str = "") -> str:
    """What it printed; with `fails`, the line of its complaint that has these words."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MINER_"))}
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    if path:
        env |= {"PYTHONPATH": str(path), "XDG_CACHE_HOME": str(path.parent)}    # where a bundle unpacks to
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600, check=False)
    if complaint := [line for line in done.stderr.splitlines() if fails and fails in line and done.returncode]:
        return complaint[0]
    if done.returncode or fails:
        expected = f", not saying {fails!r}" if fails else ""
        raise SystemExit(f"{' '.join(command[:4])} … ended with {done.returncode}{expected}:\n{done.stderr[-3000:]}")
    return done.stdout.strip()


CHECKS = [check_descriptions, check_rebuilt, check_bundle, check_import, check_other_systems, check_venvs,
          check_cpus,
          *(functools.partial(check_python, name) for name in pythons.PYTHONS if name != "free-threaded"),
          check_free_threaded, check_refused]


def main() -> int:
    parser = argparse.ArgumentParser(description="Try the source distribution and the Linux wheels.")
    parser.add_argument("dist", type=Path, help="the folder that holds them")
    dist = parser.parse_args().dist
    missing = False
    for check in CHECKS:
        with tempfile.TemporaryDirectory() as work:
            try:
                for line in check(dist, Path(work)):
                    print(line, flush=True)
            except Missing as reason:
                print(f"not tried: {reason}", flush=True)
                missing = True
    return 1 if missing and os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())

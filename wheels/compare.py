"""What the wheel hashes beside a build from source on this machine, kernel by kernel.

`python wheels/compare.py [--seconds S] [--rounds R] [--cpu N]` builds the manylinux wheel's module (clang, by
`wheels/build.py`) and one as `pip install .` does (this system's compiler) and measures them in turn, each time in
a process of its own on one CPU. Of the rounds it takes the median. It judges nothing: speeds vary with the machine.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import build

# In a process of its own for each build: hashes for each second of its CPU time, which other programs don't count in.
MEASURE = """
import sys, time
from miner import _native
from miner.core.algorithm import Algorithm
algorithm, seconds = Algorithm.parse(sys.argv[1]), float(sys.argv[2])
name = algorithm.name
for kernel in _native.kernels(name):
    searcher, epoch = _native.Searcher(name, algorithm.parameters, kernel), _native.Epoch()
    header, target = bytes(80), bytes(32)
    searcher.search(header, target, 0, 2 * _native.kernel_lanes(name, kernel), epoch, 0)
    hashes, batch, start = 0, 4096 if algorithm.memory else 1 << 18, time.thread_time()
    while (spent := time.thread_time() - start) < seconds:
        hashes += searcher.search(header, target, hashes % (1 << 31), batch, epoch, 0)[1]
    print(kernel, hashes / spent)
"""
ALGORITHMS = "scrypt", "sha256d"


def wheel_module(work: Path) -> Path:
    name = f"manylinux-{platform.machine()}"
    return unpacked(build.build_wheel(build.build_sdist(work), name, work), work / "wheel")


def source_module(work: Path) -> Path:
    """Without any of the settings that an environment might hold."""
    sdist, out = build.build_sdist(work), work / "source-wheel"
    env = {key: value for key, value in os.environ.items() if key not in ("CC", "CFLAGS", "LDFLAGS", "LDSHARED")}
    build.run("-m", "pip", "wheel", str(sdist), "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out),
              env=env)
    return unpacked(next(out.glob("*.whl")), work / "source")


def unpacked(wheel: Path, to: Path) -> Path:
    shutil.unpack_archive(wheel, to, "zip")
    return to


def measure(package: Path, algorithm: str, seconds: float) -> dict[str, float]:
    """Hashes a second of each kernel that this CPU runs."""
    done = subprocess.run([sys.executable, "-c", MEASURE, algorithm, str(seconds)],
                          env=os.environ | {"PYTHONPATH": str(package)}, check=True, stdout=subprocess.PIPE, text=True)
    return {kernel: float(rate) for kernel, rate in map(str.split, done.stdout.splitlines())}


def compare(wheel: Path, source: Path, algorithm: str, rounds: int, seconds: float) -> None:
    rates: dict[Path, list[dict[str, float]]] = {wheel: [], source: []}
    for number in range(rounds):
        for package in (wheel, source) if number % 2 else (source, wheel):      # neither is always the first
            rates[package].append(measure(package, algorithm, seconds))
    for kernel in rates[wheel][0]:
        ours, pips = (statistics.median(found[kernel] for found in rates[package]) for package in (wheel, source))
        print(f"{algorithm:8} {kernel:14} {ours / 1000:12.2f} {pips / 1000:12.2f} {pips / ours:9.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the wheel's hashrate with that of a build from source.")
    parser.add_argument("--seconds", type=float, default=0.3, help="CPU time for each kernel in a round (default: 0.3)")
    parser.add_argument("--rounds", type=int, default=7, help="of which the median is taken (default: 7)")
    parser.add_argument("--cpu", type=int, help="the CPU to measure on (default: any, as the system likes)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        wheel, source = wheel_module(Path(directory)), source_module(Path(directory))
        if options.cpu is not None:
            os.sched_setaffinity(0, {options.cpu})
        compiler = subprocess.run([*(sysconfig.get_config_var("CC") or "cc").split(), "--version"], check=True,
                                  capture_output=True, text=True).stdout.splitlines()[0]
        print(f"kH/s of one thread; source: {compiler}")
        print(f"{'':23} {'wheel':>12} {'source':>12} {'of wheel':>9}", flush=True)
        for algorithm in ALGORITHMS:
            compare(wheel, source, algorithm, options.rounds, options.seconds)


if __name__ == "__main__":
    main()

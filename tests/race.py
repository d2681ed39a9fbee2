"""Each kernel of this CPU beside minerd and cpuminer-opt, on one thread, in hashes per second of CPU time.

    python race.py [--minerd PROGRAM] [--cpuminer-opt PROGRAM] [--seconds N] [--turns N]

From tests/, or `make race MINERD=… CPUMINER_OPT=…`. The programs take turns on one CPU, in the same scheduling class
and with the same nice value, whatever they asked for. A figure is the median of the turns with its lowest and highest;
a ratio is the median of the turns' own ratios, so that what else the machine does hits both sides. Other programs take
no CPU time from a thread, but one that shares its core does: so a race is told with the load that there was.

minerd takes the best code that it has for the CPU. cpuminer-opt has what its compiler was told to build, which it shows
at its start. Both stand beside each of our kernels, so its instruction set says against which the comparison is fair.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from miner import _native, benchmark
from miner.config import EngineConfig
from miner.core.errors import UsageError
from miner.engine.cpus import allowed_cpus
from miner.front.report import rate, table

INSTRUCTION_SETS = {
    "avx512_shani": "AVX-512 and SHA", "avx512": "AVX-512", "avx512vl": "AVX-512, 256 bits", "shani": "SHA",
    "avx2": "AVX2", "sse41": "SSE4.1", "sse2": "SSE2", "armv8": "ARMv8 SHA2", "neon": "NEON", "portable": "none"}
PEER_ARGUMENTS = ["--benchmark", "-t", "1", "-s", "1", "-a"]
MORE_ARGUMENTS = {"cpuminer-opt": ["--hash-meter"]}  # without which newer ones tell totals alone
METER = re.compile(r"thread 0\b.*?([0-9.]+) ([kMG]?)h(?:ash)?/s", re.IGNORECASE)
SCALE = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
PATIENCE = 60.0  # seconds for a peer's first figures


def ours(algorithm: str, kernel: str, seconds: float) -> float:
    """Hashes per second of CPU time of one kernel, with all that Python costs."""
    result = benchmark(algorithm, seconds=seconds, engine=EngineConfig(threads=1, kernel=kernel, pin=False, nice=None))
    return result.hashes / result.cpu_seconds


def peer(command: list[str], seconds: float) -> float:
    """Hashes per second of CPU time of a miner that tells its rate line by line. A line's rate holds for the time since
    the line before; the first two are of a warm-up."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    assert process.stdout is not None
    hashes, started, last, seen = 0.0, 0.0, 0.0, 0
    give_up = time.monotonic() + PATIENCE + 10 * seconds
    try:
        for line in process.stdout:
            if not (figure := METER.search(line)):
                if time.monotonic() > give_up:
                    break
                continue
            now, seen = time.monotonic(), seen + 1
            if seen <= 2:
                level(process.pid)
                started = cpu_seconds(process.pid)
            else:
                hashes += float(figure[1]) * SCALE[figure[2].lower()] * (now - last)
                if (used := cpu_seconds(process.pid) - started) >= seconds:
                    return hashes / used
            last = now
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    raise SystemExit(f"{command[0]} told no hashrates: {' '.join(command)}")


def tasks(pid: int) -> list[Path]:
    return sorted(Path(f"/proc/{pid}/task").iterdir())


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks(pid)) * 1e-9


def level(pid: int) -> None:
    """Give all threads of a process this one's scheduling class and nice value; some miners choose lower ones."""
    for task in tasks(pid):
        os.sched_setscheduler(int(task.name), os.sched_getscheduler(0), os.sched_getparam(0))
        os.setpriority(os.PRIO_PROCESS, int(task.name), os.getpriority(os.PRIO_PROCESS, 0))


def race(algorithm: str, peers: dict[str, str], seconds: float, turns: int) -> list[list[str]]:
    """A row for each kernel and each peer."""
    runners: dict[str, Callable[[], float]] = {
        kernel: lambda kernel=kernel: ours(algorithm, kernel, seconds)  # type: ignore[misc]
        for kernel in _native.kernels(algorithm)}
    for name, program in peers.items():
        command = [program, *PEER_ARGUMENTS, algorithm, *MORE_ARGUMENTS.get(name, [])]
        runners[name] = lambda command=command: peer(command, seconds)  # type: ignore[misc]
    rates: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(turns):
        for name, run in runners.items():
            rates[name].append(run())

    def beside(name: str, other: str) -> str:
        ratio = statistics.median(one / two for one, two in zip(rates[name], rates[other], strict=True))
        return "" if name in peers else f"{ratio:.2f}"

    return [[algorithm, name, INSTRUCTION_SETS.get(name, ""), rate(statistics.median(rates[name])),
             f"{rate(min(rates[name]))} to {rate(max(rates[name]))}", *(beside(name, other) for other in peers)]
            for name in runners]


def main() -> None:
    parser = argparse.ArgumentParser(prog="race", description=__doc__.partition("\n")[0])
    parser.add_argument("--minerd", default="", metavar="PROGRAM")
    parser.add_argument("--cpuminer-opt", default="", metavar="PROGRAM")
    parser.add_argument("--seconds", type=float, default=1.0, help="of CPU time of each turn (default: 1)")
    parser.add_argument("--turns", type=int, default=7, help="(default: 7)")
    parser.add_argument("-a", "--algo", action="append", help="scrypt or sha256d (default: both)")
    options = parser.parse_args()
    named = {"minerd": options.minerd, "cpuminer-opt": options.cpuminer_opt}
    peers = {name: program for name, program in named.items() if program}
    for program in peers.values():
        if not os.access(program, os.X_OK) or not Path(program).is_file():
            parser.error(f"{program} is no program")
    if sys.platform != "linux":
        raise UsageError("a race reads threads' CPU time from Linux's /proc")
    os.sched_setaffinity(0, allowed_cpus()[:1])
    load = os.getloadavg()[0]
    rows = [row for algorithm in options.algo or ["sha256d", "scrypt"]
            for row in race(algorithm, peers, options.seconds, options.turns)]
    heads = ["algorithm", "kernel", "instruction set", "median", "from and to", *(f"× {name}" for name in peers)]
    print(*table(heads, rows), sep="\n")
    print(f"{options.turns} turns of {options.seconds:g} s of CPU time, one thread, CPU {allowed_cpus()[0]}; load "
          f"{load:.1f} before and {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()

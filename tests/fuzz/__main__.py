"""Fuzz what reads bytes from outside, guided by coverage (Atheris, which is libFuzzer for Python); and the kernels.

    python -m fuzz [--seconds N] [TARGET ...]     # from tests/, or `make fuzz`

Each target runs in a process of its own. A crash, an input that takes longer than 10 seconds, and memory that grows
beyond bounds end it with status 1, and the input is left in build/fuzz/.
"""

import argparse
import subprocess
import sys
from pathlib import Path

FINDINGS = Path(__file__).parents[2] / "build" / "fuzz"
HANG_SECONDS = 10
GROWTH_MB = 128  # beyond what it has after the seeds; what the fuzzer itself keeps is some tens


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="for each target (default: 60)")
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run(options.targets[0], options.seconds)
    from fuzz.targets import TARGETS  # not before `run`, which wants to instrument what it imports

    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}: there are {', '.join(TARGETS)}")
    failed = [name for name in options.targets or TARGETS if subprocess.run(
        [sys.executable, "-m", "fuzz", "--one", name, "--seconds", str(options.seconds)], check=False,
        timeout=options.seconds + 300).returncode]
    for name in failed:
        print(f"{name}: a finding, see {FINDINGS / name}")
    return 1 if failed else 0


def run(name: str, seconds: int) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["miner", "python_socks"]):
        import fuzz.targets
    target = fuzz.targets.TARGETS[name]
    folder = FINDINGS / name
    seeds = folder / "seeds"
    seeds.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (seeds / str(number)).write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word.encode())}"\n' for word in target.words))
    baseline = 0
    runs = 0

    def one_input(data: bytes) -> None:
        nonlocal baseline, runs
        target.run(data)
        runs += 1
        if runs == 20_000:
            baseline = resident_mb()
        elif baseline and runs % 10_000 == 0 and resident_mb() > baseline + GROWTH_MB:
            raise MemoryError(f"{resident_mb() - baseline} MB more than after 20000 inputs")

    arguments = [sys.argv[0], f"-max_total_time={seconds}", f"-timeout={HANG_SECONDS}", "-max_len=20000",
                 "-rss_limit_mb=1024", f"-dict={words}", f"-artifact_prefix={folder}/", "-print_final_stats=1",
                 "-verbosity=0", str(seeds)]
    target.run(b"")  # what it does once takes its own time
    atheris.Setup(arguments, one_input)
    atheris.Fuzz()


def _escaped(data: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)


def resident_mb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 >> 20


if __name__ == "__main__":
    sys.exit(main())

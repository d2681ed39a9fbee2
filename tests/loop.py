"""From a changed file to the end of a test (`make loop`): seconds by the clock, and of the CPU.

Each file is only touched: `make build` compiles what is newer than its object, whatever is in it.
"""

import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
CHANGED = ("", "csrc/search.c", "csrc/sha256d_avx2.c", "csrc/scrypt_avx512.c", "src/miner/_native.pyx")
TEST = "tests/test_native.py::test_every_kernel_passes_its_self_test"


def timed(*command: str) -> tuple[float, float]:
    """Run a command that must succeed: seconds that have passed, and seconds of CPU that it took."""
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - started, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    print(f"{'changed':24}  build   test   both    CPU")
    for name in CHANGED:
        if name:
            (ROOT / name).touch()
        build, build_cpu = timed("make", "--no-print-directory", "build")
        test, test_cpu = timed(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TEST)
        taken = (build, test, build + test, build_cpu + test_cpu)
        print(f"{name or 'nothing':24}" + "".join(f"{seconds:5.1f} s " for seconds in taken), flush=True)


if __name__ == "__main__":
    main()

"""How many instructions each kernel takes for a hash, counted on emulated CPUs: those of aarch64, where the figures say
what a machine that isn't here will do, and those of x86-64 that the emulator knows.

    python counts.py     # from tests/, or `make counts`: no timing, so the machine may do something else meanwhile

A plugin of qemu counts them (csrc/count_plugin.c). Two searches of different length are counted, and their difference
is what the batches between them took: starting and ending cancel out.
"""

import platform
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ccore import ROOT, aarch64_compiler, build, compiler, emulator
from counterparts import require

BATCHES = {"sha256d": (8, 16)}  # of the two searches; others are slow: (1, 2)
FLAGS = ["-O3", "-g0"]


@dataclass(frozen=True, slots=True)
class Count:
    algorithm: str
    kernel: str
    lanes: int
    instructions: float  # a hash


def counts(emulated: list[str], program: Path, algorithms: Sequence[str] = ()) -> Iterator[Count]:
    """Instructions a hash of every kernel that the emulated CPU can run, or only of those of some algorithms. The
    plugin that counts is built into the program's directory."""
    counting = [*emulated, "-plugin", str(_plugin(emulated[0], program.parent))]
    told = subprocess.run([*emulated, program], capture_output=True, text=True, check=True, timeout=60).stdout
    for algorithm, kernel, lanes in map(str.split, told.splitlines()):
        if not algorithms or algorithm in algorithms:
            few, more = BATCHES.get(algorithm, (1, 2))
            between = (_executed([*counting, program, algorithm, kernel, str(more)])
                       - _executed([*counting, program, algorithm, kernel, str(few)]))
            yield Count(algorithm, kernel, int(lanes), between / (more - few) / int(lanes))


def _plugin(qemu: str, folder: Path) -> Path:
    version, known = (subprocess.run([qemu, option], capture_output=True, text=True, check=True, timeout=60).stdout
                      for option in ("--version", "-help"))
    require("a qemu that takes plugins", "-plugin" in known, "one that is linked dynamically")
    interface = 1 if int(version.split()[2].partition(".")[0]) < 9 else 2
    plugin, source = folder / "count_plugin.so", ROOT / "tests/csrc/count_plugin.c"
    subprocess.run([*compiler(), "-O2", "-Wall", "-Wextra", "-Werror", f"-DAPI_VERSION={interface}", "-shared", "-fPIC",
                    source, "-o", plugin], check=True, timeout=60)
    return plugin


def _executed(command: list[str | Path]) -> int:
    """Instructions from the program's start to its end."""
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stderr)


def main() -> None:
    compilers: dict[str, Callable[[], list[str]]] = {"aarch64": aarch64_compiler}
    if platform.machine() == "x86_64":
        compilers["x86_64"] = compiler
    with tempfile.TemporaryDirectory() as folder:
        for architecture, cc in compilers.items():
            program = build(cc(), FLAGS, "count_core.c", Path(folder) / architecture)
            found = list(counts(emulator(architecture), program))
            portable = {count.algorithm: count.instructions for count in found if count.kernel == "portable"}
            for count in found:
                print(f"{architecture:8} {count.algorithm:8} {count.kernel:12} {count.lanes:3} lanes "
                      f"{count.instructions:12,.0f} instructions a hash   "
                      f"{count.instructions / portable[count.algorithm]:6.1%} of portable", flush=True)


if __name__ == "__main__":
    main()

"""Builds and runs the C test program, as shipped and under the sanitizers.

MINER_TEST_EXHAUSTIVE=1 compares every sha256d kernel with the portable one over 2**24 nonces instead of 2**18.
"""

import os
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from counterparts import IN_CI, require

ROOT = Path(__file__).parent.parent
SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
NONCES = 1 << 24 if os.environ.get("MINER_TEST_EXHAUSTIVE") else 1 << 18


def compiler() -> list[str]:
    named = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    found = shutil.which(named[0]) or shutil.which("cc")
    return [require("a C compiler", found, "apt-get install gcc"), *named[1:]]


def build(flags: list[str], program: Path) -> None:
    sources = sorted((ROOT / "csrc").glob("*.c"))
    command = [
        *compiler(),
        "-std=gnu11",
        "-Wall",
        "-Wextra",
        *(["-Werror"] if IN_CI else []),
        *flags,
        f"-I{ROOT / 'csrc'}",
        "-pthread",
    ]
    command += [*map(str, sources), str(ROOT / "tests/csrc/test_core.c"), "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=170)
    assert built.returncode == 0, built.stderr


@pytest.mark.parametrize(("flags", "nonces"), [(["-O3"], NONCES), (SANITIZE, 1 << 12)], ids=["shipped", "sanitized"])
@pytest.mark.timeout(400)
def test_the_c_core(flags: list[str], nonces: int, tmp_path: Path) -> None:
    program = tmp_path / "test_core"
    build(flags, program)
    ran = subprocess.run([program, str(nonces)], capture_output=True, text=True, timeout=200)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "sha256d portable: good" in ran.stdout
    assert "scrypt portable: good" in ran.stdout

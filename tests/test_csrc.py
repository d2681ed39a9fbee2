"""Builds and runs the C test program, as shipped and under the sanitizers.

MINER_TEST_EXHAUSTIVE=1 compares every sha256d kernel with the portable one over 2**24 nonces instead of 2**16.
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
SANITIZE = ["-Og", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
NONCES = 1 << 24 if os.environ.get("MINER_TEST_EXHAUSTIVE") else 1 << 16


def compiler() -> list[str]:
    named = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    found = shutil.which(named[0]) or shutil.which("cc")
    return [require("a C compiler", found, "apt-get install gcc"), *named[1:]]


def build(compiler: list[str], flags: list[str], program: Path) -> None:
    warnings = ["-Wall", "-Wextra", *(["-Werror"] if IN_CI else [])]
    sources = [*sorted((ROOT / "csrc").glob("*.c")), ROOT / "tests/csrc/test_core.c"]
    command = [*compiler, "-std=gnu11", *warnings, *flags, f"-I{ROOT / 'csrc'}", "-pthread", *map(str, sources)]
    built = subprocess.run([*command, "-o", str(program)], capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr


def run(command: list[str | Path]) -> list[str]:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.splitlines()


@pytest.mark.parametrize(("flags", "nonces"), [(["-O3"], NONCES), (SANITIZE, 1 << 10)], ids=["shipped", "sanitized"])
@pytest.mark.timeout(600)
def test_the_c_core(flags: list[str], nonces: int, tmp_path: Path) -> None:
    build(compiler(), flags, tmp_path / "test_core")
    said = run([tmp_path / "test_core", str(nonces)])
    assert {"sha256d portable: good", "scrypt portable: good"} <= set(said)


@pytest.mark.timeout(600)
def test_the_c_core_for_aarch64(tmp_path: Path) -> None:
    """Cross-compiled, on an emulated CPU with the SHA-2 instructions."""
    cross = require(
        "a C compiler for aarch64",
        shutil.which("aarch64-linux-gnu-gcc"),
        "apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    )
    qemu = require(
        "qemu-aarch64",
        shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static"),
        "apt-get install qemu-user",
    )
    build([cross, "-static"], ["-O3"], tmp_path / "test_core")
    said = run([qemu, "-cpu", "max", tmp_path / "test_core", "256"])
    assert {f"{kernel}: good" for kernel in ("sha256d armv8", "sha256d neon", "scrypt neon")} <= set(said)

"""The C core built apart from Python, with one of the programs in tests/csrc."""

import os
import shlex
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from counterparts import IN_CI, require

ROOT = Path(__file__).parent.parent


def compiler() -> list[str]:
    named = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    found = shutil.which(named[0]) or shutil.which("cc")
    return [require("a C compiler", found, "apt-get install gcc"), *named[1:]]


def aarch64_compiler() -> list[str]:
    cross = shutil.which("aarch64-linux-gnu-gcc")
    return [require("a C compiler for aarch64", cross,
                    "apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross"), "-static"]


def emulator(architecture: str) -> list[str]:
    """What stands before a program's own command: a CPU of that architecture with every extension that qemu knows."""
    name = f"qemu-{architecture}"
    return [require(name, shutil.which(name) or shutil.which(f"{name}-static"), "apt-get install qemu-user"),
            "-cpu", "max"]


def build(compiler: Sequence[str], flags: Sequence[str], main: str, program: Path) -> Path:
    """`main` is a file of tests/csrc."""
    warnings = ["-Wall", "-Wextra", *(["-Werror"] if IN_CI else [])]
    sources = [*sorted((ROOT / "csrc").glob("*.c")), ROOT / "tests/csrc" / main]
    command = [*compiler, "-std=gnu11", *warnings, *flags, f"-I{ROOT / 'csrc'}", "-pthread", *map(str, sources)]
    built = subprocess.run([*command, "-o", str(program)], capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    return program

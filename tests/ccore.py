"""The C core built apart from Python, with one of the programs in tests/csrc."""

import functools
import hashlib
import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from counterparts import IN_CI, require

ROOT = Path(__file__).parent.parent
OBJECTS = ROOT / "build" / "tests"


def compiler() -> list[str]:
    named = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    found = shutil.which(named[0]) or shutil.which("cc")
    return [require("a C compiler", found, "apt-get install gcc"), *named[1:]]


def aarch64_compiler() -> list[str]:
    cross = shutil.which("aarch64-linux-gnu-gcc")
    return [require("a C compiler for aarch64", cross,
                    "apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross"), "-static"]


def emulator(architecture: str) -> list[str]:
    """The start of a command that runs a program on an emulated CPU of that architecture, with all that qemu knows of
    it."""
    name = f"qemu-{architecture}"
    return [require(name, shutil.which(name) or shutil.which(f"{name}-static"), "apt-get install qemu-user"),
            "-cpu", "max"]


def build(compiler: Sequence[str], flags: Sequence[str], main: str, program: Path, cplusplus: str = "",
          core: Sequence[Path] = ()) -> Path:
    """Compile `main`, a file of tests/csrc, with the C core into `program`, and return its path. `flags` with -shared
    make a library of it; `cplusplus` names the compiler of a `main` in C++. `core` are the core's objects; without it
    they are compiled and kept in build/tests, by what they are made from."""
    warnings = ["-Wall", "-Wextra", *(["-Werror"] if IN_CI else [])]
    compile = [*compiler, "-std=gnu11", *warnings, *(flag for flag in flags if flag != "-shared"),
               f"-I{ROOT / 'csrc'}", "-pthread", "-c"]
    main_compile = compile
    if cplusplus:
        main_compile = [cplusplus, "-std=c++11", *warnings, "-Wpedantic", f"-I{ROOT / 'csrc'}", "-c"]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        objects = [compiled(main_compile, ROOT / "tests/csrc" / main), *(core or threads.map(
            lambda source: compiled(compile, source), sorted((ROOT / "csrc").glob("*.c"))))]
    run([*([cplusplus] if cplusplus else compiler), *flags, "-pthread", *map(str, objects), "-o", str(program)])
    return program


def compiled(command: Sequence[str], source: Path) -> Path:
    """The object file of `source`; one that was made of equal bytes by an equal command is taken again."""
    named = hashlib.sha256(repr((command, version(command[0]), headers())).encode() + source.read_bytes()).hexdigest()
    object = OBJECTS / f"{source.stem}-{named[:24]}.o"
    if not object.exists():
        OBJECTS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=OBJECTS) as folder:
            made = Path(folder, "object")
            run([*command, str(source), "-o", str(made)])
            made.replace(object)  # another process may make the same one
    return object


@functools.cache
def headers() -> str:
    files = [*sorted((ROOT / "csrc").glob("*.h")), *sorted((ROOT / "tests/csrc").glob("*.h"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


@functools.cache
def version(program: str) -> str:
    return run([program, "--version"])


def run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout

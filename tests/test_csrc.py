"""Builds and runs the C test program, as shipped and under the sanitizers.

MINER_TEST_EXHAUSTIVE=1 (`make exhaustive`) compares every sha256d kernel with the portable one over 2**24 nonces, not
2**16, every scrypt kernel over 2**17 for each of some small N, and goes up to N = 2**20, under the sanitizers too. It
takes some ten minutes on one CPU, and 4 GiB of memory for the kernel with the most lanes.
"""

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from bare import run_bare
from ccore import aarch64_compiler, build, compiler, emulator
from counterparts import require
from counts import counts
from outside import objects

SHIPPED = ["-O3", "-fPIC"]
# -g1: the numbers of lines, which is all that a report needs; more takes gcc longer than all the rest.
SANITIZE = ["-Og", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
EXHAUSTIVE = bool(os.environ.get("MINER_TEST_EXHAUSTIVE"))
NONCES, LARGEST_N = (1 << 24, 1 << 20) if EXHAUSTIVE else (1 << 16, 1 << 14)


def run(command: list[str | Path]) -> list[str]:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=1500)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.splitlines()


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return objects(tmp_path_factory.mktemp("core"))


@pytest.mark.timeout(1800)
def test_the_c_core_as_it_is_shipped(core: list[Path], tmp_path: Path) -> None:
    check(build(compiler(), SHIPPED, "test_core.c", tmp_path / "test_core", core=core), NONCES)


@pytest.mark.timeout(1800)
def test_the_c_core_under_the_sanitizers(tmp_path: Path) -> None:
    check(build(compiler(), SANITIZE, "test_core.c", tmp_path / "test_core"), 1 << 10)


def check(program: Path, nonces: int) -> None:
    assert {"sha256d portable: good", "scrypt portable: good"} <= set(run([program, str(nonces), str(LARGEST_N)]))


def test_miner_h_is_good_for_a_program_in_cplusplus(core: list[Path], tmp_path: Path) -> None:
    cplusplus = require("a C++ compiler", shutil.which("g++") or shutil.which("c++"), "apt-get install g++")
    program = build(compiler(), SHIPPED, "use_core.cpp", tmp_path / "use_core", cplusplus, core)
    assert run([program]) == ["sha256d: good", "scrypt: good"]


@pytest.mark.timeout(600)
def test_searches_made_of_random_bytes_under_the_sanitizers(tmp_path: Path) -> None:
    """Every alignment and length of the hit list; `make fuzz` goes on from here."""
    program = build(compiler(), SANITIZE, "fuzz_kernels.c", tmp_path / "fuzz_kernels")
    assert run([program, "300"]) == ["300 inputs: good"]


@pytest.mark.timeout(600)
def test_the_c_core_for_aarch64(tmp_path: Path) -> None:
    """Cross-compiled, on an emulated CPU with the SHA-2 instructions."""
    program = build(aarch64_compiler(), ["-O3"], "test_core.c", tmp_path / "test_core")
    said = run([*emulator("aarch64"), program, "256", "1024"])
    assert {f"{kernel}: good" for kernel in ("sha256d armv8", "sha256d neon", "scrypt neon")} <= set(said)


@pytest.mark.timeout(600)
def test_kernels_for_aarch64_take_fewer_instructions_than_the_portable_ones(tmp_path: Path) -> None:
    """As `make counts` counts them: nothing is timed, so the bounds hold on any machine."""
    program = build(aarch64_compiler(), ["-O3"], "count_core.c", tmp_path / "count_core")
    taken = {(count.algorithm, count.kernel): count.instructions for count in counts(emulator("aarch64"), program)}
    assert 200 < taken["sha256d", "armv8"] < 0.1 * taken["sha256d", "portable"]
    assert taken["sha256d", "neon"] < 0.5 * taken["sha256d", "portable"]
    assert taken["scrypt", "neon"] < 0.6 * taken["scrypt", "portable"]


@pytest.mark.timeout(600)
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the core's objects are of another CPU")
def test_kernels_for_avx512_where_no_cpu_has_it(core: list[Path], tmp_path: Path) -> None:
    """The core's own objects, on an emulated machine."""
    assert run_bare(core, tmp_path, timeout=500) == [
        "sha256d avx512: good", "sha256d avx512_shani: good", "scrypt avx512: good", "scrypt avx512vl: good",
        "scrypt avx512, large N: good"]

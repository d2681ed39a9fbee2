"""A planted fault is found: a kernel that errs once in a million hashes, on one CPU alone (tests/faulty)."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ccore import ROOT
from commands import LIMIT, child
from miner.engine.cpus import allowed_cpus
from outside import built_with

FAULTY_CPU = allowed_cpus()[-1]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_with(ROOT / "tests/faulty", tmp_path_factory.mktemp("faulty"))


def top(header: bytes) -> int:
    return int.from_bytes(hashlib.sha256(hashlib.sha256(header).digest()).digest()[28:], "little")


@pytest.mark.timeout(900)
def test_a_kernel_that_errs_once_in_a_million_hashes_is_found_on_the_right_cpu(package: Path) -> None:
    told: list[dict[str, Any]] = []
    environ = os.environ | {"PYTHONPATH": str(package), "MINER_FAULTY_CPU": str(FAULTY_CPU)}
    with child([sys.executable, "-m", "miner", "screen", "-a", "sha256d", "--seconds", "600", "--json",
                "--nice", "0"], env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            told.append(json.loads(line))
            if told[-1]["type"] == "screen_mismatch":
                process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT) == 3
    found = [line for line in told if line["type"] == "screen_mismatch"]
    for mismatch in found:
        assert (mismatch["cpu"], mismatch["algorithm"], mismatch["kernel"]) == (FAULTY_CPU, "sha256d", "portable")
        header = bytes.fromhex(mismatch["header"])
        assert mismatch["nonce"] == int.from_bytes(header[76:], "little")
        assert int(mismatch["expected_top"], 16) == top(header)
        assert mismatch["expected_hit"] == (top(header) <= int(mismatch["target_top"], 16))
        assert mismatch["got_hit"] is not mismatch["expected_hit"]
        assert (mismatch["portable_erred"], mismatch["again"], mismatch["tries"]) == (False, 0, 16)
    cpus = {line["cpu"]: line for line in told if line["type"] == "screen_cpu"}
    assert set(cpus) == set(allowed_cpus())
    for number, cpu in cpus.items():
        wrong = {kernel["kernel"]: kernel["mismatches"] for kernel in cpu["kernels"] if kernel["mismatches"]}
        hashed = {kernel["kernel"]: kernel["hashes"] for kernel in cpu["kernels"]}
        # Once in a million; what a mismatch's own kernel is asked again counts as hashed in the planted fault alone.
        assert wrong == ({"portable": len(found)} if number == FAULTY_CPU else {})
        assert number != FAULTY_CPU or hashed["portable"] // 1_000_000 <= len(found) + 1
    assert told[-1]["type"] == "screen_done"
    assert told[-1]["mismatches"] == len(found) > 0


def test_a_sound_kernel_of_that_package_is_found_sound(package: Path) -> None:
    """The planted fault is what was found: without it there is none."""
    environ = os.environ | {"PYTHONPATH": str(package)}
    environ.pop("MINER_FAULTY_CPU", None)
    with child([sys.executable, "-m", "miner", "screen", "-a", "sha256d", "--cpu", str(FAULTY_CPU), "--nice",
                "0", "--seconds", "600", "--json"], env=environ, stdout=subprocess.PIPE,
               text=True) as process:
        assert process.stdout is not None
        told = []
        for line in process.stdout:
            told.append(json.loads(line))
            if told[-1]["type"] == "screen_progress":
                process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT) == 0
    assert told[-1]["mismatches"] == 0

"""What a new algorithm takes: its kernels, its entry in C and its class in Python, all of which are in tests/toy.

The package is built with them by its own setup.py, and mines with them; no other file of it knows of them.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ccore import ROOT
from outside import built_with

TOY = ROOT / "tests/toy"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_with(TOY, tmp_path_factory.mktemp("toy"))


def toy(package: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(TOY / "toy.py"), *args], env=os.environ | {"PYTHONPATH": str(package)},
                          capture_output=True, text=True, timeout=180, check=False)


@pytest.mark.timeout(900)
def test_a_new_algorithm_is_mined_alone(package: Path) -> None:
    done = toy(package, "-a", "toy", "--sandbox", "-t", "2", "--blocks", "1")
    assert done.returncode == 0, done.stderr
    assert re.search(r"; [1-9]\d* shares? accepted, 0 rejected, \d+ stale; [1-9]\d* blocks?", done.stderr), done.stderr


def test_a_new_algorithm_is_mined_through_the_hub(package: Path) -> None:
    done = toy(package)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"toy:3: [1-9]\d* accepted, 0 rejected\n", done.stdout), done.stdout


def test_a_new_algorithm_is_measured_and_named_where_algorithms_are(package: Path) -> None:
    done = toy(package, "bench", "-a", "toy:5", "-t", "1", "--seconds", "0.02", "--rounds", "1")
    assert [line.split()[:3] for line in done.stdout.splitlines() if line.startswith("toy:5")] == [
        ["toy:5", "hashlib", "1"], ["toy:5", "portable", "1"]], done.stderr
    refused = toy(package, "-a", "toy:0", "--sandbox")
    assert (refused.returncode, "ROUNDS must be from 1 to 1000" in refused.stderr) == (2, True)
    unknown = toy(package, "-a", "x11", "--sandbox")
    assert (unknown.returncode, "toy or toy:ROUNDS" in unknown.stderr) == (2, True)

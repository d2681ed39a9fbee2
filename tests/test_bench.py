"""The comparison of kernels. How fast they are is not tested here."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from commands import run_here
from miner import _native
from miner.cpus import usable_threads


def test_bench_has_every_kernel_on_one_thread_and_on_all(tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    done = run_here("bench", "-a", "sha256d", "-a", "scrypt:16", "--seconds", "0.02", "--rounds", "2", "--json",
                    "--chart", str(chart))
    assert done.status == 0
    told = json.loads("\n".join(done.out))
    found = {(row["algorithm"], row["kernel"], row["threads"]) for row in told["results"]}
    expected = {(name, kernel, threads) for name in ("sha256d", "scrypt:16")
                for kernel in _native.kernels(name.partition(":")[0]) for threads in (1, usable_threads())}
    assert found == expected | {("sha256d", "hashlib", 1), ("scrypt:16", "hashlib", 1)}
    for row in told["results"]:
        assert 0 <= row["slowest"] <= row["hashrate"] <= row["fastest"]
        assert (row["times_hashlib"] == 1) == (row["kernel"] == "hashlib")
    texts = [element.text for element in ElementTree.parse(chart).iter("{http://www.w3.org/2000/svg}text")]
    assert "sha256d" in texts
    assert "scrypt:16" in texts
    assert "portable × 1" in texts


def test_benchs_table_names_the_machine_and_lines_up() -> None:
    done = run_here("bench", "-a", "scrypt:16", "--kernel", "portable", "-t", "1", "--seconds", "0.02", "--rounds", "1")
    assert done.status == 0
    assert "sparkminer" in done.out[0]
    heads = next(line for line in done.out if line.startswith("algorithm"))
    rows = [line for line in done.out if line.startswith("scrypt:16")]
    assert [row.split()[1:3] for row in rows] == [["hashlib", "1"], ["portable", "1"]]
    assert all(row.index("H/s") <= heads.index("from") for row in rows)


@pytest.mark.parametrize(("args", "status", "words"), [
    (["--kernel", "bogus"], 1, "portable"), (["--chart", "/nonexistent/x.svg"], 2, "no directory"),
    (["--rounds", "0"], 2, "--rounds"),
])
def test_bench_refuses_before_it_measures(args: list[str], status: int, words: str) -> None:
    done = run_here("bench", *args)
    assert done.status == status
    assert len(done.err) == 1
    assert words in done.err[0]

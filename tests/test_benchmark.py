"""Hashing for its own sake, and the comparison of kernels. How fast it goes is not tested here."""

import json
import threading
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from commands import run_here
from miner import _native
from miner.benchmark import Round, benchmark
from miner.core.algorithm import Algorithm
from miner.core.errors import EngineError, UsageError
from miner.core.events import Hashrate, Started
from miner.cpus import usable_threads


@pytest.mark.parametrize("algorithm", ["sha256d", "scrypt:16", "scrypt"])
def test_a_benchmark_counts_what_it_hashed(algorithm: str) -> None:
    events: list[Started | Hashrate | Round] = []
    result = benchmark(algorithm, threads=2, kernel="portable", seconds=0.8, on_event=events.append)
    assert (result.algorithm, result.kernel, result.threads) == (algorithm, "portable", 2)
    assert result.hashrate == result.hashes / result.seconds
    figures = [event for event in events if isinstance(event, Hashrate)]
    assert isinstance(events[0], Started)
    assert {figure.thread for figure in figures} == {0, 1}
    assert sum(figure.hashes for figure in figures) == result.hashes
    assert sum(event.hashes for event in events if isinstance(event, Round)) == result.hashes


def test_without_a_time_it_runs_until_stopped() -> None:
    stop = threading.Event()

    def hear(event: object) -> None:
        if isinstance(event, Round):
            stop.set()

    assert benchmark(Algorithm.parse("sha256d"), threads=1, seconds=0, stop=stop, on_event=hear).hashes > 0


def test_a_hash_longer_than_the_run_is_no_error() -> None:
    result = benchmark("scrypt:1048576", threads=1, kernel="portable", seconds=0.1)
    assert result.hashes == 0
    assert result.hashrate == 0


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="x11"):
        benchmark("x11")
    with pytest.raises(EngineError, match="bogus"):
        benchmark("scrypt", kernel="bogus")


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

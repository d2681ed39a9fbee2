"""The comparison of kernels. How fast they are is not tested here."""

import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from commands import child, run_here, wait_for
from miner import __version__, _native
from miner.cli.machine import least_cycles, machine
from miner.cli.switches import percentile_99
from miner.core.algorithm import Algorithm
from miner.engine.cpus import usable_threads
from miner.engine.processors import clock_hertz
from miner.front.chart import ChartFile
from schemas import figures


def test_bench_has_every_kernel_on_one_thread_and_on_all(tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    done = run_here("bench", "-a", "sha256d", "-a", "scrypt:16", "--seconds", "0.02", "--rounds", "2", "--json",
                    "--chart", str(chart))
    assert done.status == 0
    *rows, told = figures(done.out)
    assert {row["type"] for row in rows} == {"bench_result"}
    assert told["type"] == "bench_done" and told["time"][-1] == "Z"
    found = {(row["algorithm"], row["kernel"], row["threads"]) for row in rows}
    expected = {(name, kernel, threads) for name in ("sha256d", "scrypt:16")
                for kernel in _native.kernels(name.partition(":")[0]) for threads in (1, usable_threads())}
    assert found == expected | {("sha256d", "hashlib", 1), ("scrypt:16", "hashlib", 1)}
    assert (told["clock_hertz"] is None) == (clock_hertz() is None)
    for row in rows:
        least = least_cycles(Algorithm.parse(row["algorithm"]), row["kernel"])
        assert row["part_of_limit"] == (pytest.approx(least / row["cycles_per_hash"]) if least else None)
        rates = [row[f"{name}_hashes_per_second"] for name in ("slowest", "hashrate", "fastest")]
        assert 0 <= rates[0] <= rates[1] <= rates[2]
        assert (row["times_hashlib"] == 1) == (row["kernel"] == "hashlib")
    texts = [element.text for element in ElementTree.parse(chart).iter("{http://www.w3.org/2000/svg}text")]
    assert "sha256d" in texts
    assert "scrypt:16" in texts
    assert "portable × 1" in texts
    assert re.fullmatch(rf"sparkminer {re.escape(__version__)}, \d{{4}}-\d\d-\d\d", texts[2] or "")
    assert texts[1] and texts[1].startswith(told["machine"]), "the CPU"


def test_benchs_table_names_the_machine_and_lines_up() -> None:
    done = run_here("bench", "-a", "scrypt:16", "--kernel", "portable", "-t", "1", "--seconds", "0.02", "--rounds", "1")
    assert done.status == 0
    assert "sparkminer" in done.out[0]
    heads = next(line for line in done.out if line.startswith("algorithm"))
    rows = [line for line in done.out if line.startswith("scrypt:16")]
    assert [row.split()[1:3] for row in rows] == [["hashlib", "1"], ["portable", "1"]]
    assert all(row.index("H/s") <= heads.index("from") for row in rows)


@pytest.mark.parametrize(("args", "status", "words"), [
    (["--kernel", "bogus"], 2, "portable"), (["--chart", "/nonexistent/x.svg"], 2, "No such file or directory"),
    (["--chart", "/"], 2, "must end in .svg"), (["--chart", "x.png"], 2, "must end in .svg"),
    (["--switches", "1", "--chart", "x.png"], 2, "must end in .svg"),
    (["--rounds", "0"], 2, "--rounds"), (["--seconds", "0"], 2, "--seconds"), (["--seconds", "-0.0"], 2, "--seconds"),
])
def test_bench_refuses_before_it_measures(args: list[str], status: int, words: str) -> None:
    done = run_here("bench", *args)
    assert done.status == status
    assert len(done.err) == 1
    assert words in done.err[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_chart_that_has_no_room_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "full.svg").symlink_to("/dev/full")
    (tmp_path / "folder.svg").mkdir()
    for name, words in (("full.svg", "No space left"), ("folder.svg", "Is a directory")):
        done = run_here("bench", "-a", "scrypt:16", "--chart", str(tmp_path / name))
        assert (done.status, len(done.err)) == (2, 1)
        assert words in done.err[0]


def test_what_was_in_the_charts_file_stays_until_there_is_a_picture(tmp_path: Path) -> None:
    old, new = tmp_path / "old.svg", tmp_path / "new.svg"
    old.write_text("a picture")
    for path in (old, new):
        with ChartFile(str(path)):
            assert path.read_text() == ("a picture" if path is old else "")
    assert (old.read_text(), new.exists()) == ("a picture", False)
    with ChartFile(str(old)) as chart:
        chart.write("another")
    assert old.read_text() == "another"


def test_switches_are_drawn_too(tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    done = run_here("bench", "-a", "scrypt:16", "--kernel", "portable", "-t", "1", "--switches", "3", "--chart",
                    str(chart))
    assert done.status == 0
    texts = [element.text or "" for element in ElementTree.parse(chart).iter("{http://www.w3.org/2000/svg}text")]
    assert "portable × 1" in texts
    assert any(text.endswith(" ms") for text in texts)


def test_a_machine_that_is_throttled_is_said_to_be() -> None:
    """The process stands still for nine tenths of the time, as a quota has it."""
    with child([sys.executable, "-m", "miner", "bench", "-a", "scrypt:16", "--kernel", "portable", "-t", "1",
                "--seconds", "0.3", "--rounds", "3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
               text=True) as process:
        wait_for(process, "Round 1 of 3 done")
        while process.poll() is None:
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.09)
            process.send_signal(signal.SIGCONT)
            time.sleep(0.01)
        assert re.search(r"The threads had only \d+% of the CPU time", "".join(process.communicate()))


def test_an_n_that_hashlib_does_not_take_is_measured_without_it() -> None:
    done = run_here("bench", "-a", "scrypt:65536", "--kernel", "portable", "-t", "1", "--seconds", "0.02", "--rounds",
                    "1", "--json")
    assert done.status == 0
    row, _ = figures(done.out)
    assert (row["kernel"], row["times_hashlib"]) == ("portable", None)


def test_switches_are_measured_for_every_kernel() -> None:
    done = run_here("bench", "-a", "scrypt:16", "-t", "2", "--switches", "20", "--json")
    assert done.status == 0
    rows = figures(done.out)
    assert {(row["type"], row["switches"]) for row in rows} == {("bench_switches", 20)}
    assert {(row["kernel"], row["threads"]) for row in rows} == {(kernel, 2) for kernel in _native.kernels("scrypt")}
    assert all(0 < row["median_seconds"] <= row["p99_seconds"] <= row["longest_seconds"] for row in rows)


def test_switches_as_a_table() -> None:
    done = run_here("bench", "-a", "sha256d", "--kernel", "portable", "-t", "1", "--switches", "3")
    assert done.status == 0
    assert [line.split()[:3] for line in done.out if line.startswith("sha256d")] == [["sha256d", "portable", "1"]]


@pytest.mark.parametrize(("count", "index"), [(1, 0), (10, 9), (100, 98), (1000, 989), (1001, 990)])
def test_the_99th_percentile(count: int, index: int) -> None:
    assert percentile_99(range(count)) == index


def test_what_has_not_enough_memory_is_left_out_and_told() -> None:
    """4096 threads would take 512 GiB for the kernel that needs least."""
    done = run_here("bench", "-a", "scrypt:1048576", "-t", "4096", "--switches", "1")
    assert done.status == 0
    assert len([line for line in done.err if "Left out: scrypt:1048576" in line]) == len(_native.kernels("scrypt"))


CPUS = {"zen4": ("AuthenticAMD", 25, 17), "zen5": ("AuthenticAMD", 26, 2), "zen3": ("AuthenticAMD", 25, 1),
        "zen2": ("AuthenticAMD", 23, 49), "strix": ("AuthenticAMD", 26, 36), "other": ("GenuineIntel", 25, 17)}


def cpuinfo(folder: Path, cpu: str) -> Path:
    vendor, family, model = CPUS[cpu]
    one = f"vendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\nmodel name\t: The {cpu}: fast\n"
    path = folder / "cpuinfo"
    path.write_text(f"{one}\n{one}")
    return path


@pytest.mark.parametrize(("cpu", "algorithm", "kernel", "cycles"), [
    ("zen4", "sha256d", "shani", 62), ("zen5", "sha256d", "shani", 124), ("zen4", "sha256d", "avx512_shani", 62),
    ("zen4", "sha256d", "avx512", 2854 / 32), ("zen5", "sha256d", "avx512", 2854 / 64),
    ("zen4", "sha256d", "avx2", 5758 / 32), ("zen4", "sha256d", "sse41", 5758 / 16),
    ("zen4", "scrypt", "avx512", 53_760), ("zen4", "scrypt", "avx512vl", 53_760), ("zen5", "scrypt", "avx512", 26_880),
    ("zen4", "scrypt", "avx2", 87_040), ("zen3", "scrypt", "avx2", 87_040), ("zen3", "sha256d", "shani", 62),
    ("zen4", "scrypt:2048", "sse2", 348_160),
])
def test_the_limit_where_it_is_known(cpu: str, algorithm: str, kernel: str, cycles: float, tmp_path: Path) -> None:
    assert least_cycles(Algorithm.parse(algorithm), kernel, cpuinfo(tmp_path, cpu)) == cycles


@pytest.mark.parametrize(("cpu", "kernel"), [("zen2", "avx2"), ("strix", "avx512"), ("other", "avx2"),
                                             ("zen4", "portable"), ("zen4", "hashlib")])
def test_no_limit_where_it_is_not_known(cpu: str, kernel: str, tmp_path: Path) -> None:
    assert least_cycles(Algorithm.parse("sha256d"), kernel, cpuinfo(tmp_path, cpu)) is None
    assert least_cycles(Algorithm.parse("sha256d"), kernel, tmp_path / "missing") is None


def test_the_machine_is_named_as_the_system_names_it(tmp_path: Path) -> None:
    assert machine(cpuinfo(tmp_path, "zen4")) == f"The zen4: fast, {usable_threads()} CPUs usable"
    assert machine(tmp_path / "missing").endswith("CPUs usable")

"""Screening a machine's CPUs. tests/test_screen_faults.py plants a fault and finds it."""

import os
import struct
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from commands import interrupt, run_here, running
from miner import _native
from miner.core.algorithm import Algorithm, Scrypt, Sha256d
from miner.core.errors import UsageError
from miner.core.screening import (
    REFERENCE,
    CpuScreening,
    KernelScreening,
    Medians,
    Mismatch,
    ScreenEvent,
    Screening,
    ScreenProgress,
    ScreenStarted,
    Throttling,
)
from miner.engine import screening
from miner.engine.cpus import allowed_cpus
from miner.engine.hostlock import try_lock
from miner.engine.processors import processors, throttling
from miner.engine.screen_blocks import HALF, RANDOM, RARE, make_block, top_of
from miner.engine.screening import screen
from miner.front.screen_chart import screen_chart
from miner.front.screen_report import event_json, event_lines, result_json, result_lines
from schemas import figures

ALGORITHMS = (Sha256d(), Scrypt(16))
KERNELS = [(algorithm, kernel) for algorithm in ALGORITHMS for kernel in _native.kernels(algorithm.name)]
HEADER = bytes(range(80))
NEVER = _native.Epoch()


def searcher(algorithm: Algorithm, kernel: str) -> _native.Searcher:
    return _native.Searcher(algorithm.name, algorithm.parameters, kernel)


def tops_of(algorithm: Algorithm, first: int, count: int) -> list[int]:
    """By Python's hashlib."""
    return [top_of(algorithm.hash(HEADER[:76] + struct.pack("<I", first + offset))) for offset in range(count)]


# The C core

@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=str)
def test_the_portable_list_is_what_hashlib_says(algorithm: Algorithm) -> None:
    first = (1 << 32) - 50
    tops = searcher(algorithm, "portable").tops(HEADER, first, 50, NEVER, 0)
    assert tops == struct.pack("=50I", *tops_of(algorithm, first, 50))


@pytest.mark.parametrize(("algorithm", "kernel"), KERNELS, ids=str)
def test_one_wrong_bit_in_a_list_is_found_at_its_nonce(algorithm: Algorithm, kernel: str) -> None:
    """The list is wrong here and the kernel right, which comes to the same; also in a batch that is not full."""
    search, count = searcher(algorithm, kernel), 3 * _native.kernel_lanes(algorithm.name, kernel) + 1
    right = tops_of(algorithm, 7, count)
    targets = (0, 0x3FFFFF, 0x7FFFFFFF, 0xFFFFFFFF, *right[:8])
    assert search.compare(HEADER, 7, struct.pack(f"={count}I", *right), targets, NEVER, 0) == (
        [], 0, count * len(targets))
    for offset in (0, count // 2, count - 1):
        wrong = [top ^ (offset == at) for at, top in enumerate(right)]
        target = min(right[offset], wrong[offset])
        told = search.compare(HEADER, 7, struct.pack(f"={count}I", *wrong), (target,), NEVER, 0)
        assert told == ([(7 + offset, target, right[offset] == target)], 1, count)


def test_all_mismatches_are_counted_and_some_are_told() -> None:
    told, found, hashes = searcher(Sha256d(), "portable").compare(HEADER, 0, bytes(4 * 1000), (0,), NEVER, 0)
    assert (len(told), found, hashes) == (64, 1000, 1000)


def test_comparing_ends_when_the_epoch_advances() -> None:
    epoch = _native.Epoch()
    epoch.advance()
    search = searcher(Scrypt(1 << 16), "portable")
    assert search.tops(HEADER, 0, 10, epoch, 0) is None
    assert search.compare(HEADER, 0, bytes(40), (0,), epoch, 0) == ([], 0, 0)


@pytest.mark.parametrize(("first", "tops", "targets", "words"), [
    (1 << 32, bytes(4), (1,), "not within"), ((1 << 32) - 1, bytes(8), (1,), "not within"),
    (0, bytes(3), (1,), "4 bytes"), (0, bytes(4), (), "1 to 256"), (0, bytes(4), (1,) * 257, "1 to 256"),
    (0, bytes(4), (-1,), "0 to 2"), (0, bytes(4), (1 << 32,), "0 to 2"),
])
def test_what_can_not_be_compared_is_refused(first: int, tops: bytes, targets: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        searcher(Sha256d(), "portable").compare(HEADER, first, tops, targets, NEVER, 0)


# Blocks

def test_a_seed_gives_equal_blocks_and_another_one_others() -> None:
    one, again, other = (make_block(seed, Sha256d(), 3, 256, NEVER) for seed in (1, 1, 2))
    assert one is not None and other is not None
    assert one == again
    assert one.whole.header != other.whole.header
    assert b"".join(piece.tops for piece in one.pieces()) == one.whole.tops
    assert all(one.hash_again(nonce) == one.whole.top(nonce) for nonce in (one.whole.first, one.whole.first + 255))
    assert one.targets(HALF, 2, 0) == (0x7FFFFFFF,) * 2
    assert one.targets(RARE, 1, 0) == (0x3FFFFF,)
    assert one.targets(RANDOM, 2, 0) == again.targets(RANDOM, 2, 0) != one.targets(RANDOM, 2, 1)


def test_a_batch_is_compared_in_all_32_bits() -> None:
    block = make_block(5, Sha256d(), 1, 256, NEVER)
    assert block is not None
    batch, targets = block.exact(8, 128)
    right = [batch.top(batch.first + lane) for lane in range(8)]
    assert set(targets) == {each for top in right for each in (top, top - 1)}
    kernel = searcher(Sha256d(), "portable")
    for bit in range(32):
        wrong = struct.pack("=8I", *(top ^ (lane == 5) << bit for lane, top in enumerate(right)))
        found = kernel.compare(batch.header, batch.first, wrong, targets, NEVER, 0)[0]
        assert {nonce for nonce, _, _ in found} == {batch.first + 5}, bit


# A screening

@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "_TURN_SECONDS", 0.02)


def screened(algorithms: Sequence[Algorithm] = ALGORITHMS, **settings: object) -> tuple[Screening, list[ScreenEvent]]:
    """Screen until each kernel has had its turn."""
    stop, events = threading.Event(), list[ScreenEvent]()

    def hear(event: ScreenEvent) -> None:
        events.append(event)
        if isinstance(event, ScreenProgress) and event.rounds >= 1:
            stop.set()

    return screen(algorithms, 300.0, stop=stop, on_event=hear, nice=None, **settings), events  # type: ignore[arg-type]


def test_every_kernel_is_screened_on_every_cpu() -> None:
    result, events = screened(seed=11)
    started = events[0]
    assert isinstance(started, ScreenStarted)
    assert (started.seed, started.cpus, started.remarks) == (11, allowed_cpus(), ())
    assert {(str(algorithm), kernel) for algorithm, kernel in KERNELS} == {
        (algorithm, kernel) for algorithm, kernels in started.kernels for kernel in kernels}
    assert [cpu.cpu for cpu in result.cpus] == list(allowed_cpus())
    assert (result.not_screened, result.mismatches) == ((), 0)
    for cpu in result.cpus:
        assert {(kernel.algorithm, kernel.kernel) for kernel in cpu.kernels} == {
            (str(algorithm), kernel) for algorithm, kernel in [*KERNELS, *((each, REFERENCE) for each in ALGORITHMS)]}
        assert all(kernel.hashes and not kernel.mismatches for kernel in cpu.kernels)
        assert cpu.model
        assert cpu.cpu_seconds <= cpu.seconds + 0.1


def test_cpus_take_turns_where_there_are_fewer_threads(tmp_path: Path) -> None:
    result, events = screened([Sha256d()], threads=1, locks=tmp_path)
    assert isinstance(events[0], ScreenStarted)
    assert events[0].threads == 1
    assert not result.not_screened


def test_a_cpu_that_another_screening_of_the_host_visits_is_left_to_it(tmp_path: Path) -> None:
    first = allowed_cpus()[0]
    held = try_lock(tmp_path / f"sparkminer-screen-cpu{first}.lock")
    assert held is not None
    try:
        result = screen(("sha256d",), 0.5, cpus=(first,), locks=tmp_path)
    finally:
        os.close(held)
    assert [(cpu.cpu, cpu.seconds, cpu.hashes) for cpu in result.cpus] == [(first, 0.0, 0)]
    assert len(result.not_screened) == 1


def test_what_can_not_be_screened_is_refused() -> None:
    with pytest.raises(UsageError, match="CPU 60000 is none"):
        screen(("sha256d",), 1.0, cpus=(60000,))
    with pytest.raises(UsageError, match="x11"):
        screen(("x11",), 1.0)


# What is known of CPUs

X86 = """processor\t: {}
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: The CPU: fast
stepping\t: 8
microcode\t: 0x2b000590
"""
ARM = "processor\t: {}\nCPU implementer\t: 0x41\nCPU variant\t: 0x1\nCPU part\t: 0xd40\nCPU revision\t: 1\n"


def test_models_and_microcode_are_those_of_each_cpu(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("\n".join([X86.format(0), X86.format(1).replace("0590", "0599"), ARM.format(2)]))
    known = processors([0, 1, 2, 3], cpuinfo)
    assert known[0].model == known[1].model == "The CPU: fast (family 6, model 143, stepping 8)"
    assert [known[cpu].microcode for cpu in range(4)] == ["0x2b000590", "0x2b000599", "", ""]
    assert known[2].model.endswith(" (implementer 0x41, part 0xd40, variant 0x1, revision 1)")
    assert known[3].model


def test_counters_of_throttling_are_read_where_there_are_any(tmp_path: Path) -> None:
    system, proc = tmp_path / "sys", tmp_path / "proc"
    counters = system / "devices/system/cpu/cpu1/thermal_throttle"
    for folder in (counters, proc / "self", system / "fs/cgroup/app"):
        folder.mkdir(parents=True)
    assert throttling(1, system, proc) == Throttling()
    for name, value in {"core_throttle_count": 3, "package_throttle_count": 5, "core_throttle_total_time_ms": 1500,
                        "package_throttle_total_time_ms": 250}.items():
        (counters / name).write_text(f"{value}\n")
    (proc / "interrupts").write_text(
        "            CPU0       CPU1\n  1:  9  9  PCI  x\nTRM:  1  7  Thermal event interrupts\n"
        "THR:  0  1  Threshold APIC interrupts\nMCE:  0  2  Machine check exceptions\nERR:  0\n")
    (proc / "self/cgroup").write_text("0::/app\n")
    (system / "fs/cgroup/app/cpu.stat").write_text("usage_usec 5\nnr_throttled 2\nthrottled_usec 2500000\n")
    now = throttling(1, system, proc)
    assert now == Throttling(3, 5, 1.5, 0.25, 7, 3, 2.5)
    assert now.since(Throttling(1, 5, 0.5, None, 7, 0, 2.5)) == Throttling(2, 0, 1.0, None, 0, 3, 0.0)
    assert throttling(0, system, proc).thermal_interrupts == 1


# What is told

def cpu(number: int, rate: float, *wrong: Mismatch, host: str = "a", model: str = "m") -> CpuScreening:
    kernel = KernelScreening("sha256d", "avx2", 1000, len(wrong), 1000, 1000 / rate, 3e9)
    return CpuScreening(host, number, model, "0x1", 1.0, 0.9, 1, (kernel,), wrong, Throttling(), 2.9e9, 3.1e9)


def mismatch(hit: bool | None = False, again_top: int = 5) -> Mismatch:
    return Mismatch(1.5, "b", 1, "m", "0x1", "sha256d", "avx2", HEADER, 9, 7, 5, hit, again_top, 3, 16)


RESULT = Screening(42, 1.0, (cpu(0, 1e6), cpu(1, 1.1e6, mismatch(), host="b"), cpu(2, 0.8e6, host="b"),
                             cpu(0, 5e6, host="c", model="other")))


def test_rates_are_told_beside_the_median_of_the_model() -> None:
    medians = Medians(RESULT.cpus)
    distances = [medians.distance(cpu, cpu.kernels[0]) for cpu in RESULT.cpus]
    assert distances == [pytest.approx(each) for each in (0, 0.1, -0.2, 0)]
    text = list(result_lines(RESULT))
    assert "b, CPU 2 is slow: -20.0% sha256d avx2 from the median of its model" in text
    assert text[-1] == "4 CPUs in 1 seconds: 4000 hashes compared, 1 mismatch"
    assert any("no counters" in line for line in text)


def test_json_has_an_object_a_line() -> None:
    told = figures(result_json(RESULT, 0.0))
    assert [line["type"] for line in told] == ["screen_cpu"] * 4 + ["screen_done"]
    assert all(line["time"] == "1970-01-01T00:00:00.000Z" for line in told)
    assert told[2]["kernels"][0]["from_median"] == pytest.approx(-0.2)
    assert told[2]["kernels"][0]["hashrate_hashes_per_second"] == pytest.approx(0.8e6)
    assert (told[-1]["mismatches"], told[-1]["cpus"], told[-1]["cpus_not_screened"]) == (1, 4, 0)
    (found,) = figures([event_json(mismatch(), 0.0)])
    assert (found["type"], found["time"], found["header"]) == (
        "screen_mismatch", "1970-01-01T00:00:01.500Z", HEADER.hex())
    assert (found["expected_hit"], found["got_hit"], found["portable_erred"]) == (True, False, False)


@pytest.mark.parametrize(("told", "words"), [
    (mismatch(), "hash 00000005…, target 00000007…, and the kernel calls it no hit (3 times of 16 when asked again)"),
    (mismatch(again_top=9), "the portable code erred, the hash is 00000009…"),
    (mismatch(hit=None, again_top=9), "hash 00000005…, and hashlib says 00000009…"),
])
def test_a_mismatch_is_a_line(told: Mismatch, words: str) -> None:
    [line] = event_lines(told)
    assert line.startswith("MISMATCH on b, CPU 1, microcode 0x1: sha256d, kernel 'avx2', header 0001")
    assert words in line


def test_the_picture_has_a_dot_for_each_cpu_and_wrong_ones_are_red() -> None:
    root = ElementTree.fromstring(screen_chart(RESULT))
    dots = list(root.iter("{http://www.w3.org/2000/svg}circle"))
    assert len(dots) == 4
    titles = [dot[0].text for dot in dots if dot.get("fill") == "#c4302b"]
    assert titles == ["b, CPU 1: 1.10 MH/s, 1 mismatch"]
    assert {"a", "b", "c"} <= {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}


def test_two_screenings_of_a_cpu_add_up() -> None:
    one, two = cpu(1, 1e6, mismatch()), replace(cpu(1, 1e6), clock_lowest_hertz=1e9)
    both = one.with_more(two)
    assert (both.hashes, both.mismatch_count, both.mismatches) == (2000, 1, (mismatch(),))
    assert (both.seconds, both.clock_lowest_hertz, both.clock_highest_hertz) == (2.0, 1e9, 3.1e9)
    assert both.kernels[0].hashrate == pytest.approx(1e6)


# The command

@pytest.mark.parametrize(("args", "words"), [
    (["--minutes", "1", "--seconds", "1"], "--minutes and --seconds"), (["--seconds", "0"], "--seconds"),
    (["--minutes", "-1"], "--minutes"), (["-a", "x11"], "x11"), (["--cpu", "60000"], "CPU 60000 is none"),
    (["--seed", "-1"], "--seed"), (["--chart", "x.png"], "must end in .svg"),
])
def test_the_command_refuses_before_it_screens(args: list[str], words: str) -> None:
    done = run_here("screen", *args)
    assert (done.status, len(done.err)) == (2, 1)
    assert words in done.err[0]


def test_the_commands_help_names_its_exit_statuses() -> None:
    done = run_here("screen", "--help")
    assert done.status == 0
    assert "  3  a mismatch was found: a CPU computes wrongly" in done.out


def test_the_command_screens_and_draws(tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    with running("screen", "-a", "sha256d", "--seconds", "300", "--json", "--seed", "5", "--nice", "0", "--chart",
                 str(chart)) as process:
        assert process.stdout is not None
        told = []
        while not told or told[-1]["type"] != "screen_progress":
            told += figures([process.stdout.readline()])
        done = interrupt(process)
    assert done.status == 0
    told += figures(done.out)
    assert [line["type"] for line in told] == ["screen_started", "screen_progress",
                                               *["screen_cpu"] * len(allowed_cpus()), "screen_done"]
    assert told[0]["kernels"] == {"sha256d": list(_native.kernels("sha256d"))}
    assert told[0]["seed"] == 5
    assert all(kernel["hashes"] and kernel["mismatches"] == 0 for cpu in told[2:-1] for kernel in cpu["kernels"])
    assert len(list(ElementTree.parse(chart).iter("{http://www.w3.org/2000/svg}circle"))) >= len(allowed_cpus())


def test_a_screening_that_is_too_short_for_every_kernel_says_so() -> None:
    done = run_here("screen", "-a", "scrypt:1048576", "--seconds", "0.1")
    assert done.status == 1
    assert any(line.startswith("Not screened with every kernel") for line in done.out)

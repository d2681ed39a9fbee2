"""The choice of a kernel: by name, by trial, and by the memory there is."""

import subprocess
import sys
from dataclasses import replace

import pytest

from miner import _native
from miner.config import EngineConfig
from miner.core.algorithm import Algorithm
from miner.core.errors import EngineError, UsageError
from miner.engine import kernels, review
from miner.engine.kernels import first_within, usable_kernels
from miner.engine.memory import MemoryLeft
from miner.engine.threads import Engine
from miner.engine.tryout import Tryout

SCRYPT, SHA256D, LARGE = Algorithm.parse("scrypt"), Algorithm.parse("sha256d"), Algorithm.parse("scrypt:1048576")
RUNNABLE = _native.kernels("scrypt")
GIB = 1 << 30


@pytest.mark.parametrize("algorithm", [SCRYPT, SHA256D, Algorithm.parse("scrypt:2"), LARGE], ids=str)
def test_the_ranking_has_every_kernel_and_the_portable_one_last(algorithm: Algorithm) -> None:
    names = usable_kernels(algorithm)
    assert sorted(names) == sorted(_native.kernels(algorithm.name))
    assert names[-1] == "portable"


@pytest.mark.parametrize("kernel", RUNNABLE)
def test_a_name_is_taken_from_argument_or_environment(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable_kernels(SCRYPT, kernel) == (kernel,)
    monkeypatch.setenv("MINER_KERNEL", kernel)
    assert usable_kernels(SCRYPT) == (kernel,)
    assert usable_kernels(SCRYPT, "portable") == ("portable",)


def test_an_unknown_name_is_answered_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for algorithm in (SCRYPT, SHA256D):
        runnable = ", ".join(_native.kernels(algorithm.name))
        listed = f"no kernel 'mmx' for {algorithm.name} on this CPU: it has {runnable}"
        with pytest.raises(UsageError) as error:
            usable_kernels(algorithm, "mmx")
        assert str(error.value) == listed
        monkeypatch.setenv("MINER_KERNEL", "mmx")
        with pytest.raises(UsageError) as error:
            usable_kernels(algorithm)
        assert str(error.value) == listed


def test_the_first_that_fits_for_all_threads_is_taken() -> None:
    needs = {kernel: _native.kernel_scratch("scrypt", LARGE.parameters, kernel) for kernel in RUNNABLE}
    assert needs["portable"] == 128 << 20
    for threads in (1, 2, 7):
        for kernel in RUNNABLE:  # each has the larger ones before it
            exactly = MemoryLeft(needs[kernel] * threads * 16 // 15 + 16, "here")
            expected = next(name for name in RUNNABLE if needs[name] <= needs[kernel])
            assert first_within(exactly, LARGE, RUNNABLE, threads) == expected
    assert first_within(None, LARGE, RUNNABLE, 4096) == RUNNABLE[0]


def test_what_does_not_fit_is_refused_with_the_numbers_and_the_fix() -> None:
    with pytest.raises(EngineError) as error:
        first_within(MemoryLeft(GIB, "in the box"), LARGE, RUNNABLE, 16)
    assert str(error.value) == (
        "scrypt:1048576 with kernel portable needs 128 MiB of memory a thread, 2.0 GiB for 16, and 1.0 GiB are left in "
        "the box, of which a sixteenth stays free: use fewer threads (`threads=7`), or a smaller N")
    with pytest.raises(EngineError, match=r"are left in the box, .*: use a smaller N$"):
        first_within(MemoryLeft(0, "in the box"), LARGE, RUNNABLE, 1)


@pytest.mark.skipif(len(RUNNABLE) < 2, reason="this CPU has the portable kernel alone")
def test_a_forced_kernel_that_does_not_fit_is_refused_with_one_that_does() -> None:
    with pytest.raises(EngineError, match=r"use `kernel=portable` \(128 MiB\), or a smaller N"):
        first_within(MemoryLeft(6 * 128 << 20, "in the box"), LARGE, [RUNNABLE[0]], 4)


def test_a_memory_limit_chooses_a_kernel_that_needs_less_and_is_told_where_none_does() -> None:
    needs = {kernel: _native.kernel_scratch("scrypt", LARGE.parameters, kernel) for kernel in RUNNABLE}
    here = MemoryLeft(64 * GIB, "here")
    for kernel in RUNNABLE:
        expected = next(name for name in RUNNABLE if needs[name] <= needs[kernel])
        assert first_within(here.within(2 * needs[kernel]), LARGE, RUNNABLE, 2) == expected
    assert here.within(0) is here and here.within(61 * GIB) is here
    with pytest.raises(EngineError) as error:
        first_within(here.within(200 << 20), LARGE, RUNNABLE, 2)
    assert str(error.value) == (
        "scrypt:1048576 with kernel portable needs 128 MiB of memory a thread, 256 MiB for 2, and `memory_limit` "
        "allows 200 MiB: use fewer threads (`threads=1`), or a smaller N, or a larger `memory_limit`")


@pytest.mark.skipif(len(RUNNABLE) < 2, reason="this CPU has the portable kernel alone")
def test_an_engine_keeps_within_its_memory_limit_and_refuses_what_does_not_fit() -> None:
    algorithm = Algorithm.parse("scrypt:16384")
    needs = {kernel: _native.kernel_scratch("scrypt", algorithm.parameters, kernel) for kernel in RUNNABLE}
    settings = EngineConfig(threads=2, pin=False, nice=None, memory_limit=2 * needs["portable"])
    with Engine(algorithm, settings, on_hit=print) as engine:
        assert engine.kernel == "portable"
    with pytest.raises(EngineError, match=r"`memory_limit` allows 4 MiB: use .*a larger `memory_limit`"):
        Engine(algorithm, replace(settings, threads=3), on_hit=print)


def test_a_look_at_another_kernel_keeps_within_the_memory_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = sorted((_native.kernel_scratch("scrypt", SCRYPT.parameters, kernel), kernel)
                          for kernel in (RUNNABLE[0], "portable"))
    for limit, expected in ((3 * large[0], large[1]), (3 * large[0] - 1, None), (0, large[1])):
        monkeypatch.setattr(review, "EVERY", 0.0)
        tryout = Tryout(SCRYPT, small[1], large[1], threads=2, memory_limit=limit)
        own = _native.Searcher(SCRYPT.name, SCRYPT.parameters, small[1])
        tryout.searcher(own), tryout.called(1000)  # the first turn of a look is the present kernel's
        assert tryout.review.looking == (expected is not None)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is read from /proc")
def test_under_a_limited_address_space_a_kernel_is_chosen_that_fits() -> None:
    """As spark.executor.pyspark.memory sets it."""
    program = ("import resource\nfrom miner.core.algorithm import Algorithm\nfrom miner.config import EngineConfig\n"
               "from miner.engine.threads import Engine\n"
               "resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))\n"
               "with Engine(Algorithm.parse('scrypt:1048576'), EngineConfig(threads=1), on_hit=print) as engine:\n"
               "    print(engine.kernel)")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "portable", done.stderr


def test_a_kernel_without_hope_gets_one_turn_of_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {"one": 90.0, "two": 100.0, "three": 30.0}
    turns = list[str]()

    class Searcher:
        def __init__(self, algorithm: str, parameters: tuple[int, ...], kernel: str) -> None:
            self.kernel = kernel

    def trial(searcher: Searcher) -> float:
        turns.append(searcher.kernel)
        return rates[searcher.kernel]

    monkeypatch.setattr(_native, "kernels", lambda algorithm: (*rates, "portable"))
    monkeypatch.setattr(_native, "Searcher", Searcher)
    monkeypatch.setattr(kernels, "_sound", lambda algorithm, kernel: True)
    monkeypatch.setattr(kernels, "_trial", trial)
    assert kernels.ranking.__wrapped__(SHA256D) == ("two", "one", "three", "portable")
    assert turns == ["one", "two", "three", "one", "two", "one", "two"]

"""Hashing for its own sake. How fast it goes is not tested here."""

import threading

import pytest

from miner import benchmark
from miner.core.algorithm import Algorithm
from miner.core.errors import UsageError
from miner.core.events import Hashrate, Started
from miner.engine.benchmarking import Round


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
    with pytest.raises(UsageError, match="bogus"):
        benchmark("scrypt", kernel="bogus")

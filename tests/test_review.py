"""The choice of a kernel while mining: when it is looked at again, what it changes for, and that it comes to rest."""

import os
import random
import time
from collections.abc import Callable

import pytest

from miner import _native
from miner.config import EngineConfig
from miner.core.algorithm import Algorithm
from miner.core.model import Job, Work
from miner.core.target import MAX_TARGET, hash_value
from miner.engine import review, threads
from miner.engine.review import EVERY, PAIRS, SOONEST, KernelReview
from miner.engine.tryout import TURN_SECONDS

LIMIT = 120.0  # seconds, of which a busy machine may take most

CALL = 0.25


def make_work(algorithm: Algorithm) -> Work:
    job = Job("1", algorithm, 0x20000000, os.urandom(32), b"a", b"b", 4, b"c", (), 0x1D00FFFF, 1700000000, True, 0)
    return job.work(os.urandom(4))


def play(seconds: float, rate: Callable[[str, float], float]) -> tuple[KernelReview, list[tuple[float, str]], int]:
    """A run in which a call takes CALL seconds and reaches rate(kernel, time). Returns the review, its change-overs and
    how many calls the runner-up got."""
    kernels, changes, tried, now = KernelReview("a", "b", 0.0), list[tuple[float, str]](), 0, 0.0
    while now < seconds:
        kernel = kernels.next_kernel(now)
        tried += kernel != kernels.present
        now += CALL
        if kernels.measured(rate(kernel, now), now) is not None:
            changes.append((now, kernels.present))
    return kernels, changes, tried


def test_a_right_choice_costs_a_few_calls_in_ten_minutes() -> None:
    _, changes, tried = play(4 * EVERY + 60, lambda kernel, now: {"a": 100.0, "b": 70.0}[kernel])
    assert changes == []
    assert tried == 4 * PAIRS


def test_a_wrong_choice_is_mended_at_the_first_look() -> None:
    kernels, changes, _ = play(3 * EVERY, lambda kernel, now: {"a": 91.0, "b": 100.0}[kernel])
    assert [to for _, to in changes] == ["b"]
    assert EVERY <= changes[0][0] <= EVERY + 2 * PAIRS * CALL
    assert (kernels.present, kernels.runner_up) == ("b", "a")


def test_a_rate_that_sinks_is_looked_at_within_seconds() -> None:
    """As where a neighbour takes execution units that one kernel needs and the other doesn't."""
    _, changes, _ = play(300, lambda kernel, now: 80.0 if kernel == "b" else 100.0 if now < 200 else 65.0)
    assert [to for _, to in changes] == ["b"]
    assert 200 < changes[0][0] < 210


def test_a_rate_that_sinks_for_both_changes_nothing_and_is_not_looked_at_for_ever() -> None:
    _, changes, tried = play(EVERY, lambda kernel, now: (100.0 if now < 200 else 50.0) * (0.8 if kernel == "b" else 1))
    assert changes == []
    assert tried == PAIRS


def test_a_rate_that_goes_up_and_down_is_looked_at_once_a_minute_at_most() -> None:
    _, changes, tried = play(EVERY, lambda kernel, now: (100.0 if now % 20 < 10 else 50.0) * (0.5 if kernel == "b"
                                                                                              else 1))
    assert changes == []
    assert 0 < tried <= PAIRS * EVERY / SOONEST


def test_it_never_oscillates() -> None:
    """Not where the present kernel always becomes the slower one, which is the worst there can be: over four days the
    change-overs are twice as far apart each time."""
    kernels = KernelReview("a", "b", 0.0)
    times, now = list[float](), 0.0
    while now < 4 * 86400:
        slower = kernels.next_kernel(now) == kernels.present
        now += 1.0
        if kernels.measured(50.0 if slower else 100.0, now) is not None:
            times.append(now)
    assert 5 < len(times) < 11
    gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    assert all(later > 1.8 * earlier for earlier, later in zip(gaps, gaps[1:], strict=False))


def test_chance_is_no_reason_to_change() -> None:
    dice = random.Random(1)
    _, changes, _ = play(20 * EVERY, lambda kernel, now: dice.gauss(100.0, 3.0))
    assert changes == []


def test_a_look_that_can_not_be_had_is_tried_again_later() -> None:
    kernels = KernelReview("a", "b", 0.0)
    kernels.next_kernel(EVERY)
    assert kernels.looking
    kernels.give_up(EVERY)
    assert not kernels.looking
    assert kernels.next_kernel(EVERY + 1) == "a" and not kernels.looking
    kernels.next_kernel(2 * EVERY)
    assert kernels.looking


def test_the_bounds_fit_one_another() -> None:
    assert review.FASTER > 1 > review.SUNK and SOONEST < EVERY


@pytest.mark.parametrize("algorithm", [Algorithm.parse("scrypt:64"), Algorithm.parse("sha256d")], ids=str)
@pytest.mark.skipif(len(_native.kernels("scrypt")) < 2, reason="this CPU has the portable kernel alone")
def test_all_threads_change_over_to_a_faster_kernel_and_no_nonce_is_lost(
        algorithm: Algorithm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two real kernels, the slowest first. New work comes all the while, and every hit of its ranges is told once."""
    fast = _native.kernels(algorithm.name)[0]
    monkeypatch.setattr(threads, "usable_kernels", lambda algorithm, name: ("portable", fast))
    monkeypatch.setattr(review, "EVERY", 0.2)
    hits: list[tuple[Work, int]] = []
    notices: list[str] = []
    with threads.Engine(algorithm, EngineConfig(threads=2, pin=False), on_notice=notices.append,
                        on_hit=lambda work, nonce, digest: hits.append((work, nonce))) as engine:

        def mine_until(condition: Callable[[], bool]) -> None:
            """With new work all the while, in which there are no hits."""
            deadline = time.monotonic() + LIMIT
            while not condition():
                assert time.monotonic() < deadline, "waited too long"
                engine.assign(iter([threads.NonceRange(make_work(algorithm), 0)] * 2))
                time.sleep(5 * TURN_SECONDS)  # a turn that new work cuts short doesn't count

        assert engine.kernels == {"portable"}
        mine_until(lambda: engine.kernel == fast)
        target, work, count = MAX_TARGET >> 6, make_work(algorithm), 4096
        expected = [nonce for nonce in range(count) if hash_value(algorithm.hash(work.share(nonce).header)) <= target]
        engine.assign(threads.NonceRange(work, target, first, 64) for first in range(0, count, 64))
        deadline = time.monotonic() + LIMIT
        while len(hits) < len(expected):
            assert time.monotonic() < deadline, "a hit was lost"
            time.sleep(0.01)
        mine_until(lambda: engine.kernels == {fast})
    assert sorted(nonce for _, nonce in hits) == expected
    assert notices[0].startswith(f"Kernel '{fast}' from now on: ") and notices[0].endswith("than 'portable'")

"""Vardiff: about one share every few seconds from any miner, without a missed block and without a flood."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_players import make_job
from miner.core.algorithm import Algorithm
from miner.core.target import MAX_TARGET, difficulty_to_target, expected_hashes, target_to_nbits
from miner.hub.vardiff import (
    EASIEST_TARGET,
    MAX_EASE,
    MAX_RAISE,
    QUICK_SHARES,
    Vardiff,
    share_target,
    start_hashes,
)

SHA256D, SCRYPT = Algorithm.parse("sha256d"), Algorithm.parse("scrypt")


class Simulation:
    """A miner of a given speed that finds its shares by luck, and a vardiff that sees nothing else."""

    def __init__(self, algorithm: Algorithm, hashrate: float, seconds_per_share: float = 2.0, *,
                 good: bool = True) -> None:
        self.vardiff = Vardiff(start_hashes(algorithm), 0.0)
        self.good = good  # whether the shares are accepted
        self.hashrate, self.seconds_per_share = hashrate, seconds_per_share
        self.now, self.shares = 0.0, 0
        self._luck = random.Random(11)

    def run(self, seconds: float) -> int:
        """Shares found in these seconds. The hub looks in once a second and at each share."""
        end, before = self.now + seconds, self.shares
        while self.now < end:
            found = self.now + self._luck.expovariate(self.hashrate / self.vardiff.hashes_per_share)
            tick = self.now + 1.0
            self.now = min(found, tick)
            if found <= tick:
                self.shares += 1
                hashes = self.vardiff.hashes_per_share
                self.vardiff.submitted(hashes)
                if self.good:
                    self.vardiff.accepted(hashes)
            self.vardiff.retune(self.now, self.seconds_per_share)
        return self.shares - before


@pytest.mark.parametrize("algorithm", [SHA256D, SCRYPT, Algorithm.parse("scrypt:1048576")])
@pytest.mark.parametrize("speed", [1e-3, 0.1, 1.0, 30.0, 3e3, 1e6])
def test_a_share_every_few_seconds_at_any_speed(algorithm: Algorithm, speed: float) -> None:
    """`speed` is in starts a second: from a very slow machine to a whole cluster behind one connection."""
    hashrate = max(speed * start_hashes(algorithm), 1.5)
    simulation = Simulation(algorithm, hashrate)
    simulation.run(1000 if speed < 0.01 else 60)
    assert 500 / 3 < simulation.run(1000) < 500 * 2
    assert simulation.vardiff.hashrate(simulation.now) == pytest.approx(hashrate, rel=0.6)


def test_an_operator_can_say_where_difficulty_begins_and_ends() -> None:
    hard = 1 << 40
    assert start_hashes(SHA256D, start=hard / (1 << 32)) == pytest.approx(hard, rel=1e-3)
    assert start_hashes(SHA256D, start=1e-9, least=1.0) == pytest.approx(1 << 32, rel=1e-3)
    vardiff = Vardiff(1e6, 0.0, least=1e5)
    for now in range(1000):
        vardiff.retune(float(now), 2.0)
    assert 1e5 <= vardiff.hashes_per_share < 1.6e5, "a miner that brings nothing gets no easier shares than these"


def test_the_start_does_not_flood() -> None:
    simulation = Simulation(SHA256D, 1e10)
    assert simulation.run(5) < 200, "although the first shares take a tenth of a millisecond"


def test_refused_shares_flood_no_more_than_good_ones_and_speak_for_no_hashrate() -> None:
    simulation = Simulation(SHA256D, 1e10, good=False)
    assert simulation.run(5) < 200
    assert 10 < simulation.run(100) < 200
    assert simulation.vardiff.hashrate(simulation.now) == 0.0


def test_a_miner_that_gets_slower_gets_easier_shares() -> None:
    simulation = Simulation(SCRYPT, 1e6)
    simulation.run(60)
    simulation.hashrate = 1e3
    simulation.run(120)
    assert 20 < simulation.run(100) < 120


def test_a_report_sets_it_at_once() -> None:
    vardiff = Vardiff(start_hashes(SCRYPT), 0.0)
    vardiff.report(20_000.0, 1.0)
    assert vardiff.retune(1.0, 2.0)
    assert vardiff.hashes_per_share == pytest.approx(40_000, rel=0.03)
    assert vardiff.hashrate(1.0) == 20_000
    vardiff.report(22_000.0, 2.0)
    assert not vardiff.retune(2.0, 2.0), "not worth a message"


def test_steps_are_bounded() -> None:
    vardiff = Vardiff(start_hashes(SCRYPT), 0.0)
    for reported, bound in ((1e15, MAX_RAISE), (1e-3, 1 / MAX_EASE)):
        before = vardiff.hashes_per_share
        vardiff.report(reported, 1.0)
        assert vardiff.retune(1.0, 2.0)
        assert vardiff.hashes_per_share == pytest.approx(before * bound)


def test_a_miner_that_reports_nothing_yet_is_given_no_easier_shares() -> None:
    """Miners of ours report once before they hash anything. Their first shares come fast all the same."""
    vardiff = Vardiff(start_hashes(SCRYPT), 0.0)
    vardiff.report(0.0, 0.0)
    assert not vardiff.retune(0.0, 2.0)
    for number in range(1, 40):
        before = vardiff.hashes_per_share
        vardiff.submitted(before)
        vardiff.retune(number / 100, 2.0)
        assert vardiff.hashes_per_share >= before
    assert vardiff.hashes_per_share > 4 * start_hashes(SCRYPT)


def test_shares_that_come_fast_are_not_made_easier_by_a_low_report() -> None:
    vardiff = Vardiff(start_hashes(SCRYPT), 0.0)
    vardiff.report(1.0, 0.0)
    for _ in range(QUICK_SHARES):
        vardiff.submitted(4096.0)
    assert vardiff.in_a_hurry(0.1, 2.0)
    before = vardiff.hashes_per_share
    assert vardiff.retune(0.1, 2.0)
    assert vardiff.hashes_per_share > before


def test_an_old_report_counts_no_more() -> None:
    vardiff = Vardiff(start_hashes(SCRYPT), 0.0)
    vardiff.report(20_000.0, 1.0)
    assert vardiff.hashrate(62.0) == 0.0


def test_understating_ones_speed_floods_nobody() -> None:
    simulation = Simulation(SCRYPT, 1e6)
    for _ in range(60):
        simulation.vardiff.report(1.0, simulation.now)
        simulation.run(1)
    assert simulation.run(60) < 400


def test_many_miners_get_rarer_shares() -> None:
    simulation = Simulation(SCRYPT, 5e4, seconds_per_share=20.0)
    simulation.run(100)
    assert 10 < simulation.run(1000) < 150


powers = st.integers(0, 255).map(lambda power: 1 << power)


@given(powers, powers, st.floats(0.1, 1e30), st.floats(0.0, 1e30), st.sampled_from([SHA256D, SCRYPT]))
@settings(max_examples=300)
def test_bounds_of_the_share_target(network: int, source: int, hashes: float, flood: float,
                                    algorithm: Algorithm) -> None:
    nbits = target_to_nbits(MAX_TARGET // max(network, 2))
    job = make_job(hashes=max(network, 2), share_hashes=source)
    assert job.nbits == nbits
    result = share_target(job, hashes, flood)
    assert result.target >= job.network_target, "no block is missed"
    assert result.target == difficulty_to_target(result.difficulty, job.algorithm), "what is said is what is judged by"
    if expected_hashes(job.share_target) >= flood * 1.01:
        assert result.target >= min(job.share_target, MAX_TARGET - (MAX_TARGET >> 50)), "nothing paid for is missed"
    if job.share_target <= EASIEST_TARGET and flood >= 2:
        assert result.target <= EASIEST_TARGET * 1.001


def test_the_sources_target_gives_way_to_a_flood() -> None:
    job = make_job(hashes=1 << 60, share_hashes=4)
    result = share_target(job, hashes_per_share=1e6, flood_hashes=1e4)
    assert expected_hashes(result.target) == pytest.approx(1e4)


def test_an_easy_source_is_followed() -> None:
    job = make_job(hashes=1 << 60, share_hashes=1 << 20)
    assert expected_hashes(share_target(job, 1e9, 100.0).target) == pytest.approx(1 << 20)
    assert expected_hashes(share_target(job, 1e3, 100.0).target) == pytest.approx(1e3)

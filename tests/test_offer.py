"""Blocks that miss a pool's own share target: offered, until the pool has refused a few."""

import dataclasses
import os

from miner.core.algorithm import Algorithm
from miner.core.model import Job, ShareResult, ShareStatus
from miner.core.offer import REFUSALS, Offer
from miner.core.source import SourceKind

SHA256D = Algorithm.parse("sha256d")
JOB = Job("1", SHA256D, 1, bytes(32), b"a", b"b", 4, b"c", (), 0x207FFFFF, 1700000000, True, 1 << 240)
BLOCK, SHARE, NEITHER = ((1 << bits).to_bytes(32, "little") for bits in (250, 230, 255))


def verdict(status: ShareStatus) -> ShareResult:
    return ShareResult(JOB.work(os.urandom(4)).share(0), status, "Above target")


def test_a_few_refusals_in_a_row_settle_it_once() -> None:
    offer = Offer()
    assert offer.target(JOB) == JOB.network_target > JOB.share_target
    assert [offer.learn(verdict(ShareStatus.REJECTED), BLOCK) for _ in range(REFUSALS + 2)] == [
        *[False] * (REFUSALS - 1), True, False, False]
    assert offer.target(JOB) == JOB.share_target
    assert Offer.to(SourceKind.POOL).target(JOB) == JOB.network_target
    assert Offer.to(SourceKind.HUB).target(JOB) == JOB.share_target


def test_a_source_that_takes_one_is_offered_more_and_other_refusals_say_nothing() -> None:
    offer = Offer()
    for _ in range(9):
        for _ in range(REFUSALS - 1):
            assert not offer.learn(verdict(ShareStatus.REJECTED), BLOCK)
            assert not offer.learn(verdict(ShareStatus.STALE), BLOCK)
            assert not offer.learn(dataclasses.replace(verdict(ShareStatus.REJECTED), stranger=True), BLOCK)
        assert not offer.learn(verdict(ShareStatus.ACCEPTED), BLOCK)
    for digest in (SHARE, NEITHER):
        assert not any(offer.learn(verdict(ShareStatus.REJECTED), digest) for _ in range(2 * REFUSALS))
    assert offer.target(JOB) == JOB.network_target

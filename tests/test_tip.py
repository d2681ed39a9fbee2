"""Which previous hash a chain still takes a block on."""

from miner.core.tip import Tip

FIRST, SECOND = b"\x01" * 32, b"\x02" * 32


def test_a_tip_takes_one_block() -> None:
    tip = Tip()
    assert not tip.takes(FIRST), "no work has come yet"
    assert tip.move(FIRST) and tip.takes(FIRST)
    tip.solve(FIRST)
    assert tip.is_solved(FIRST) and not tip.takes(FIRST)
    assert not tip.move(FIRST) and not tip.takes(FIRST), "newer work on the same hash: the block is still there"
    assert tip.move(SECOND) and tip.takes(SECOND) and not tip.takes(FIRST)
    assert tip.is_solved(FIRST), "a share on it that is still under way is in vain"


def test_a_chain_that_goes_back_takes_another_block() -> None:
    tip = Tip()
    tip.move(FIRST)
    tip.solve(FIRST)
    tip.move(SECOND)
    tip.move(FIRST)
    assert tip.takes(FIRST)


def test_a_source_may_want_another_block() -> None:
    tip = Tip()
    tip.move(FIRST)
    tip.solve(FIRST)
    tip.reopen()
    assert tip.takes(FIRST)

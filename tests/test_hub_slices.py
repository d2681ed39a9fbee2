"""Slices: no two miners search the same headers, and a successor doesn't repeat its predecessor's work."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_players import SHA256D, make_job
from miner.core.errors import SourceError
from miner.hub.editions import Edition
from miner.hub.slices import MAX_SLICES, MIN_EXTRANONCE2_SIZE, Layout, Slices
from miner.stratum.messages import Notify
from miner.stratum.wire import Request, decode

sizes = st.integers(MIN_EXTRANONCE2_SIZE, 16)


@given(sizes)
def test_every_size_leaves_the_miner_something(size: int) -> None:
    layout = Layout.of(size)
    assert layout.hidden_size + layout.prefix_size + layout.rest_size == size
    assert layout.rest_size >= (1 if size < 4 else 2)
    assert (256 if size < 4 else 4096) <= layout.slices <= MAX_SLICES


@pytest.mark.parametrize(("miners", "slices"), [(1, 4096), (4096, 4096), (4097, 8192), (65536, 65536)])
def test_four_bytes_are_shared_out_by_the_number_of_miners(miners: int, slices: int) -> None:
    layout = Layout.of(4, miners)
    assert (layout.slices, layout.slices * layout.editions, layout.rest_size) == (slices, 65536, 2)


@pytest.mark.parametrize("size", [0, 1])
def test_what_is_too_small_is_named(size: int) -> None:
    with pytest.raises(SourceError, match=f"extranonce2_size is {size}"):
        Layout.of(size)


@given(sizes, st.integers(0, 12), st.binary(max_size=8), st.integers(0, 255), st.integers(0, 1 << 20), st.data())
def test_the_miners_coinbase_is_the_sources(size: int, grown: int, extranonce1: bytes, number: int, edition: int,
                                            data: st.DataObject) -> None:
    """Also when the source's extranonce1 and size have changed since the space was cut."""
    layout, source = Layout.of(size), make_job(extranonce1=extranonce1, size=min(size + grown, 16))
    line = decode(Edition("beef", source, layout, edition, 0).line(number, False))
    assert isinstance(line, Request)
    job = Notify.parse(line.params).to_job(SHA256D, layout.prefix(number), layout.rest_size, 1.0)
    assert job.job_id == f"beef{number:04x}"
    assert (job.prev_hash, job.ntime, job.clean) == (source.prev_hash, source.ntime, False)
    rest = data.draw(st.binary(min_size=layout.rest_size, max_size=layout.rest_size))
    assert layout.fits(source)
    assert job.coinbase(rest) == source.coinbase(Edition("beef", source, layout, edition, 0).extranonce2(number, rest))


@given(sizes, st.data())
def test_slices_and_editions_never_overlap(size: int, data: st.DataObject) -> None:
    layout = Layout.of(size)
    source = make_job(size=size)
    place = st.tuples(st.integers(0, layout.slices - 1), st.integers(0, layout.editions - 1),
                      st.binary(min_size=layout.rest_size, max_size=layout.rest_size))
    one, other = data.draw(place), data.draw(place)

    def extranonce2(number: int, edition: int, rest: bytes) -> bytes:
        return Edition("beef", source, layout, edition, 0).extranonce2(number, rest)

    assert (extranonce2(*one) == extranonce2(*other)) is (one == other)


def test_a_wrong_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="extranonce2 has 3 bytes instead of 5"):
        Edition("beef", make_job(), Layout.of(8), 0, 0).extranonce2(0, b"abc")


def test_a_source_that_shrinks_no_longer_fits() -> None:
    assert not Layout.of(8).fits(dataclasses.replace(make_job(), extranonce2_size=7))


def test_a_freed_slice_rests_until_the_chain_moves() -> None:
    slices = Slices(4)
    assert [slices.take(), slices.take()] == [0, 1]
    slices.free(0)
    assert slices.take() == 2
    slices.chain_moved()
    assert [slices.take(), slices.take()] == [3, 0], "those that nobody has had go first"


def test_who_comes_back_gets_its_slice_unless_another_has_it() -> None:
    slices = Slices(2)
    assert [slices.take(), slices.take()] == [0, 1]
    assert not slices.retake(0)
    slices.free(0)
    assert slices.retake(0) and not slices.retake(0)
    slices.free(0)
    slices.chain_moved()
    assert slices.retake(0) and slices.take() is None


def test_only_when_none_is_left_it_is_given_out_before_longest_freed_first() -> None:
    slices = Slices(3)
    taken = [slices.take() for _ in range(3)]
    assert slices.take() is None
    for number in (2, 0):
        slices.free(number)
    assert [slices.take(), slices.take(), slices.take()] == [2, 0, None]
    assert taken == [0, 1, 2]


def test_a_slice_that_nobody_worked_in_is_as_good_as_new() -> None:
    slices = Slices(2)
    assert [slices.take(), slices.take()] == [0, 1]
    slices.free(1)
    slices.free(0, worked=False)
    assert slices.take() == 0


def test_freeing_twice_is_an_error() -> None:
    slices = Slices(4)
    slices.take()
    slices.free(0)
    with pytest.raises(KeyError):
        slices.free(0)


@given(st.integers(1, 6), st.lists(st.sampled_from(["take", "free", "idle", "move"]), max_size=60), st.data())
@settings(max_examples=200)
def test_whatever_happens_a_slice_has_one_holder(count: int, steps: list[str], data: st.DataObject) -> None:
    slices, held, worked = Slices(count), set[int](), set[int]()
    for step in steps:
        if step == "take":
            number = slices.take()
            if number is None:
                assert len(held) == count
                continue
            assert number not in held and 0 <= number < count
            if number in worked:
                assert held | worked == set(range(count)), "only when no fresh one is left"
            held.add(number)
        elif step == "move":
            slices.chain_moved()
            worked.clear()
        elif held:
            number = data.draw(st.sampled_from(sorted(held)))
            slices.free(number, worked=step == "free")
            held.remove(number)
            if step == "free":
                worked.add(number)


def test_who_leaves_without_having_searched_leaves_a_slice_as_it_was() -> None:
    slices = Slices(2)
    assert slices.take() == 0
    slices.free(0)
    assert (slices.take(), slices.take()) == (1, 0)
    slices.free(0, worked=False)  # a stranger had it, but a miner before it has searched there
    slices.free(1, worked=False)
    assert slices.take() == 1, "in which nobody has searched"

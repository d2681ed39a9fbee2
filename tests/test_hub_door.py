"""The hub's door: strangers are bounded, the oldest gives way, and who was thrown out stays out for a while."""

from typing import Any

import pytest

from miner.core.source import Notice
from miner.hub.config import HubConfig
from miner.hub.door import TOLD_SECONDS, YOUNG_SECONDS, Door


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Guest:
    """A connection that only remembers what it was told."""

    def __init__(self, host: str, *, waiting: bool = False, has_slice: bool = False) -> None:
        self.host, self.waiting, self.has_slice = host, waiting, has_slice
        self.reason = ""

    def give_up_slice(self) -> bool:
        had, self.has_slice = self.has_slice, False
        return had

    def end(self, reason: str) -> None:
        self.reason = reason


class Hall:
    """A door, what it told, and a clock."""

    def __init__(self, **config: Any) -> None:
        self.clock, self.told = Clock(), list[str]()
        self.door = Door(HubConfig(**config), self._tell, self.clock)

    def _tell(self, notice: Notice) -> None:
        self.told.append(notice.text)

    def come(self, host: str, *, waiting: bool = False, has_slice: bool = False) -> Guest:
        guest = Guest(host, waiting=waiting, has_slice=has_slice)
        self.door.arrive(guest)
        return guest


def test_one_too_many_from_an_address_costs_that_address_its_oldest() -> None:
    hall = Hall(max_strangers_per_address=2)
    other = hall.come("198.51.100.1")
    mob = [hall.come("203.0.113.5") for _ in range(4)]
    assert [bool(guest.reason) for guest in mob] == [True, True, False, False]
    assert not other.reason


def test_one_too_many_of_all_costs_the_oldest_of_all() -> None:
    hall = Hall(max_strangers=2)
    guests = [hall.come(f"198.51.100.{number}") for number in range(3)]
    assert [bool(guest.reason) for guest in guests] == [True, False, False]


def test_who_has_logged_in_counts_no_more() -> None:
    hall = Hall(max_strangers=2, max_strangers_per_address=1)
    first = hall.come("198.51.100.1")
    hall.door.forget(first)
    hall.come("198.51.100.1")
    hall.come("198.51.100.2")
    assert not first.reason


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", ""])
def test_loopback_has_no_bound_of_its_own_and_no_ban(host: str) -> None:
    hall = Hall(max_strangers_per_address=1)
    hall.door.ban(host)
    guests = [hall.come(host) for _ in range(5)]
    assert not any(guest.reason for guest in guests)


@pytest.mark.parametrize("host", ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8:5::1"])
def test_listed_networks_have_no_bound_of_their_own_and_no_ban(host: str) -> None:
    hall = Hall(max_strangers_per_address=1, exempt_networks=("192.0.2.0/24", "2001:db8:5::/48"))
    hall.door.ban(host)
    assert not any(guest.reason for guest in [hall.come(host) for _ in range(5)])
    hall.door.ban("192.0.3.7")
    assert hall.come("192.0.3.7").reason


def test_newcomers_wait_while_all_strangers_are_young() -> None:
    hall = Hall(max_strangers=1)
    assert hall.door.open
    hall.come("198.51.100.1")
    assert not hall.door.open
    hall.clock.now += YOUNG_SECONDS
    assert hall.door.open


def test_who_was_thrown_out_stays_out_for_a_while() -> None:
    hall = Hall(ban_seconds=60)
    hall.door.ban("2001:db8:1:2::3")
    assert hall.come("2001:db8:1:2:ffff::9").reason, "a /64 is one customer's"
    assert not hall.come("2001:db8:1:3::3").reason
    hall.clock.now += 61
    assert not hall.come("2001:db8:1:2::3").reason


def test_the_time_for_a_login_ends_unless_the_hub_has_no_work() -> None:
    hall = Hall(login_seconds=10)
    idle, waits = hall.come("198.51.100.1"), hall.come("198.51.100.2", waiting=True)
    hall.clock.now += 9
    late = hall.come("198.51.100.3")
    hall.clock.now += 2
    hall.door.tick()
    assert (idle.reason, waits.reason, late.reason) == ("no login in time", "", "")


def test_a_slice_is_taken_back_from_the_stranger_that_has_had_it_longest() -> None:
    hall = Hall()
    without = hall.come("198.51.100.1")
    holders = [hall.come(f"198.51.100.{number}", has_slice=True) for number in (2, 3)]
    assert hall.door.free_slice()
    assert [bool(guest.reason) for guest in (without, *holders)] == [False, True, False]
    assert hall.door.free_slice()
    assert not hall.door.free_slice()


def test_refusals_are_told_at_once_and_then_counted() -> None:
    hall = Hall()
    for number in range(5):
        hall.door.refused("spoke TLS", f"refused number {number}")
    hall.door.refused("sent nonsense", "refused another")
    hall.door.tick()
    assert hall.told == ["refused number 0", "refused another"]
    hall.clock.now += TOLD_SECONDS
    for _ in range(3):
        hall.door.tick()
    assert hall.told[2:] == ["refused since: 4 that spoke TLS"]

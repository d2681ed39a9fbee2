"""The hub's first line of defence: bounds on connections that have not logged in, and bans. No sockets."""

import functools
import ipaddress
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from miner.core.source import Notice
from miner.hub.config import HubConfig

TOLD_SECONDS = 60.0  # from one line on refusals of a kind to the next
YOUNG_SECONDS = 1.0  # a stranger that has been here for less is not sent out for another; newcomers wait instead
MAX_BANS = 4096


class Guest(Protocol):
    """A connection, as the door sees it."""

    host: str

    @property
    def waiting(self) -> bool:
        """It has said what it has to, and the hub has no work for it yet."""

    def give_up_slice(self) -> bool:
        """Free the slice of a stranger; False where it has none."""

    def end(self, reason: str) -> None:
        """Hang up."""


class Door:
    """Knows the strangers: connections without a login. `tell` gets a line on refusals: the first of each kind at once,
    the others by their number, once a minute. Loopback addresses and the `exempt_networks` have no bound
    of their own and no bans."""

    def __init__(self, config: HubConfig, tell: Callable[[Notice], None],
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._config, self._tell, self._clock = config, tell, clock
        self._exempt = [ipaddress.ip_network(network) for network in config.exempt_networks]
        self._place = functools.lru_cache(MAX_BANS)(self._find_place)  # asked for three times a login
        self._strangers: dict[Guest, float] = {}  # since when; oldest first
        self._by_place: dict[str, dict[Guest, None]] = {}
        self._banned: dict[str, float] = {}  # until when
        self._told: dict[str, float] = {}  # when, by kind of refusal
        self._untold: Counter[str] = Counter()

    @property
    def open(self) -> bool:
        """Whether another stranger can be taken in without harm to one that has hardly said hello."""
        if len(self._strangers) < self._config.max_strangers:
            return True
        return self._clock() - next(iter(self._strangers.values())) >= YOUNG_SECONDS

    def arrive(self, guest: Guest) -> None:
        """A connection has begun. Where it is one too many the oldest stranger goes, its own address's first."""
        place = self._place(guest.host)
        if self.bans(guest.host):
            self.refused("came from a banned address", f"refused a miner from {guest.host}: banned for a while")
            guest.end("banned for a while")
            return
        neighbours = self._by_place.setdefault(place, {})
        if place and len(neighbours) >= self._config.max_strangers_per_address:
            self._send_out(next(iter(neighbours)))
        elif len(self._strangers) >= self._config.max_strangers:
            self._send_out(next(iter(self._strangers)))
        self._strangers[guest] = self._clock()
        self._by_place.setdefault(place, {})[guest] = None

    def forget(self, guest: Guest) -> None:
        """A stranger has logged in, or gone. Others may be named without harm."""
        if self._strangers.pop(guest, None) is not None:
            neighbours = self._by_place[place := self._place(guest.host)]
            del neighbours[guest]
            if not neighbours:
                del self._by_place[place]

    def make_room(self) -> bool:
        """Send out the oldest stranger; False where there is none."""
        if oldest := next(iter(self._strangers), None):
            self._send_out(oldest)
        return oldest is not None

    def free_slice(self) -> bool:
        """Take back the slice that a stranger has had for the longest; False where none has one."""
        for guest in self._strangers:
            if guest.give_up_slice():
                self._send_out(guest)
                return True
        return False

    def ban(self, host: str) -> None:
        """Let nobody in from this address for a while."""
        if place := self._place(host):
            self._banned.pop(place, None)
            self._banned[place] = self._clock() + self._config.ban_seconds
            if len(self._banned) > MAX_BANS:
                del self._banned[next(iter(self._banned))]

    def bans(self, host: str) -> bool:
        """Whether this address is banned just now."""
        return self._banned.get(self._place(host), 0.0) > self._clock()

    def refused(self, kind: str, text: str) -> None:
        """Somebody was: `text` tells of this one, `kind` goes behind a number of them."""
        if self._clock() - self._told.get(kind, float("-inf")) < TOLD_SECONDS:
            self._untold[kind] += 1
            return
        self._told[kind] = self._clock()
        self._tell(Notice(text))

    def tick(self) -> None:
        """To be called each second or so: sends out who has not logged in in time, and tells what was not told."""
        now = self._clock()
        for guest, since in list(self._strangers.items()):
            if now - since <= self._config.login_seconds:
                break
            if not guest.waiting:
                guest.end("no login in time")
                self.forget(guest)
        due = [kind for kind in self._untold if now - self._told[kind] >= TOLD_SECONDS]
        if due:
            self._tell(Notice("refused since: " + ", ".join(f"{self._untold.pop(kind)} that {kind}" for kind in due)))
            self._told |= dict.fromkeys(due, now)

    def _send_out(self, guest: Guest) -> None:
        self.refused("had not logged in when room was needed",
                     f"sent out {guest.host}, which has not logged in: the room is needed")
        guest.end("not logged in, and the room is needed")
        self.forget(guest)


    def _find_place(self, host: str) -> str:
        """What counts as one address: an IPv4 address, or the /64 that one customer has of IPv6. "" for loopback, for
        an exempt network, and for what is no address."""
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return ""
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if address.is_loopback or any(address in network for network in self._exempt):
            return ""
        if isinstance(address, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((address, 64), strict=False))
        return str(address)

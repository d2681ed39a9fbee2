"""The settings of a hub, checked."""

import ipaddress
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from miner.core.errors import UsageError
from miner.hub.slices import MAX_SLICES
from miner.hub.tokens import Tokens
from miner.tls import TlsFiles


@dataclass(frozen=True, slots=True)
class HubConfig:
    """Who may join, and how much of the hub one miner may use.

    host                  address to listen on: loopback unless told otherwise
    port                  0: any free port
    token                 the password that miners must show; made at random where it is empty and there are no
                          `users`; repr leaves it out
    users                 tokens of single users, by user name; repr leaves them out
    tls                   serve TLS: with the certificate in these files, or (True) with one that is made for this run;
                          False: plain
    pass_workers          the pool is to count each miner's shares under the pool user's name with the miner's behind it
    max_miners            connections at a time, logged in or not
    login_seconds         a connection that has not logged in by then is closed
    idle_seconds          a connection that sends nothing meanwhile is closed (a slow miner may need long for a share)
    session_seconds       that a miner may be away and still get its slice, difficulty and row again
    seconds_per_share     what the vardiff aims at for each miner, and
    max_shares_per_second for all of them together
    start_difficulty      that a miner begins with, in the algorithm's own scale; 0: what suits a CPU
    least_difficulty      no share is ever easier, unless a block of the chain is
    max_strangers         connections at a time that have not logged in; beyond that the oldest of them goes
    max_strangers_per_address  of them from one address (IPv6: one /64), loopback excepted
    messages_per_second   that one miner may send in the long run (ten seconds' worth at once); then it isn't read for a
                          while
    ban_seconds           for which nobody is let in from the address of a miner that was thrown out for nonsense,
                          loopback excepted
    exempt_networks       networks in CIDR notation whose addresses have, as loopback, neither that bound nor bans
    max_buffer            bytes that may wait for a miner that doesn't read; with more it is closed
    """

    host: str = "127.0.0.1"
    port: int = 0
    token: str = field(default="", repr=False)
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: TlsFiles | bool = False
    pass_workers: bool = False
    max_miners: int = 4096
    login_seconds: float = 10.0
    idle_seconds: float = 600.0
    session_seconds: float = 600.0
    seconds_per_share: float = 2.0
    max_shares_per_second: float = 50.0
    start_difficulty: float = 0.0
    least_difficulty: float = 0.0
    max_strangers: int = 2048
    max_strangers_per_address: int = 128
    messages_per_second: float = 20.0
    ban_seconds: float = 300.0
    exempt_networks: tuple[str, ...] = ()
    max_buffer: int = 256 * 1024

    def __post_init__(self) -> None:
        if not self.token and not self.users:
            object.__setattr__(self, "token", secrets.token_urlsafe(24))
        Tokens(self.token, self.users).check(public=not is_loopback(self.host))
        if not self.host:
            raise UsageError("the hub's host is empty: name the address to listen on, e.g. 127.0.0.1")
        if not 0 <= self.port <= 65535:
            raise UsageError(f"hub port {self.port}: must be from 0 (any free one) to 65535")
        if not 1 <= self.max_miners <= MAX_SLICES:
            raise UsageError(f"hub limit of {self.max_miners} miners: must be from 1 to {MAX_SLICES}")
        for name in ("login_seconds", "idle_seconds", "session_seconds", "seconds_per_share", "max_shares_per_second",
                     "max_buffer", "max_strangers", "max_strangers_per_address", "messages_per_second", "ban_seconds"):
            if not getattr(self, name) > 0:
                raise UsageError(f"hub setting {name} must be a positive number, not {getattr(self, name)!r}")
        for network in self.exempt_networks:
            try:
                ipaddress.ip_network(network)
            except ValueError:
                raise UsageError(f"hub setting exempt_networks: {network!r} is no network such as 192.0.2.0/24 or "
                                 "2001:db8::/32") from None
        for name in ("start_difficulty", "least_difficulty"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"hub setting {name} must be a number from 0, not {getattr(self, name)!r}")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

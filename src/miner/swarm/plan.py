"""What a swarm is to do: how many miners of which kind, how fast, for how long. Checked; nothing is bounded by the
server's goodwill."""

import enum
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from miner.config import SourceConfig
from miner.core.errors import UsageError

MAX_MINERS = 1 << 16
MAX_SHARES = 100_000.0  # a second
MAX_SECONDS = 7 * 86400.0


class Role(enum.Enum):
    """How a miner of the swarm behaves once it has logged in."""

    HONEST = "honest"
    SLOW_READER = "slow reader"  # reads READ_SLOWLY bytes a second
    JUNK = "junk"  # each of its shares is wrong
    STALE = "stale"  # hands in shares on jobs of the previous hash before
    HALF_OPEN = "half-open"  # says and reads nothing more, like a host that has lost its network


@dataclass(frozen=True, slots=True)
class Plan:
    """A swarm's settings.

    server        URL and login of the server, and whom TLS trusts there. %d in the user name becomes a miner's number
    miners        connections
    shares        that all miners together hand in, a second
    ramp          seconds over which the connections are opened; 0: all at once
    seconds       of load after the ramp
    addresses     of this machine, from which connections are opened in turn; none: the system's choice
    slow_readers, junk, stale, half_open  parts of the miners, from 0 to 1, that misbehave: see Role
    storm         part of the miners that hang up and reconnect at once in the middle of the load
    """

    server: SourceConfig = field(repr=False)
    miners: int = 100
    shares: float = 20.0
    ramp: float = 5.0
    seconds: float = 30.0
    addresses: tuple[str, ...] = ()
    slow_readers: float = 0.0
    junk: float = 0.0
    stale: float = 0.0
    half_open: float = 0.0
    storm: float = 0.0

    def __post_init__(self) -> None:
        for name, least, most in (("miners", 1, MAX_MINERS), ("shares", 0, MAX_SHARES), ("ramp", 0, MAX_SECONDS),
                                  ("seconds", 0, MAX_SECONDS), ("storm", 0, 1), *((part, 0, 1) for part in _PARTS)):
            if not (math.isfinite(value := getattr(self, name)) and least <= value <= most):
                raise UsageError(f"swarm setting {name} must be from {least} to {most:g}, not {value!r}")
        if sum(getattr(self, part) for part in _PARTS) > 1:
            raise UsageError("the swarm's slow readers, junk, stale and half-open miners are more than all of it")

    @property
    def roles(self) -> dict[Role, int]:
        """How many miners there are of each kind; where a part of them is asked for, at least one."""
        counts = {role: math.ceil(self.miners * getattr(self, part) - 1e-9) for part, role in _PARTS.items()}
        return {Role.HONEST: max(0, self.miners - sum(counts.values()))} | counts

    def each_role(self) -> Iterator[Role]:
        """A role for each miner, the kinds well mixed."""
        counts, given = self.roles, dict.fromkeys(Role, 0)
        for number in range(self.miners):
            role = max(Role, key=lambda role: counts[role] * (number + 1) / self.miners - given[role])
            given[role] += 1
            yield role

    def username(self, number: int) -> str:
        """What the miner of this number, from 1, logs in as."""
        return self.server.username.replace("%d", str(number))


_PARTS = {"slow_readers": Role.SLOW_READER, "junk": Role.JUNK, "stale": Role.STALE, "half_open": Role.HALF_OPEN}

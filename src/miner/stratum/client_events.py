"""What a miner's end of a stratum connection has to tell."""

from dataclasses import dataclass, field

from miner.core.model import Job, ShareStatus
from miner.stratum import messages
from miner.stratum.reject import Reject


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The pool let us in. Jobs follow once the login holds too."""

    extranonce1: bytes
    extranonce2_size: int
    session: str


@dataclass(frozen=True, slots=True)
class Authorized:
    """The login holds."""


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """The pool does not know this user and password. There is no use in trying again. `reason`: the pool's words."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoHub:
    """The other end was to be a hub of this package and gave no nonce to log in with: it is something else, or somebody
    on the way takes the nonce out, to see the password. Nothing was told."""


@dataclass(frozen=True, slots=True)
class LoginLost:
    """The pool refused several shares in a row as those of a worker that it doesn't know, though the login held. We log
    in again, and no share can be handed in before the next Authorized. `reason`: the pool's words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Shunned:
    """The pool goes on refusing shares as those of a worker that it doesn't know, after another login as well. There is
    no use in this connection. `reason`: the pool's words."""

    reason: str


@dataclass(frozen=True, slots=True)
class NewDifficulty:
    """The pool has set a difficulty for the jobs that follow; those that were issued before keep theirs."""

    difficulty: float


@dataclass(frozen=True, slots=True)
class Answered:
    """The verdict on the share that `submit` gave this number. `reason`: the pool's words where it wasn't accepted, and
    `kind` what they mean, where they come from the pool. `no_block`: as in ShareResult."""

    request_id: int
    status: ShareStatus
    reason: str = ""
    kind: Reject | None = field(default=None, compare=False)
    no_block: bool = False


@dataclass(frozen=True, slots=True)
class Ignored:
    """The other side sent something senseless. It changed nothing."""

    reason: str


ClientEvent = (Job | Subscribed | Authorized | LoginRefused | NoHub | LoginLost | Shunned | NewDifficulty | Answered
               | Ignored | messages.Reconnect | messages.ShowMessage | messages.Stop | messages.Pause)

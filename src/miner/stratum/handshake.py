"""How far a miner's connection to a pool has come, as a table of states and the steps between them.

                  CONFIGURE
        NEW ────────────────────> CONFIGURING      at a hub, whose extension is asked for first
         │                             │ │
         │ SUBSCRIBE                   │ └─ REFUSE ─> REFUSED    where it is no hub of ours
         │                   SUBSCRIBE │
         v                             │
        SUBSCRIBING <──────────────────┘
         │   │  ^
         │   │  └─ SUBSCRIBE          once more, where the pool doesn't like the session that was asked for
         │   └──── REFUSE ──────┐
         │ AUTHORIZE            v
         v                   REFUSED               the end: the connection is to be closed
        AUTHORIZING ── REFUSE ──^
         │      ^
         │ ENTER│ AUTHORIZE                        once more, where the pool has forgotten who we are
         v      │
        READY ──┘                                  jobs come out, shares go in
"""

import enum

from miner.core.errors import ProtocolError


class State(enum.Enum):
    """Where a connection stands. Each state but READY and REFUSED waits for the pool's answer to the step before."""

    NEW = "new"
    CONFIGURING = "configuring"
    SUBSCRIBING = "subscribing"
    AUTHORIZING = "authorizing"
    READY = "ready"
    REFUSED = "refused"


class Step(enum.Enum):
    """What takes a connection from one state to the next: a request of ours, or the pool's answer to the last one."""

    CONFIGURE = "mining.configure"
    SUBSCRIBE = "mining.subscribe"
    AUTHORIZE = "mining.authorize"
    ENTER = "a login that holds"
    REFUSE = "a refusal"


TABLE: dict[State, dict[Step, State]] = {
    State.NEW: {Step.CONFIGURE: State.CONFIGURING, Step.SUBSCRIBE: State.SUBSCRIBING},
    State.CONFIGURING: {Step.SUBSCRIBE: State.SUBSCRIBING, Step.REFUSE: State.REFUSED},
    State.SUBSCRIBING: {Step.SUBSCRIBE: State.SUBSCRIBING, Step.AUTHORIZE: State.AUTHORIZING,
                        Step.REFUSE: State.REFUSED},
    State.AUTHORIZING: {Step.ENTER: State.READY, Step.REFUSE: State.REFUSED},
    State.READY: {Step.AUTHORIZE: State.AUTHORIZING},
    State.REFUSED: {},
}


class Handshake:
    """The state of one connection. `state` is for reading."""

    def __init__(self) -> None:
        self.state = State.NEW

    def take(self, step: Step) -> None:
        """Go on by one step. Raises ProtocolError, and changes nothing, where the table has no such step."""
        try:
            self.state = TABLE[self.state][step]
        except KeyError:
            raise ProtocolError(f"{step.value} makes no sense on a connection that is {self.state.value}") from None

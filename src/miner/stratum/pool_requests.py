"""What a pool says by itself, on the miner's end of a connection: jobs, difficulties and orders. No I/O."""

import math
from collections.abc import Callable, Iterator

from miner.core.errors import ProtocolError
from miner.stratum import messages
from miner.stratum.calls import Calls
from miner.stratum.client_events import ClientEvent, NewDifficulty
from miner.stratum.pool_jobs import PoolJobs
from miner.stratum.wire import Request


class PoolRequests:
    """The pool's requests and notifications on one connection, by method. `extension`: the other end is a hub of ours,
    which may pause or stop us."""

    def __init__(self, jobs: PoolJobs, calls: Calls, user_agent: str, difficulty_scale: float) -> None:
        """`difficulty_scale`: what the pool's difficulties are multiplied with."""
        self.extension = False
        self._jobs, self._calls = jobs, calls
        self._user_agent, self._difficulty_scale = user_agent, difficulty_scale
        self._methods: dict[str, Callable[[Request], ClientEvent | None]] = {
            messages.Notify.METHOD: lambda request: jobs.take(messages.Notify.parse(request.params)),
            messages.SetDifficulty.METHOD: self._on_set_difficulty,
            messages.SetExtranonce.METHOD: self._on_set_extranonce,
            messages.SetVersionMask.METHOD: self._on_set_version_mask,
            messages.Reconnect.METHOD: lambda request: messages.Reconnect.parse(request.params),
            messages.ShowMessage.METHOD: lambda request: messages.ShowMessage.parse(request.params),
            messages.Stop.METHOD: self._on_stop,
            messages.Pause.METHOD: self._on_pause,
            messages.PING: lambda request: calls.reply(request, "pong"),
            messages.GET_VERSION: lambda request: calls.reply(request, user_agent),
        }

    def receive(self, request: Request) -> Iterator[ClientEvent]:
        """What the request means. Unknown methods are passed over in silence, with an id or without: pools invent
        notifications, put ids on them, and some close the connection on an answer that they don't expect. Raises
        ProtocolError where a known one makes no sense."""
        handler = self._methods.get(request.method)
        event = handler(request) if handler else None
        if event is not None:
            yield event

    def _on_set_difficulty(self, request: Request) -> NewDifficulty:
        difficulty = messages.SetDifficulty.parse(request.params).difficulty * self._difficulty_scale
        if not 0 < difficulty < math.inf:
            raise ProtocolError(f"{request.method}: beyond all measure")
        self._jobs.difficulty = difficulty
        return NewDifficulty(difficulty)

    def _on_set_extranonce(self, request: Request) -> None:
        message = messages.SetExtranonce.parse(request.params)
        self._jobs.extranonce = message.extranonce1, message.extranonce2_size

    def _on_set_version_mask(self, request: Request) -> ClientEvent | None:
        if self._jobs.version_mask is None:
            return None
        return self._jobs.set_version_mask(messages.SetVersionMask.parse(request.params).mask)

    def _on_pause(self, request: Request) -> messages.Pause | None:
        return messages.Pause.parse(request.params) if self.extension else None

    def _on_stop(self, request: Request) -> messages.Stop | None:
        return messages.Stop.parse(request.params) if self.extension else None

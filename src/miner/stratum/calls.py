"""Requests of ours to a pool, their numbers, and what is done with their answers. No I/O."""

from collections.abc import Callable, Collection, Iterator

from miner.stratum.client_events import ClientEvent
from miner.stratum.wire import Request, Response, encode_request, encode_response

Handler = Callable[[Response], Iterator[ClientEvent]]


class Calls:
    """What one connection has to say and waits for. `unanswered_offers`: methods offered to a pool that has not
    answered them; some pools hang up on what they don't know."""

    def __init__(self, unwelcome: Collection[str]) -> None:
        """`unwelcome`: methods that are never offered."""
        self.unanswered_offers: set[str] = set()
        self._unwelcome = frozenset(unwelcome)
        self._out = bytearray()
        self._number = 0
        self._handlers: dict[int, Handler] = {}  # by number of the request

    def __len__(self) -> int:
        """How many requests are without an answer."""
        return len(self._handlers)

    def data_to_send(self) -> bytes:
        """What is to be sent now; empties the buffer."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def call(self, method: str, params: list[object], handler: Handler) -> int:
        """Send a request; `handler` gets its answer. Returns the request's number."""
        self._number += 1
        self._handlers[self._number] = handler
        self._out += encode_request(self._number, method, params)
        return self._number

    def offer(self, method: str, params: list[object],
              handler: Handler = lambda response: iter(())) -> None:
        """Send a request that a pool need not know, unless it is unwelcome there. By default the answer changes
        nothing."""
        if method in self._unwelcome:
            return

        def on_answer(response: Response) -> Iterator[ClientEvent]:
            self.unanswered_offers.discard(method)
            return handler(response)

        self.unanswered_offers.add(method)
        self.call(method, params, on_answer)

    def tell(self, method: str, params: list[object]) -> None:
        """Send a notification, which has no answer."""
        self._out += encode_request(None, method, params)

    def reply(self, request: Request, result: str) -> None:
        """Answer a request of the pool's, if it wants an answer."""
        if request.id is not None:
            self._out += encode_response(request.id, result)

    def forget(self, number: int) -> bool:
        """Wait no longer for an answer. Returns whether it was still awaited."""
        return self._handlers.pop(number, None) is not None

    def answered(self, response: Response) -> Iterator[ClientEvent] | None:
        """What an answer means; None where no request waits for it."""
        handler = self._handlers.pop(response.id, None) if isinstance(response.id, int) else None
        return handler(response) if handler else None

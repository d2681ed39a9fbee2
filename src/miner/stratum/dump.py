"""What goes over the wire, for people who look for the fault in it: line by line, the password left out."""

import json
from collections.abc import Iterator

from miner.core.errors import ProtocolError
from miner.core.source import Traffic
from miner.stratum import messages
from miner.stratum.wire import LineBuffer


class Dump:
    """The messages of one connection. What arrives in pieces is told in lines, but for one that is longer than
    `max_line` bytes."""

    def __init__(self, max_line: int) -> None:
        self._arriving = LineBuffer(max_line)

    def sent(self, data: bytes) -> Iterator[Traffic]:
        """Whole lines of ours, the password of a login masked."""
        for line in data.splitlines():
            message = json.loads(line)  # our own
            if message.get("method") == messages.Authorize.METHOD:
                message["params"][1:] = ["***"]
            yield Traffic(True, json.dumps(message))

    def received(self, data: bytes) -> Iterator[Traffic]:
        """The lines that the pool's `data` ends, as they are."""
        self._arriving.feed(data)
        try:
            while (line := self._arriving.next_line()) is not None:
                yield Traffic(False, line.decode("utf-8", "replace"))
        except ProtocolError:
            return

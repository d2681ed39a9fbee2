"""What comes in on thousands of connections, read into one buffer."""

import asyncio
import threading
from abc import abstractmethod
from typing import ClassVar

MOST_AT_ONCE = 64 << 10  # bytes


class _Buffer(threading.local):
    """One for each thread, and so for each event loop. A view: asyncio's TLS writes into slices of it, and a slice of a
    bytearray would be a copy."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(MOST_AT_ONCE))


_buffer = _Buffer()


class Receiver(asyncio.BufferedProtocol):
    """A protocol that gets what comes in with `data_received`, as an asyncio.Protocol does, and at less cost: asyncio
    makes 256 KiB for each read of a Protocol, which the system maps and unmaps: 40 µs of CPU time a message (Linux,
    glibc).

    `at_once` bytes are read at most before the loop turns to the others."""

    __slots__ = ()
    at_once: ClassVar[int] = MOST_AT_ONCE

    def get_buffer(self, sizehint: int) -> memoryview:
        """Called by asyncio right before it reads. All connections of a loop may share a buffer, since what was read
        is taken out of it before the loop reads from another."""
        return _buffer.view[:self.at_once]

    def buffer_updated(self, nbytes: int) -> None:
        """Called by asyncio right after it has read."""
        self.data_received(bytes(_buffer.view[:nbytes]))

    @abstractmethod
    def data_received(self, data: bytes) -> None:
        """Take the next bytes of the stream."""

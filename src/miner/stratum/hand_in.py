"""Shares on their way to a pool, over as many connections as it takes.

A connection may break before the pool has said what became of a share. Where the pool gives the next connection the
extranonce of the broken one, the job may still stand there, and the share is handed in again: it may be a block. What
ends that is a verdict, a job that the pool no longer has, or a bound on the time and the tries.
"""

import asyncio

from miner.core.model import Share, ShareStatus
from miner.stratum.client_events import Answered
from miner.stratum.connection import PoolConnection
from miner.stratum.lost import LostError
from miner.stratum.reject import Reject

HELD_SECONDS = 300.0  # from the first try on: longer than most pauses between two connections
MAX_TRIES = 5  # times that a share is sent
MAX_HELD = 256  # shares that wait for a connection


class HandIn:
    """Takes shares at any time, and sends them while a connection is open for them."""

    def __init__(self) -> None:
        self._connection: PoolConnection | None = None  # one that is logged in
        self._open = asyncio.Event()  # there is one, or there will be none
        self._ended = True
        self._held = 0

    def begin(self) -> None:
        """From now on connections come."""
        self._ended = False

    def use(self, connection: PoolConnection) -> None:
        """The login holds on this connection: what waits goes out on it."""
        self._connection = connection
        self._open.set()

    def hold(self) -> None:
        """The connection is gone, or its login: shares wait."""
        self._connection = None
        if not self._ended:
            self._open.clear()

    def end(self) -> None:
        """No connection comes any more: shares that wait are told so."""
        self._connection, self._ended = None, True
        self._open.set()

    async def submit(self, share: Share) -> Answered:
        """Hand in a share. Returns the pool's verdict, or STALE with the reason why there is none."""
        reason, tries = "not connected", 0
        try:
            async with asyncio.timeout(HELD_SECONDS):
                while tries < MAX_TRIES and (connection := await self._next_connection()):
                    tries += 1
                    try:
                        answer = await connection.submit(share)
                    except LostError as lost:
                        reason = str(lost)
                        continue
                    if tries > 1 and answer.kind is Reject.DUPLICATE:  # it had come through before
                        return Answered(answer.request_id, ShareStatus.ACCEPTED)
                    if tries > 1 and answer.kind is None and answer.status is ShareStatus.STALE:
                        break  # the job is not one of this connection: the reason is that the other one was lost
                    return answer
        except TimeoutError:
            pass
        return Answered(0, ShareStatus.STALE, reason)

    async def _next_connection(self) -> PoolConnection | None:
        """One that is logged in, once there is one; None where there will be none, or too many shares wait for it."""
        if not self._open.is_set():
            if self._held >= MAX_HELD:
                return None
            self._held += 1
            try:
                await self._open.wait()
            finally:
                self._held -= 1
        return self._connection

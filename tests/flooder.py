"""More shares than a hub can check, made so cheaply that one process has CPU time to spare: each connection searches a
few thousand nonces at a time, and a share is one formatted line. Its answers are counted, and not read one by one.

    python flooder.py HOST PORT --connections 100 --shares 10000 --seconds 60     # as many a second, answered or not
    python flooder.py HOST PORT --connections 100 --hashrate 160000 --seconds 60  # fewer where the difficulty is higher
    python flooder.py HOST PORT --connections 100 --window 4 --seconds 10         # as many as the hub answers

The token is in MINER_PASSWORD. Prints JSON: seconds, shares sent, accepted and refused, the hashes that sent and
accepted ones stand for, connections lost, and its own CPU time in seconds."""

import argparse
import asyncio
import itertools
import json
import os
import socket
import sys
import time
from collections import deque
from typing import Any

from miner.core.algorithm import Algorithm
from miner.core.errors import ProtocolError
from miner.engine.kernels import first_that_fits, usable_kernels
from miner.receiving import Receiver
from miner.stratum.from_miner import Authorize, Subscribe
from miner.stratum.from_server import SetDifficulty, Subscription
from miner.stratum.wire import Request, decode, encode_request
from miner.swarm.work import Digger, JobLine, MinerWork

SHA256D = Algorithm.parse("sha256d")
SUBSCRIBE, AUTHORIZE, FIRST = 1, 2, 3  # ids of requests
UNSENT = 2 << 10  # bytes that neither the hub nor the system has taken; then this connection waits
SYSTEM_BUFFER = 4 << 10  # bytes of the system's, so that no share is old before it leaves here
STEP_SECONDS = 0.01
BATCH = 8  # shares that a connection sends at a time


class Connection(Receiver):
    """One of them. `sent`, `accepted` and `refused` are shares; `hashed` and `paid` are the expected hashes of those
    that were sent and accepted."""

    def __init__(self, name: str, token: str, digger: Digger) -> None:
        self.sent = self.accepted = self.refused = 0
        self.hashed = self.paid = 0.0
        self._waiting: deque[float] = deque()  # expected hashes of shares without an answer: answers keep their order
        self.lost = False
        self._name, self._token, self._digger = name, token, digger
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._subscription: Subscription | None = None
        self._difficulty = 1.0
        self._job: JobLine | None = None
        self._work: MinerWork | None = None
        self._entered = False

    @property
    def ready(self) -> bool:
        """It has logged in and has a job."""
        return self._entered and self._job is not None and not self.lost

    @property
    def unanswered(self) -> int:
        return self.sent - self.accepted - self.refused

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        connected: socket.socket | Any = transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SYSTEM_BUFFER)
        transport.write(encode_request(SUBSCRIBE, Subscribe.METHOD, Subscribe("flooder/1").params))
        transport.write(encode_request(AUTHORIZE, Authorize.METHOD, Authorize(self._name, self._token).params))

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.endswith(b'"result": true, "error": null}') and self._entered:
                self.accepted += 1
                self.paid += self._waiting.popleft()
            elif b'"mining.notify"' in line and self._subscription is not None and b'"method"' in line:
                self._job, self._work = JobLine(line, self._difficulty, self._subscription), None
            else:
                self._take(line)

    def _take(self, line: bytes) -> None:
        message = decode(line)
        if isinstance(message, Request):
            if message.method == SetDifficulty.METHOD:
                self._difficulty = SetDifficulty.parse(message.params).difficulty
        elif message.id == SUBSCRIBE:
            self._subscription = Subscription.parse(message.result)
        elif message.id == AUTHORIZE:
            self._entered = message.result is True
        else:
            self.refused += 1
            self._waiting.popleft()

    def hand_in(self, number: int) -> float:
        """Send so many shares, as far as the hub has read those before. Returns the hashes that as many stand for."""
        assert self._transport is not None and self._job is not None
        if self._work is None:
            self._work = self._job.read(SHA256D, self._name)
        hashes = self._work.hashes
        if self._transport.is_closing() or self._transport.get_write_buffer_size() > UNSENT:
            return hashes * number
        lines: list[bytes] = []
        while len(lines) < number:
            try:
                found = self._work.search(self._digger)
            except ProtocolError:  # all nonces are used up: the next job brings others
                break
            if found is not None:
                lines.append(self._work.line(FIRST + self.sent + len(lines), found[0]))
        self.sent += len(lines)
        self.hashed += hashes * len(lines)
        self._waiting.extend([hashes] * len(lines))
        self._transport.write(b"".join(lines))
        return hashes * number


async def flood(options: argparse.Namespace) -> dict[str, float]:
    loop, digger = asyncio.get_running_loop(), Digger(SHA256D, first_that_fits(SHA256D, usable_kernels(SHA256D), 1))
    token = os.environ["MINER_PASSWORD"]
    crowd: list[Connection] = []
    for number in range(options.connections):
        _, one = await loop.create_connection(lambda name=f"f{number}": Connection(name, token, digger),  # type: ignore[misc]
                                              options.host, options.port)
        crowd.append(one)
    while not all(one.ready or one.lost for one in crowd):
        await asyncio.sleep(0.05)
    began, cpu, offered, turns = time.monotonic(), time.process_time(), 0.0, itertools.cycle(crowd)
    while (now := time.monotonic() - began) < options.seconds and not all(one.lost for one in crowd):
        if rate := options.shares or options.hashrate:
            offered = max(offered, (now - 1.0) * rate)  # what is late by more than that is left out
            while offered < now * rate:
                hashes = one.hand_in(BATCH) if (one := next(turns)).ready else 0.0
                offered += BATCH if options.shares else hashes or rate * STEP_SECONDS
        else:
            for one in crowd:
                if one.ready and (wanted := options.window - one.unanswered) > 0:
                    one.hand_in(wanted)
        await asyncio.sleep(STEP_SECONDS if rate else 0.001)
    seconds = time.monotonic() - began
    return {"seconds": seconds, "sent": sum(one.sent for one in crowd), "lost": sum(one.lost for one in crowd),
            "accepted": sum(one.accepted for one in crowd), "refused": sum(one.refused for one in crowd),
            "hashed": sum(one.hashed for one in crowd), "paid": sum(one.paid for one in crowd),
            "cpu": time.process_time() - cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--shares", type=float, default=0.0, help="a second, of all connections")
    parser.add_argument("--hashrate", type=float, default=0.0, help="H/s of all connections, in place of --shares")
    parser.add_argument("--window", type=int, default=4, help="of each connection, where neither is named")
    parser.add_argument("--seconds", type=float, default=10.0)
    json.dump(asyncio.run(flood(parser.parse_args())), sys.stdout)


if __name__ == "__main__":
    main()

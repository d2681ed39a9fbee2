"""What a line costs before anybody reads it: a server on asyncio that answers each with another one, and does nothing
else. `python load_echo.py` serves, and prints its port; `cost` is what load.py shows beside the hub's own figure."""

import asyncio
import select
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

from load_players import cpu_of
from miner.receiving import Receiver

ASKED = b'{"id": 7, "method": "mining.submit", "params": ["w1", "1f", "0000000001", "6123abcd", "0000abcd"]}\n'
ANSWER = b'{"id": 7, "result": true, "error": null}\n'


class Echo(Receiver):
    """Answers whatever comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(ANSWER)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def ask(port: int, connections: int, lines: float, seconds: float) -> int:
    """Send so many lines a second on all connections together, one at a time on each. Returns the number of answers."""
    with ExitStack() as stack:
        free = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(connections)]
        began, sent, answered = time.monotonic(), 0, 0
        waiting = stack.enter_context(select.epoll())
        by_number = {one.fileno(): one for one in free}
        for number in by_number:
            waiting.register(number, select.EPOLLIN)
        while (passed := time.monotonic() - began) < seconds:
            while sent < passed * lines and free:
                free.pop().sendall(ASKED)
                sent += 1
            for number, _ in waiting.poll(0.0005):
                by_number[number].recv(4096)
                free.insert(0, by_number[number])
                answered += 1
        return answered


def cost(connections: int, lines: float, seconds: float) -> float:
    """The server's CPU seconds for a line."""
    server = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        ask(port, connections, lines, 1.0)
        before = cpu_of(server.pid)
        answered = ask(port, connections, lines, seconds)
        return (cpu_of(server.pid) - before) / max(1, answered)
    finally:
        server.kill()
        server.communicate()


if __name__ == "__main__":
    asyncio.run(serve())

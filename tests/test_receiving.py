"""Connections that share a buffer: each gets all of its own bytes, in their order, plain and over TLS."""

import asyncio
import random
import ssl

import pytest

from miner.receiving import MOST_AT_ONCE, Receiver
from miner.tls import ServerTls

WAIT = 30.0


class Keeper(Receiver):
    """Keeps what comes in."""

    at_once = 1000

    def __init__(self, kept: list[bytearray]) -> None:
        self._data = bytearray()
        self._kept = kept

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._kept.append(self._data)

    def data_received(self, data: bytes) -> None:
        self._data += data


@pytest.mark.parametrize("encrypted", [False, True])
def test_each_connection_gets_its_own_bytes(encrypted: bool) -> None:
    if encrypted:
        pytest.importorskip("cryptography")

    async def main() -> None:
        kept: list[bytearray] = []
        server_side = ServerTls.open(None, ["localhost"]).context if encrypted else None
        client_side = ssl.create_default_context() if encrypted else None
        if client_side is not None:
            client_side.check_hostname, client_side.verify_mode = False, ssl.CERT_NONE
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Keeper(kept), "127.0.0.1", 0, ssl=server_side)
        async with server, asyncio.timeout(WAIT):
            port = server.sockets[0].getsockname()[1]
            sent = [random.randbytes(5 * MOST_AT_ONCE) for _ in range(3)]

            async def send(data: bytes) -> None:
                _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_side)
                for at in range(0, len(data), 50_000):
                    writer.write(data[at:at + 50_000])
                    await writer.drain()
                while bytes(data) not in map(bytes, kept):
                    await asyncio.sleep(0.01)
                writer.close()

            await asyncio.gather(*map(send, sent))
            assert sorted(map(bytes, kept)) == sorted(sent)

    asyncio.run(main())

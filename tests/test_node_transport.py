"""A node's URL: what is taken, what is refused, and that credentials in it never show."""

import asyncio
from typing import Any

import pytest

from miner.core.errors import UsageError
from miner.core.source import Traffic
from miner.node.transport import NodeRpc
from node.faulty import ScriptedNode, ok
from stratum_pool import within_limit


@pytest.mark.parametrize(("url", "label"), [
    ("http://127.0.0.1:9332", "http://127.0.0.1:9332/"),
    ("http://127.0.0.1:9332/", "http://127.0.0.1:9332/"),
    ("https://[::1]:9332/wallet/w", "https://[::1]:9332/wallet/w"),
    ("http://node.example", "http://node.example/"),
    ("http://alice:p%40ss@node.example:8332/", "http://node.example:8332/"),
])
def test_label_is_the_url_without_credentials(url: str, label: str) -> None:
    assert NodeRpc(url).label == label


@pytest.mark.parametrize("url", [
    "", "http://", "http:///", "ftp://node/", "http://node:0/", "http://node:70000/", "http://node:x/", "http://[::1/",
    "http://alice:sesame@/", "http://node/a b", "http://node/?x=1", "http://node/#x", "http://" + "n" * 70 + "/",
])
def test_url_that_does_not_parse(url: str) -> None:
    with pytest.raises(UsageError, match="does not parse: use http://HOST:PORT/") as caught:
        NodeRpc(url)
    assert "sesame" not in str(caught.value)


def test_other_urls_of_the_server_may_have_a_query() -> None:
    rpc = NodeRpc("http://alice:sesame@node.example:8332/")
    assert rpc.at("http://node.example:8341/LP?id=7").label == "http://node.example:8341/LP?id=7"
    with pytest.raises(UsageError):
        rpc.at("http://node.example:8341/LP?i d")


def test_nothing_that_shows_an_object_shows_the_password() -> None:
    rpc = NodeRpc("http://node:1/", "alice", "sesame")
    assert "sesame" not in repr(rpc) and "sesame" not in str(rpc)


@within_limit
async def test_what_is_said_can_be_shown_without_the_password() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"Authorization: Basic" in await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nSet-Cookie: x=sesame\r\n\r\n{"result": 5, "error": null, "id": 1}')
        writer.close()

    told: list[Traffic] = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        rpc = NodeRpc(f"http://127.0.0.1:{port}/", "alice", "sesame", on_traffic=told.append)
        assert await rpc.call("getblockcount") == 5
    assert [event.sent for event in told] == [True, False]
    assert '"method": "getblockcount"' in told[0].text
    assert told[1].text == '{"result": 5, "error": null, "id": 1}'


class Counting(ScriptedNode):
    """Closes each connection after `most` answers, without saying so."""

    def __init__(self, most: int) -> None:
        super().__init__({"getblockcount": ok(5)})
        self._most, self._left = most, most

    async def respond(self, head: str, body: bytes) -> bytes:
        assert "Connection: close" not in head
        answer = await super().respond(head, body)
        self._left -= 1
        if not self._left:
            self._left = self._most
            return answer.replace(b"\r\n", b"\r\nX-Then: Connection: close\r\n", 1)
        return answer


@pytest.mark.parametrize(("most", "connections"), [(1000, 1), (3, 4), (1, 12)])
@within_limit
async def test_connections_stay_open_and_are_opened_again_where_the_server_has_closed_them(
        most: int, connections: int) -> None:
    async with Counting(most) as node:
        rpc = NodeRpc(node.url)
        for _ in range(12):
            assert await rpc.call("getblockcount") == 5
        assert (node.count("getblockcount"), node.connections) == (12, connections)
        rpc.close()


@within_limit
async def test_calls_at_once_have_a_connection_each_and_few_are_kept() -> None:
    everybody = asyncio.Barrier(10)

    async def together(params: list[Any]) -> bytes:
        await everybody.wait()
        return ok(5)

    async with ScriptedNode({"getblockcount": together, "getbestblockhash": ok(6)}) as node:
        rpc = NodeRpc(node.url)
        assert await asyncio.gather(*(rpc.call("getblockcount") for _ in range(10))) == [5] * 10
        assert node.connections == 10
        for _ in range(4):
            assert await rpc.call("getbestblockhash") == 6
        assert node.connections == 10
        rpc.close()
        assert await rpc.call("getbestblockhash") == 6
        assert node.connections == 11
        assert not [task for task in asyncio.all_tasks() if "_watch" in repr(task) and not task.cancelling()]


@within_limit
async def test_what_is_said_unasked_is_nobodys_answer() -> None:
    """As a proxy's 408 before it closes a connection that rested."""
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(1)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"}")
        body = b'{"result": 5, "error": null, "id": %d}' % len(served)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await reader.read()
        writer.close()

    served: list[int] = []
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        rpc = NodeRpc(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        for count in range(1, 4):
            assert await rpc.call("getblockcount") == 5
            assert len(served) == count
            await asyncio.sleep(0.15)
        rpc.close()


@pytest.mark.parametrize("how", ["Connection: close", ""])
@within_limit
async def test_a_large_answer_comes_in_whole_and_so_does_a_large_request(how: str) -> None:
    size = 3_000_000

    async def echo(params: list[Any]) -> bytes:
        return ok(params[0]).replace(b"\r\n", f"\r\n{how}\r\n".encode() if how else b"\r\n", 1)

    async with ScriptedNode({"echo": echo}) as node:
        rpc = NodeRpc(node.url)
        for _ in range(2):
            assert await rpc.call("echo", bytes(size)) == "00" * size
        rpc.close()

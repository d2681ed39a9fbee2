"""A node's URL: what is taken, what is refused, and that credentials in it never show."""

import asyncio

import pytest

from miner.core.errors import UsageError
from miner.core.source import Traffic
from miner.node.transport import NodeRpc
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

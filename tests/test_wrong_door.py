"""Ports where something else is spoken than the URL says: real servers on loopback, and the line that names the URL."""

import asyncio
import contextlib
import http.client
import http.server
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import trustme

from miner.config import SourceConfig
from miner.core.errors import SourceError
from miner.core.source import Disconnected, Notice, SourceEvent, WorkSource
from miner.hub import Hub, HubConfig
from miner.hub.events import HubEvent
from miner.sandbox import SandboxSource
from miner.sources.open import open_source
from miner.wrong_door import Speech, right_url, speech_in_page, speech_of
from stratum_pool import Pool, within_limit
from stratum_samples import REGTEST_JOB, SCRYPT, SHA256D

SECONDS = 15.0  # until the line is there: 2 are promised, on a machine that has time for us


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


@contextlib.contextmanager
def web_server(tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Python's own web server, which knows no POST; its port."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Quiet)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def source_at(url: str) -> WorkSource:
    return open_source(SourceConfig(
        url=url, algorithm=SCRYPT, username="alice", password="s3cret-pass", timeout=20.0, retry_pause=0.1,
        coinbase_addr="mxtT9y4YD5yJocLi7zrop7FW63WubeAHjG"))


async def complaint(url: str, *, cut: bool = False) -> str:
    """What ends a source that was sent there, without a try in between. `cut`: the server hangs up before it has
    read everything, so that the system may throw its answer away: another try is allowed."""
    started = time.monotonic()
    async with source_at(url) as source:
        with pytest.raises(SourceError) as caught:
            async for event in source.events():
                assert cut or not isinstance(event, Disconnected), event
    assert time.monotonic() - started < SECONDS
    assert "s3cret-pass" not in str(caught.value)
    return str(caught.value)


@contextlib.asynccontextmanager
async def tls_server(context: ssl.SSLContext) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


# A stratum miner at other doors


@within_limit
async def test_stratum_at_a_web_server() -> None:
    with web_server() as port:
        assert await complaint(f"stratum+tcp://127.0.0.1:{port}") == (
            f"stratum+tcp://127.0.0.1:{port}: it speaks HTTP, as nodes do, without TLS: use http://127.0.0.1:{port}/")


@within_limit
async def test_stratum_at_a_server_that_hangs_up_on_all_but_tls(tls: ssl.SSLContext) -> None:
    async with tls_server(tls) as port:
        assert await complaint(f"stratum+tcp://127.0.0.1:{port}") == (
            f"stratum+tcp://127.0.0.1:{port}: it speaks TLS: use stratum+tcps://127.0.0.1:{port}")


@within_limit
async def test_stratum_at_a_tls_server_that_says_so_in_tls() -> None:
    async with Pool(lambda miner: refuse(miner, b"\x15\x03\x01\x00\x02\x02\x46")) as pool:
        assert "it speaks TLS: use stratum+tcps://" in await complaint(pool.url)
        assert len(pool.miners) == 1, "it was clear without another connection"


async def refuse(miner: Any, answer: bytes) -> None:
    await miner.reader.read(1)
    miner.say(answer)


@within_limit
async def test_stratum_over_tls_at_a_pool_without() -> None:
    async with Hub(SandboxSource(SCRYPT), HubConfig(token="x" * 16)) as hub:
        _, port = await hub.start()
        assert await complaint(f"stratum+tcps://127.0.0.1:{port}") == (
            f"stratum+tcps://127.0.0.1:{port}: it speaks stratum, without TLS: use stratum+tcp://127.0.0.1:{port}")


@within_limit
async def test_stratum_over_tls_at_a_web_server() -> None:
    with web_server() as port:
        assert f"use http://127.0.0.1:{port}/" in await complaint(f"stratum+tcps://127.0.0.1:{port}")


@within_limit
async def test_a_pool_that_hangs_up_is_asked_once_and_tried_again() -> None:
    async def hang_up(miner: Any) -> None:
        await miner.reader.read(1)

    async with Pool(hang_up) as pool, source_at(pool.url) as source:
        lost = 0
        async for event in source.events():
            if isinstance(event, Disconnected):
                assert event.reason == "the pool closed the connection without a word"
                lost += 1
                if lost == 3:
                    break
        assert len(pool.miners) == 3 + 2, "what it speaks was asked with TLS and with HTTP, once"


@within_limit
async def test_a_pool_that_knows_us_may_show_a_web_page_for_a_while() -> None:
    async def script(miner: Any) -> None:
        if len(pool.miners) == 2:
            await refuse(miner, b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
            return
        await miner.let_in(REGTEST_JOB)
        if len(pool.miners) > 2:
            await miner.until_gone()

    async with Pool(script) as pool, source_at(pool.url) as source:
        reasons: list[str] = []
        async for event in source.events():
            if isinstance(event, Disconnected):
                reasons.append(event.reason)
            if len(pool.miners) == 3:
                break
        assert reasons == ["the pool closed the connection", "the other end speaks HTTP"]


# A node's miner at other doors


@within_limit
async def test_http_at_a_hub() -> None:
    async with Hub(SandboxSource(SCRYPT), HubConfig(token="x" * 16)) as hub:
        _, port = await hub.start()
        for scheme in ("http", "https"):
            assert await complaint(f"{scheme}://127.0.0.1:{port}/") == (
                f"{scheme}://127.0.0.1:{port}/: it speaks stratum, without TLS: use stratum+tcp://127.0.0.1:{port}")


@within_limit
async def test_http_at_a_pool_that_answers_line_by_line_and_hangs_on() -> None:
    async def complain(miner: Any) -> None:
        while await miner.reader.readline():
            miner.say(b'{"id": null, "result": null, "error": [20, "parse error", null]}\n')

    async with Pool(complain) as pool:
        assert f"use stratum+tcp://127.0.0.1:{pool.port}" in await complaint(f"http://127.0.0.1:{pool.port}/")


@within_limit
async def test_http_at_a_server_that_hangs_up_on_all_but_tls(tls: ssl.SSLContext) -> None:
    async with tls_server(tls) as port:
        assert await complaint(f"http://127.0.0.1:{port}/") == (
            f"http://127.0.0.1:{port}/: it speaks TLS: use https://127.0.0.1:{port}/")


@within_limit
async def test_http_at_a_tls_web_server_of_threads(tls: ssl.SSLContext) -> None:
    with web_server(tls) as port:
        assert f"use https://127.0.0.1:{port}/" in await complaint(f"http://127.0.0.1:{port}/", cut=True)


@pytest.mark.parametrize("page", [
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
    b"<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>",  # nginx
    b"\x15\x03\x01\x00\x02\x02\x46",
])
@within_limit
async def test_http_at_a_tls_server_that_says_so(page: bytes) -> None:
    async with Pool(lambda miner: refuse(miner, page)) as pool:
        assert f"use https://127.0.0.1:{pool.port}/" in await complaint(f"http://127.0.0.1:{pool.port}/")


@within_limit
async def test_https_at_a_server_without_tls() -> None:
    with web_server() as port:
        assert await complaint(f"https://127.0.0.1:{port}/") == (
            f"https://127.0.0.1:{port}/: it speaks HTTP, as nodes do, without TLS: use http://127.0.0.1:{port}/")


@within_limit
async def test_http_at_a_web_server() -> None:
    with web_server() as port:
        line = await complaint(f"http://127.0.0.1:{port}/")
        assert line.startswith(f"http://127.0.0.1:{port}/: a web page (HTTP status 501 Unsupported method ('POST')")
        assert line.endswith("and no answer of a node: is this really a node's RPC port, and its path?")


# The hub's own port


class Doorkeeper:
    """A hub, and what it says."""

    def __init__(self) -> None:
        self.heard: list[HubEvent | SourceEvent] = []
        self.hub = Hub(SandboxSource(SHA256D), HubConfig(token="x" * 16), self.heard.append)

    def notices(self) -> list[str]:
        return [event.text for event in self.heard if isinstance(event, Notice)]


@within_limit
async def test_a_browser_at_the_hub() -> None:
    keeper = Doorkeeper()
    async with keeper.hub as hub:
        _, port = await hub.start()

        def browse() -> tuple[int, str]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/")
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

        status, text = await asyncio.to_thread(browse)
        assert status == 400
        assert "stratum+tcp://" in text
        line, = keeper.notices()
        assert "speaks HTTP" in line
        assert "stratum+tcp://" in line


@within_limit
async def test_a_tls_client_at_the_hub(tls: ssl.SSLContext) -> None:
    keeper = Doorkeeper()
    async with keeper.hub as hub:
        _, port = await hub.start()
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context())
        line, = keeper.notices()
        assert "speaks TLS" in line
        assert "without TLS" in line


# The words


@pytest.mark.parametrize(("first", "speech"), [
    (b"HTTP/1.1 400 Bad Request\r\n", Speech.HTTP), (b"GET / HTTP/1.1\r\n", Speech.HTTP),
    (b"\r\nPOST /rpc HTTP/1.0", Speech.HTTP), (b"<!DOCTYPE HTML>\n<html>", Speech.HTTP), (b"<html>", Speech.HTTP),
    (b"\x16\x03\x01\x02\x00\x01", Speech.TLS), (b"\x15\x03\x03\x00\x02\x02\x46", Speech.TLS),
    (b'{"id":1,"result":null}', Speech.STRATUM), (b' { "method"', Speech.STRATUM),
    (b"", None), (b"GET /", None), (b"SSH-2.0-OpenSSH_9.2", None), (b"\x16", None), (b"{1}", None),
    (b"G" * 5000, None),
])
def test_first_bytes(first: bytes, speech: Speech | None) -> None:
    assert speech_of(first) is speech


@pytest.mark.parametrize("page", [
    b"<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head>",  # nginx
    b"Client sent an HTTP request to an HTTPS server.\n",  # Go
    b"Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",  # Apache
])
def test_a_web_server_that_wants_tls_says_so_in_a_page(page: bytes) -> None:
    assert speech_in_page(page) is Speech.TLS


def test_a_page_about_anything_else_says_nothing() -> None:
    assert speech_in_page(b"<html><h1>It works!</h1> Now over HTTP to 10.0.0.1</html>") is None


def test_every_direction_has_its_url() -> None:
    assert [right_url(ours, spoken, "h:1").rpartition(" ")[2] for ours in (Speech.STRATUM, Speech.HTTP)
            for spoken in Speech] == ["stratum+tcp://h:1", "http://h:1/", "stratum+tcps://h:1",
                                      "stratum+tcp://h:1", "http://h:1/", "https://h:1/"]

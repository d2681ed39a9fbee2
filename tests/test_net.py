"""Connections over loopback: TLS that trusts only whom it should, proxies of every kind (pproxy), IPv6, names."""

import asyncio
import contextlib
import hashlib
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme

from miner.config import SourceConfig
from miner.core.errors import UsageError
from miner.net import ProxyAddress, Route, words_of
from proxies import proxy
from stratum_pool import within_limit

SECRET = "hunter2-is-secret"


def route(**settings: str) -> Route:
    return Route.of(SourceConfig(url="stratum+tcps://h:1", **settings))


class Certificates:
    """An authority of a test's own, and a certificate of it for 127.0.0.1."""

    def __init__(self, folder: Path, name: str = "127.0.0.1") -> None:
        self.authority = trustme.CA()
        self.certificate = self.authority.issue_cert(name)
        self.file = str(folder / "authority.pem")
        self.authority.cert_pem.write_to_path(self.file)
        der = ssl.PEM_cert_to_DER_cert(self.certificate.cert_chain_pems[0].bytes().decode())
        self.fingerprint = hashlib.sha256(der).hexdigest()

    def server(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.certificate.configure_cert(context)
        return context


class Echo:
    """A server that sends back what it gets, and keeps it in `received`."""

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.tls, self.host, self.received = tls, host, bytearray()

    async def __aenter__(self) -> "Echo":
        self.server = await asyncio.start_server(self._serve, self.host, 0, ssl=self.tls)
        self.port = int(self.server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1000):
                self.received += data
                writer.write(data)
        writer.close()


async def says_hello(way: Route, host: str, port: int, *, tls: bool = False) -> bool:
    reader, writer = await way.open(host, port, tls=tls, timeout=10)
    try:
        writer.write(b"hello\n")
        return await reader.readline() == b"hello\n"
    finally:
        writer.transport.abort()


async def failure(way: Route, host: str, port: int, *, tls: bool = False) -> str:
    with pytest.raises(OSError) as caught:
        await says_hello(way, host, port, tls=tls)
    return words_of(caught.value)


# TLS


@within_limit
async def test_a_private_authority_is_trusted_by_name_only(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    async with Echo(certificates.server()) as echo:
        assert "does not verify" in await failure(route(), "127.0.0.1", echo.port, tls=True)
        assert not echo.received, "nothing is sent to a stranger"
        assert await says_hello(route(cert=certificates.file), "127.0.0.1", echo.port, tls=True)


@within_limit
async def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path, "pool.example")
    async with Echo(certificates.server()) as echo:
        words = await failure(route(cert=certificates.file), "127.0.0.1", echo.port, tls=True)
    assert "not valid for '127.0.0.1'" in words


@within_limit
async def test_a_pinned_certificate_needs_no_authority_and_no_other_will_do(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path, "pool.example")
    pin = ":".join(certificates.fingerprint[at:at + 2] for at in range(0, 64, 2)).upper()
    async with Echo(certificates.server()) as echo:
        assert await says_hello(route(tls_fingerprint=pin), "127.0.0.1", echo.port, tls=True)
        echo.received.clear()
        words = await failure(route(tls_fingerprint="00" * 32), "127.0.0.1", echo.port, tls=True)
        assert certificates.fingerprint in words
        assert not echo.received


@within_limit
async def test_a_pin_beside_an_authority_loosens_nothing(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path, "pool.example")
    way = route(tls_fingerprint=certificates.fingerprint, cert=certificates.file)
    async with Echo(certificates.server()) as echo:
        assert "does not verify" in await failure(way, "127.0.0.1", echo.port, tls=True)


@within_limit
async def test_a_server_without_tls_is_named_as_such() -> None:
    async def talks_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"id": null, "method": "mining.notify", "params": []}\n')
        await reader.read()
        writer.close()

    server = await asyncio.start_server(talks_first, "127.0.0.1", 0)
    async with server:
        assert "does not speak it" in await failure(route(), "127.0.0.1", server.sockets[0].getsockname()[1], tls=True)


@within_limit
async def test_a_peer_that_never_shakes_hands_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        with pytest.raises(TimeoutError):
            await route().open("127.0.0.1", server.sockets[0].getsockname()[1], tls=True, timeout=0.2)


# Proxies


@pytest.mark.parametrize("scheme", ["", "http://", "socks4://", "socks4a://", "socks5://", "socks5h://"])
@within_limit
async def test_through_every_kind_of_proxy(scheme: str) -> None:
    async with Echo() as echo, proxy() as port:
        assert await says_hello(route(proxy=f"{scheme}127.0.0.1:{port}"), "127.0.0.1", echo.port)


@pytest.mark.parametrize("scheme", ["http", "socks5h"])  # pproxy knows no SOCKS 4a
@within_limit
async def test_the_proxy_looks_names_up(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up = []
    resolve = asyncio.get_running_loop().getaddrinfo

    async def getaddrinfo(host: Any, *arguments: Any, **keywords: Any) -> Any:
        looked_up.append(host)
        return await resolve("127.0.0.1" if host == "pool.example" else host, *arguments, **keywords)

    async with Echo() as echo, proxy() as port:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        assert await says_hello(route(proxy=f"{scheme}://127.0.0.1:{port}"), "pool.example", echo.port)
    assert looked_up.count("pool.example") == 1, "once, by the proxy, which runs in this process"


@within_limit
async def test_socks_4a_sends_the_name() -> None:
    asked: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set_result(await reader.readuntil(b"pool.example\0"))
        writer.write(b"\0\x5b" + bytes(6))  # 91: refused
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        await failure(route(proxy=f"socks4a://127.0.0.1:{server.sockets[0].getsockname()[1]}"), "pool.example", 3333)
    assert (await asked)[:7] == b"\x04\x01" + (3333).to_bytes(2, "big") + bytes(3)  # 0.0.0.x: a name follows


@within_limit
async def test_tls_through_a_proxy_is_checked_against_the_pools_name(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    async with Echo(certificates.server()) as echo, proxy() as port:
        way = f"socks5://127.0.0.1:{port}"
        assert await says_hello(route(proxy=way, cert=certificates.file), "127.0.0.1", echo.port, tls=True)
        assert "does not verify" in await failure(route(proxy=way), "127.0.0.1", echo.port, tls=True)


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@within_limit
async def test_a_proxy_that_wants_a_login(scheme: str) -> None:
    async with Echo() as echo, proxy(f"alice:{SECRET}") as port:
        assert await says_hello(route(proxy=f"{scheme}://alice:{SECRET}@127.0.0.1:{port}"), "127.0.0.1", echo.port)
        words = await failure(route(proxy=f"{scheme}://alice:wrong-{SECRET}@127.0.0.1:{port}"), "127.0.0.1", echo.port)
    assert f"{scheme}://127.0.0.1:{port}" in words
    assert SECRET not in words
    assert not echo.received.replace(b"hello\n", b"")


@pytest.mark.parametrize("scheme", ["http", "socks4", "socks5"])
@within_limit
async def test_a_proxy_that_is_not_there(scheme: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        words = await failure(route(proxy=f"{scheme}://127.0.0.1:{port}"), "127.0.0.1", 9)
    assert words.startswith(f"the proxy {scheme}://127.0.0.1:{port}: Connection refused")


@pytest.mark.parametrize("answer", [b"", b"\xff" * 64, b"HTTP/1.1 407 Proxy\x1b[2J\r\n\r\n", b"\x05\xff", b"{}\n" * 99])
@pytest.mark.parametrize("scheme", ["http", "socks4", "socks5"])
@within_limit
async def test_a_proxy_that_talks_nonsense(scheme: str, answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        words = await failure(route(proxy=f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"), "127.0.0.1", 9)
    assert words.isprintable()


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_socks.async_.asyncio", None)
    with pytest.raises(UsageError, match=r"pip install 'sparkminer\[proxy\]'"):
        route(proxy="socks5://h:1")


# Addresses


@within_limit
async def test_ipv6() -> None:
    try:
        async with Echo(host="::1") as echo:
            assert await says_hello(route(), "::1", echo.port)
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error.strerror}")


@within_limit
async def test_of_a_names_addresses_one_that_answers_is_taken() -> None:
    async with Echo() as echo:  # localhost may be ::1 too, where nobody listens
        assert await says_hello(route(), "localhost", echo.port)


@within_limit
async def test_a_name_that_nobody_knows() -> None:
    assert await failure(route(), "no-such-host.invalid", 1)


@pytest.mark.parametrize(("text", "shown"), [
    ("proxy", "http://proxy:1080"), ("Proxy.Example:81", "http://proxy.example:81"),
    ("socks5h://[::1]:9050", "socks5h://[::1]:9050"), (f"socks5://u:{SECRET}@h:1", "socks5://h:1"),
    (f"u:{SECRET}@h", "http://h:1080"),
])
def test_proxies_as_minerd_writes_them(text: str, shown: str) -> None:
    assert str(ProxyAddress.parse(text)) == shown
    assert SECRET not in repr(ProxyAddress.parse(text))


@pytest.mark.parametrize("settings", [
    {"proxy": f"ftp://u:{SECRET}@h:1"}, {"proxy": f"socks5://u:{SECRET}@"}, {"proxy": f"u:{SECRET}@h:x"},
    {"proxy": f"http://u:{SECRET}@h:1/path"}, {"proxy": f"http://u:{SECRET}@h:0"}, {"tls_fingerprint": "ab"},
    {"tls_fingerprint": "zz" * 32}, {"cert": "/nonexistent/ca.pem"}, {"cert": __file__},
])
def test_settings_that_will_not_do(settings: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"`proxy`|`tls_fingerprint`|`cert`") as caught:
        route(**settings)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(SourceConfig(url="stratum+tcp://h:1", **settings))

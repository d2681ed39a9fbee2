"""Connections to pools and nodes: TCP, TLS, proxies. Nothing else in this package opens connections to them.

    route = Route.of(config)                                      # raises UsageError: settings that won't do
    reader, writer = await route.open(host, port, tls=True)       # raises OSError: `words_of` says why
    speech = await route.speech_at(host, port)                    # where what answers there makes no sense

Callers get a stream of bytes, and needn't know whether TLS or a proxy carries it.
"""

import asyncio
import contextlib
import errno
import hashlib
import hmac
import os
import re
import ssl
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlsplit

from miner.config import SourceConfig
from miner.core.errors import UsageError
from miner.core.text import one_line
from miner.wrong_door import Speech, speech_in_page, speech_of

if TYPE_CHECKING:
    import socket

CONNECT_SECONDS = 30.0
KNOCK_SECONDS = 1.5  # to find out what is spoken at a port
PROXY_PORT = 1080  # curl's, and with it minerd's
_FIRST_BYTES = 4096
_SECOND_ADDRESS_SECONDS = 0.25  # until the next address of a name is tried as well (RFC 8305)

# scheme -> python-socks' name of the type, whether the proxy looks names up
_PROXIES = {"http": ("HTTP", True), "socks4": ("SOCKS4", False), "socks4a": ("SOCKS4", True),
            "socks5": ("SOCKS5", False), "socks5h": ("SOCKS5", True)}


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """A proxy as `-x` names it. Its `str()` is safe to show: it has no user and no password."""

    scheme: str
    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read [SCHEME://][USER[:PASSWORD]@]HOST[:PORT]. Raises UsageError, in words that don't repeat the text."""
        try:
            url = urlsplit(text if "://" in text else f"http://{text}")
            host, port = url.hostname, url.port
            (host or "").encode("idna")
        except ValueError:
            raise UsageError("`proxy`: bad host or port") from None
        if url.scheme not in _PROXIES:
            raise UsageError(f"`proxy`: unknown kind of proxy, use {', '.join(f'{name}://' for name in _PROXIES)}")
        if not host or port == 0 or url.path not in ("", "/") or url.query or url.fragment:
            raise UsageError("`proxy` must be [SCHEME://][USER:PASSWORD@]HOST[:PORT]")
        return cls(url.scheme, host, port or PROXY_PORT, unquote(url.username or ""), unquote(url.password or ""))

    def __str__(self) -> str:
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Route:
    """How connections leave this machine, and whom TLS trusts at their other end."""

    proxy: ProxyAddress | None = None
    cert: str = ""  # a file with the only certificate authority to trust; "": those of this system
    fingerprint: bytes = b""  # SHA-256 of the one certificate to trust; b"": any that an authority vouches for

    @classmethod
    def of(cls, config: SourceConfig) -> Self:
        """The route that these settings ask for. Raises UsageError where one of them won't do, or needs a library that
        is not there."""
        fingerprint = _fingerprint(config.tls_fingerprint) if config.tls_fingerprint else b""
        proxy = ProxyAddress.parse(config.proxy) if config.proxy else None
        if proxy:
            _python_socks()
        route = cls(proxy, config.cert, fingerprint)
        if config.cert:
            route.tls_context()
        return route

    async def open(self, host: str, port: int, *, tls: bool = False,
                   timeout: float = CONNECT_SECONDS) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect within `timeout` seconds. Raises OSError: TimeoutError, ssl.SSLError, and ConnectionError where a
        proxy refuses or the certificate is not the one to trust."""
        async with asyncio.timeout(timeout):
            reader, writer = await self._connect(host, port, self.tls_context() if tls else None, timeout)
        if tls:
            try:
                self.check_fingerprint(writer.transport)
            except ConnectionError:
                writer.transport.abort()
                raise
        return reader, writer

    def check_fingerprint(self, transport: asyncio.BaseTransport) -> None:
        """Raise ConnectionError if a TLS connection's other end has shown another certificate than the pinned one."""
        if self.fingerprint:
            shown = transport.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
            if not hmac.compare_digest(hashlib.sha256(shown).digest(), self.fingerprint):
                raise ConnectionError("the other end's certificate has not the `tls_fingerprint`: "
                                      f"its SHA-256 is {hashlib.sha256(shown).hexdigest()}")

    async def speech_at(self, host: str, port: int) -> Speech | None:
        """Find out what is spoken at a port that hung up without a word, or where a TLS handshake failed. This takes at
        most KNOCK_SECONDS and two connections, which carry no credentials and trust nobody. None where it stays
        unclear."""
        with contextlib.suppress(OSError):
            async with asyncio.timeout(KNOCK_SECONDS):
                if await self._speaks_tls(host, port):
                    return Speech.TLS
                reader, writer = await self._connect(host, port, None, KNOCK_SECONDS)
                try:
                    writer.write(b"GET / HTTP/1.0\r\n\r\n")
                    first = await reader.read(_FIRST_BYTES)
                    return speech_in_page(first) or speech_of(first)
                finally:
                    writer.transport.abort()
        return None

    async def _speaks_tls(self, host: str, port: int) -> bool:
        anybody = ssl.create_default_context()
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
        try:
            _, writer = await self._connect(host, port, anybody, KNOCK_SECONDS)
        except ssl.SSLError as error:
            return not is_no_tls(error)  # it refuses this client, and says so in TLS
        except ConnectionError:
            return False
        writer.transport.abort()
        return True

    async def _connect(self, host: str, port: int, context: ssl.SSLContext | None,
                       timeout: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if not self.proxy:
            return await asyncio.open_connection(host, port, ssl=context,
                                                 happy_eyeballs_delay=_SECOND_ADDRESS_SECONDS)
        sock = await _through(self.proxy, host, port, timeout)
        return await asyncio.open_connection(sock=sock, ssl=context, server_hostname=host if context else None)

    def tls_context(self) -> ssl.SSLContext:
        """What checks certificates. One that is pinned by its fingerprint needs no authority, unless `cert` names one
        that must have signed it. Raises UsageError where that file can't be read."""
        try:
            context = ssl.create_default_context(cafile=self.cert or None)
        except OSError as error:
            reason = "holds no certificate in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
            raise UsageError(f"`cert`: {self.cert!r}: {reason}") from None
        if self.fingerprint and not self.cert:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def is_no_tls(error: OSError) -> bool:
    """Whether a TLS handshake failed because the other end answered with something that is no TLS."""
    return isinstance(error, ssl.SSLError) and error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST")


def words_of(error: OSError) -> str:
    """Why a connection failed, for people, in one line and without error numbers: what the operating system, the
    resolver, TLS or a proxy says."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (f"the certificate does not verify: {one_line(error.verify_message)} "
                "(a private authority is named with `cert`, a single certificate with `tls_fingerprint`)")
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "").replace("_", " ").lower()
        return f"TLS failed: {'the other end does not speak it' if is_no_tls(error) else one_line(reason)}"
    # asyncio's own text repeats the address, and has neither number nor text where TLS met the end of a connection
    number = error.errno or (errno.ECONNRESET if isinstance(error, ConnectionResetError) and not str(error) else 0)
    words = os.strerror(number) if number > 0 else error.strerror or str(error)
    return one_line(words) or type(error).__name__


def _fingerprint(text: str) -> bytes:
    digits = text.replace(":", "")
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", digits):
        raise UsageError("`tls_fingerprint` must be a SHA-256: 64 hex digits, with or without colons, as from "
                         "openssl x509 -noout -fingerprint -sha256")
    return bytes.fromhex(digits)


def _python_socks() -> Any:
    """python-socks, the library that speaks to proxies. Raises UsageError where it isn't installed: only proxies need
    it."""
    try:
        return import_module("python_socks.async_.asyncio")
    except ImportError:
        raise UsageError("`proxy` needs the package python-socks: pip install 'sparkminer[proxy]'") from None


async def _through(proxy: ProxyAddress, host: str, port: int, timeout: float) -> "socket.socket":
    """A socket that is connected to host:port through the proxy. Raises ConnectionError with the proxy's reason."""
    library = _python_socks()
    from python_socks import ProxyError, ProxyType

    kind, remote_names = _PROXIES[proxy.scheme]
    opener = library.Proxy(ProxyType[kind], proxy.host, proxy.port, proxy.username or None, proxy.password or None,
                           remote_names)
    try:
        opened: socket.socket = await opener.connect(host, port, timeout=timeout)
    except (ProxyError, ValueError) as error:  # ValueError: an address that this kind of proxy can't be told
        raise ConnectionError(f"the proxy {proxy} says no: {one_line(str(error))}") from None
    except TimeoutError:
        raise ConnectionError(f"no answer from the proxy {proxy}") from None
    except OSError as error:
        raise ConnectionError(f"the proxy {proxy}: {words_of(error)}") from None
    return opened

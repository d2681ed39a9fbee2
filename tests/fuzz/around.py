"""What else is read: a proxy's answers on the way to a pool, and the config file."""

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import python_socks.async_.asyncio._proxy as library

from fuzz.target import PASSWORD, Target
from miner.cli.mine import parser
from miner.config import SourceConfig
from miner.core.errors import UsageError
from miner.front.settings import engine_config, notices, source_config
from miner.net import Route, words_of

SCHEMES = ("http", "socks4", "socks4a", "socks5", "socks5h")


class Proxy:
    """A proxy that answers with the fuzzer's bytes and hangs up; the first byte chooses the kind of proxy."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._routes = [Route.of(SourceConfig(url="stratum+tcp://127.0.0.1:3333", username="alice",
                                              proxy=f"{scheme}://bob:{PASSWORD}@127.0.0.1:1")) for scheme in SCHEMES]

    def __call__(self, data: bytes) -> None:
        """It opens a connection, or it is an OSError that has words."""
        self._loop.run_until_complete(self._open(data))

    @staticmethod
    def _connect(ours: socket.socket) -> Callable[..., Awaitable[socket.socket]]:
        async def connect_tcp(**address: object) -> socket.socket:
            return ours

        return connect_tcp

    async def _open(self, data: bytes) -> None:
        ours, theirs = socket.socketpair()
        with theirs, mock.patch.object(library, "connect_tcp", self._connect(ours)):
            ours.setblocking(False)
            theirs.sendall(data[1:])
            theirs.shutdown(socket.SHUT_WR)
            route = self._routes[(data[0] if data else 0) % len(SCHEMES)]
            try:
                _, writer = await route.open("127.0.0.1", 3333)
            except OSError as error:
                words = words_of(error)
                assert words.isprintable()
                assert PASSWORD not in words
            else:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()


class ConfigFile:
    """minerd's -c: settings, or a UsageError of one line."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._file = Path(self._folder.name) / "config.json"
        self._parser = parser()

    def __call__(self, data: bytes) -> None:
        """A file of these bytes."""
        self._file.write_bytes(data)
        try:
            options = self._parser.parse_args(["-c", str(self._file)])
            options.given = replace(options.given, secrets={})  # other files are not the matter here
            source_config(options, {}, lambda prompt: "")
            engine_config(options, {})
            assert all(line.isprintable() for line in notices(options))
        except UsageError as error:
            assert str(error).isprintable()


_CONFIGS = (
    b'{"url": "stratum+tcp://127.0.0.1:3333", "user": "alice", "pass": "s3cret-pass", "threads": 2, "quiet": true}',
    b'{"url": "http://bob:s3cret-pass@127.0.0.1:8332/", "coinbase-addr": "A", "no-longpoll": false, "scantime": "5"}',
    b'{"algo": "sha256d", "pools": [{"url": "stratum+ssl://h:1", "user": "a", "pass": "b"}, {"url": "h", "user": 1}]}',
    b'{"aux": "http://h:1", "aux-addr": "A", "retries": 3, "difficulty-scale": 65536, "proxy": "socks5://u:p@h:1"}')
_ANSWERS = (b"\0HTTP/1.1 200 OK\r\n\r\n", b"\0HTTP/1.1 407 No\r\n\r\n", b"\1\0\x5a" + bytes(6),
            b"\2\0\x5b" + bytes(6), b"\3\5\0\5\0\0\1" + bytes(6),
            b"\4\5\2\1\0\5\0\0\4" + bytes(18), b"\4\5\0\5\0\0\3\4name\0\0")

TARGETS = {
    "proxy": Target(Proxy(), _ANSWERS, ("HTTP/1.1 ", "200", "\r\n", "\5\0", "\5\2", "\1\0")),
    "config": Target(ConfigFile(), _CONFIGS, ('"pools": [', '"url": ', "stratum+tcp://", "http://", "true", "false",
                                              "null", "1e999", "NaN", "[[[[[[[[", "config")),
}

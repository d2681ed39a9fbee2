"""A real stratum pool on loopback, for as long as a `with` block lasts.

    with Litecoind() as node, Pool(node) as pool:
        ...  # mine at pool.url as pool.username with pool.password
        pool.wait_for_blocks(3)

It is the npm package foundation-stratum, run by pool.js. On regtest the network target is easier than any sensible
share difficulty, and the pool takes for a block whatever meets it; with `Litecoind(chain="test")` most shares are none.
"""

import json
import os
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from counterparts import executable, require
from node.bitcoinsv import BitcoinSV
from node.daemon import Daemon
from node.knots import Knots
from node.litecoind import Litecoind

HERE = Path(__file__).parent
INSTALL = "make counterparts"

Event = dict[str, Any]

_COINS: dict[type[Daemon], tuple[str, dict[str, Any]]] = {  # their algorithm, and what pool.js wants to know
    Litecoind: ("scrypt", {"name": "Litecoin", "symbol": "LTC", "segwit": True, "mweb": True,
                           "bech32": {"regtest": "rltc", "test": "tltc"}, "scriptHash": 0x3A}),
    Knots: ("sha256d", {"name": "Bitcoin", "symbol": "BTC", "segwit": True, "mweb": False,
                        "bech32": {"regtest": "bcrt", "test": "tb"}, "scriptHash": 0xC4}),
    BitcoinSV: ("sha256d", {"name": "BitcoinSV", "symbol": "BSV", "segwit": False, "mweb": False,
                            "bech32": {"regtest": "none"}, "scriptHash": 0xC4}),
}


def folder() -> Path:
    """Where the pool's node_modules are: in MINER_POOL_DIR if that is set, else here."""
    return Path(os.environ.get("MINER_POOL_DIR") or HERE)


class Pool:
    """A pool in front of `node`, which pays `address`, by default one of the node's own.

    difficulty: of a new connection, in the algorithm's scale (65536 hashes a share at 1 for scrypt)
    algorithm: another one than the node's own, for shares that are no blocks
    tls: a folder with certificates/key.pem and certificates/cert.pem, to serve with
    vardiff: foundation-stratum's settings for it: minimum, maximum, targetTime, retargetTime, variance
    """

    def __init__(self, node: Daemon, *, difficulty: float = 0.05, address: str = "", algorithm: str = "",
                 tls: Path | None = None, vardiff: dict[str, float] | None = None) -> None:
        self._program = require("node", executable("node"), "install Node.js, e.g. apt-get install nodejs npm")
        modules = folder() / "node_modules"
        built = modules / "bignum" / "build" / "Release" / "bignum.node"
        require("the npm package foundation-stratum", built.exists(), INSTALL)
        self.username = "worker.1"
        self.password = "pool-password"
        self.address = address or node.address
        self.port = 0
        self._tls = tls
        self.events: list[Event] = []
        self._ended = False
        self._changed = threading.Condition()
        self._environment = os.environ | {"NODE_PATH": str(modules)}
        own_algorithm, coin = _COINS[type(node)]
        self._config = {
            "coin": coin | {"bech32": coin["bech32"][node.chain]},
            "node": {"port": node.rpc_port, "username": node.username, "password": node.password},
            "address": self.address, "difficulty": difficulty, "vardiff": vardiff,
            "algorithm": algorithm or own_algorithm, "tls": tls is not None,
            # The package strips names to letters, digits and full stops before it compares.
            "username": self.username, "password": self.password,
        }

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([self._program, HERE / "pool.js"], env=self._environment, text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                         cwd=self._tls)
        self._reader = threading.Thread(target=self._read_events, daemon=True)
        self._reader.start()
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(self._config) + "\n")
            self._process.stdin.flush()
            self.port = self.wait_for("listening")[0]["port"]
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    @property
    def process(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def url(self) -> str:
        return f"{'stratum+tcps' if self._tls else 'stratum+tcp'}://127.0.0.1:{self.port}"

    @property
    def shares(self) -> list[Event]:
        """The pool's verdicts so far: kind is "valid", "stale" or "invalid" (`error` says why), block a bool."""
        with self._changed:
            return [event for event in self.events if event["event"] == "share"]

    def wait_for(self, name: str, count: int = 1, timeout: float = 60.0, **wanted: object) -> list[Event]:
        """The first `count` events of that name whose fields have the wanted values, once there are as many."""
        def found() -> list[Event]:
            return [event for event in self.events
                    if event["event"] == name and all(event[key] == value for key, value in wanted.items())]

        with self._changed:
            self._changed.wait_for(lambda: len(found()) >= count or self._ended, timeout)
            if len(found()) < count:
                last_words = "\n".join(map(str, self.events[-20:]))
                raise AssertionError(f"{len(found())} of {count} times {name} {wanted} at the pool:\n{last_words}")
            return found()[:count]

    def wait_for_blocks(self, count: int, timeout: float = 60.0) -> list[Event]:
        """The first `count` shares that the node took as blocks."""
        return self.wait_for("share", count, timeout, kind="valid", block=True)

    def stop(self) -> None:
        """End the pool. May be called twice."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._reader.join(10)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read_events(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                event = json.loads(line)
            except ValueError:  # a JavaScript stack trace
                event = {"event": "stderr", "text": line.rstrip()}
            with self._changed:
                self.events.append(event)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

"""A real node of the Bitcoin family on a private chain of its own, for as long as a `with` block lasts.

It listens on loopback alone, has no peer but an idle TCP connection of ours (it gives no templates without one), and
keeps its data in a temporary folder. What one coin's node has and others don't is in the classes made from this one.
"""

import base64
import http.client
import json
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from counterparts import executable, require


class RpcRefusal(Exception):
    """The node answered with an error. `code` and `message` are its own."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


# What every node gets: nobody to talk to but us, on loopback.
_COMMON = """\
server=1
listen=1
connect=0
dnsseed=0
discover=0
listenonion=0
bind=127.0.0.1:{p2p_port}
rpcbind=127.0.0.1
rpcallowip=127.0.0.1
rpcport={rpc_port}
rpcuser={username}
rpcpassword={password}
rpcthreads={rpc_threads}
keypool=5
"""


def installed(name: str, program: Path, install: str) -> Path:
    """A program that `install` puts into the tests' own folder; never one of the same name on PATH, which may be
    another coin's. Where it is not there, the test is skipped or, in CI, fails."""
    found = program if program.is_file() else None
    return require(name, found and executable(str(found), str(found)), install)


class Daemon:
    """`peer=False`: no peer, so that the node refuses to give templates until `connect_peer()`."""

    config_name = "bitcoin.conf"
    rpc_threads = 8

    def __init__(self, program: Path, *, chain: str = "regtest", peer: bool = True) -> None:
        self._program = program
        self.chain = chain
        self._want_peer = peer
        self._peer: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.username = "u" + secrets.token_hex(4)
        self.password = secrets.token_hex(16)
        self.rpc_port = 0
        self.p2p_port = 0
        self.datadir = Path()
        self._address = ""

    def config(self) -> str:
        """What its config file holds, once the ports are known."""
        raise NotImplementedError

    def common_config(self, own: str) -> str:
        """A coin's own lines, which may open a section and name this node's settings in braces, and what all have."""
        return (own + _COMMON).format(**vars(self), rpc_threads=self.rpc_threads)

    def prepare(self) -> None:
        """What is to be done as soon as it runs: see to it that there is an address."""
        self._address = self.new_address()

    def new_address(self) -> str:
        """An address of the node's own wallet."""
        address: str = self.rpc("getnewaddress")
        return address

    @property
    def url(self) -> str:
        """Without credentials."""
        return f"http://127.0.0.1:{self.rpc_port}/"

    def __enter__(self) -> Self:
        self.datadir = Path(tempfile.mkdtemp(prefix=f"{self._program.name}-"))
        try:
            self._start_on_free_ports()
            if self._want_peer:
                self.connect_peer()
            self.prepare()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    def rpc(self, method: str, *params: object, path: str = "/", timeout: float = 60.0) -> Any:
        """Call the node. Raises RpcRefusal, or OSError when it can't be reached."""
        login = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.rpc_port, timeout=timeout)
        try:
            connection.request("POST", path, json.dumps({"id": 0, "method": method, "params": params}),
                               {"Authorization": f"Basic {login}"})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if answer["error"] is not None:
            raise RpcRefusal(answer["error"]["code"], answer["error"]["message"])
        return answer["result"]

    @property
    def height(self) -> int:
        height: int = self.rpc("getblockcount")
        return height

    @property
    def address(self) -> str:
        """An address of the node's own wallet."""
        return self._address

    def generate(self, count: int, address: str = "") -> list[str]:
        """Let the node mine blocks itself. Their ids."""
        ids: list[str] = self.rpc("generatetoaddress", count, address or self._address)
        return ids

    def send(self, address: str, amount: float) -> str:
        """Put a payment into the mempool. Its id."""
        txid: str = self.rpc("sendtoaddress", address, amount)
        return txid

    def block(self, height: int) -> dict[str, Any]:
        """The block of the best chain at that height, transactions decoded."""
        block: dict[str, Any] = self.rpc("getblock", self.rpc("getblockhash", height), 2)
        return block

    def header(self, height: int) -> bytes:
        """The 80 bytes of a block's header."""
        return bytes.fromhex(self.rpc("getblockheader", self.rpc("getblockhash", height), False))

    def connect_peer(self) -> None:
        """Open a connection to the node's p2p port and leave it idle: to the node that is a peer."""
        self._peer = socket.create_connection(("127.0.0.1", self.p2p_port), timeout=10)
        self._wait_until(lambda: self.rpc("getconnectioncount") == 1, "the node did not see its peer")

    def disconnect_peer(self) -> None:
        """Leave the node without a peer again."""
        assert self._peer is not None
        self._peer.close()
        self._peer = None
        self._wait_until(lambda: self.rpc("getconnectioncount") == 0, "the node did not see its peer leave")

    def kill(self) -> None:
        """End the node as a crash would, and keep its data. May be called twice."""
        if self._peer is not None:
            self._peer.close()
            self._peer = None
        if self._process is not None:
            self._process.kill()  # asked to end, it would first sit out whatever long poll it still holds
            self._process.wait(30)
            self._process = None

    def start_again(self) -> None:
        """Start once more after `kill`: on the ports and with the data that it had, without a peer."""
        if not self._comes_up():
            raise RuntimeError(f"{self._program.name} does not start again")

    def stop(self) -> None:
        """End the node and remove its data. May be called twice."""
        self.kill()
        if self.datadir.name:
            shutil.rmtree(self.datadir, ignore_errors=True)

    def _start_on_free_ports(self) -> None:
        for _ in range(5):  # a port that was free a moment ago may be taken by now
            self.p2p_port, self.rpc_port = _free_port(), _free_port()
            config = self.datadir / self.config_name
            config.touch(mode=0o600)
            config.write_text(self.config())
            if self._comes_up():
                return
        raise RuntimeError(f"{self._program.name} does not start")

    def _comes_up(self) -> bool:
        self._process = subprocess.Popen([self._program, f"-datadir={self.datadir}", "-printtoconsole=0"],
                                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.rpc("getblockcount", timeout=10)
                return True
            except (OSError, RpcRefusal, ValueError):  # not listening yet; -28 while it warms up; another's port
                time.sleep(0.05)
        return False

    def _wait_until(self, condition: Callable[[], bool], complaint: str) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(complaint)
            time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""A real Bitcoin Knots on a private chain: segwit, and signets. On its regtest half of all hashes are blocks."""

import os
from pathlib import Path

from counterparts import executable, require
from node.daemon import Daemon

FOLDER = Path(os.environ.get("MINER_KNOTS_DIR") or Path(__file__).with_name("knots"))
PROGRAM = FOLDER / "bitcoind"  # never the one on PATH: that may be another coin's
INSTALL = "ci/install-knots"

_CONFIG = """\
chain={chain}
[{chain}]
server=1
listen=1
connect=0
dnsseed=0
discover=0
listenonion=0
bind=127.0.0.1:{p2p_port}
peertimeout=100000000
maxtipage=2000000000
minimumchainwork=00
rpcbind=127.0.0.1
rpcallowip=127.0.0.1
rpcport={rpc_port}
rpcuser={username}
rpcpassword={password}
rpcthreads=8
fallbackfee=0.0002
keypool=5
"""


def program() -> Path:
    """The path of its bitcoind; where there is none, the test is skipped or, in CI, fails."""
    found = PROGRAM if PROGRAM.is_file() else None
    return require("Bitcoin Knots", found and executable(str(found), str(found)), INSTALL)


class Knots(Daemon):
    """`challenge`: a signet of its own with that script in hex, instead of regtest."""

    def __init__(self, *, challenge: str = "", peer: bool = True) -> None:
        super().__init__(program(), chain="signet" if challenge else "regtest", peer=peer)
        self._challenge = challenge

    def config(self) -> str:
        return _CONFIG.format(**vars(self)) + (f"signetchallenge={self._challenge}\n" if self._challenge else "")

    def prepare(self) -> None:
        self.rpc("createwallet", "test")
        super().prepare()

    def new_address(self, kind: str = "bech32") -> str:
        """kind: legacy, p2sh-segwit, bech32 or bech32m."""
        address: str = self.rpc("getnewaddress", "", kind)
        return address

    def send(self, address: str, amount: float) -> str:
        """Put a payment into the mempool. Its id."""
        txid: str = self.rpc("sendtoaddress", address, amount)
        return txid

"""A real Bitcoin SV node on a private chain: sha256d, no segwit, `coinbaseaux` in its templates. On its regtest half of
all hashes are blocks. It drops a peer that stays silent for a minute, so `connect_peer()` again in long tests."""

import os
from pathlib import Path

from counterparts import executable, require
from node.daemon import Daemon

FOLDER = Path(os.environ.get("MINER_BITCOINSV_DIR") or Path(__file__).with_name("bitcoinsv"))
PROGRAM = FOLDER / "bitcoind"  # never the one on PATH: that may be another coin's
INSTALL = "ci/install-bitcoinsv"

_CONFIG = """\
regtest=1
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
rpcthreads=8
keypool=5
excessiveblocksize=1000000000
maxstackmemoryusageconsensus=100000000
minminingtxfee=0.00000500
maxtipage=2000000000
"""


def program() -> Path:
    """The path of its bitcoind; where there is none, the test is skipped or, in CI, fails."""
    found = PROGRAM if PROGRAM.is_file() else None
    return require("Bitcoin SV's node", found and executable(str(found), str(found)), INSTALL)


class BitcoinSV(Daemon):
    """`peer=False`: no peer."""

    def __init__(self, *, peer: bool = True) -> None:
        super().__init__(program(), peer=peer)

    def config(self) -> str:
        return _CONFIG.format(**vars(self))

    def send(self, address: str, amount: float) -> str:
        """Put a payment into the mempool. Its id."""
        txid: str = self.rpc("sendtoaddress", address, amount)
        return txid

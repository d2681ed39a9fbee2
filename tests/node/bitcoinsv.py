"""A real Bitcoin SV node on a private chain: sha256d, no segwit, `coinbaseaux` in its templates. On its regtest half of
all hashes are blocks. It drops a peer that stays silent for a minute, so `connect_peer()` again in long tests."""

import os
from pathlib import Path

from node.daemon import Daemon, installed

FOLDER = Path(os.environ.get("MINER_BITCOINSV_DIR") or Path(__file__).with_name("bitcoinsv"))
PROGRAM = FOLDER / "bitcoind"
INSTALL = "ci/install-bitcoinsv"

_CONFIG = """\
regtest=1
excessiveblocksize=1000000000
maxstackmemoryusageconsensus=100000000
minminingtxfee=0.00000500
maxtipage=2000000000
"""


def program() -> Path:
    """The path of its bitcoind; where there is none, the test is skipped or, in CI, fails."""
    return installed("Bitcoin SV's node", PROGRAM, INSTALL)


class BitcoinSV(Daemon):
    """A Bitcoin SV node. `peer=False`: it has no peer until `connect_peer()`."""

    def __init__(self, *, peer: bool = True) -> None:
        super().__init__(program(), peer=peer)

    def config(self) -> str:
        return self.common_config(_CONFIG)

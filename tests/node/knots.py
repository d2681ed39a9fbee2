"""A real Bitcoin Knots on a private chain: segwit, and signets. On its regtest half of all hashes are blocks. Its
wallet does not wait for the disk, or each block that pays it would take a tenth of a second."""

import os
from pathlib import Path

from node.daemon import Daemon, installed

FOLDER = Path(os.environ.get("MINER_KNOTS_DIR") or Path(__file__).with_name("knots"))
PROGRAM = FOLDER / "bitcoind"
INSTALL = "ci/install-knots"

_CONFIG = """\
chain={chain}
[{chain}]
peertimeout=100000000
maxtipage=2000000000
minimumchainwork=00
fallbackfee=0.0002
unsafesqlitesync=1
"""


def program() -> Path:
    """The path of its bitcoind; where there is none, the test is skipped or, in CI, fails."""
    return installed("Bitcoin Knots", PROGRAM, INSTALL)


class Knots(Daemon):
    """A Bitcoin Knots. `chain` is regtest, main or test; with `challenge`, a script in hex, a signet of its own
    instead."""

    def __init__(self, *, chain: str = "regtest", challenge: str = "", peer: bool = True) -> None:
        super().__init__(program(), chain="signet" if challenge else chain, peer=peer)
        self._challenge = challenge

    def config(self) -> str:
        return self.common_config(_CONFIG) + (f"signetchallenge={self._challenge}\n" if self._challenge else "")

    def prepare(self) -> None:
        self.rpc("createwallet", "test")
        super().prepare()

    def new_address(self, kind: str = "bech32") -> str:
        """kind: legacy, p2sh-segwit, bech32 or bech32m."""
        address: str = self.rpc("getnewaddress", "", kind)
        return address

"""A real Litecoin Core on a private chain.

    with Litecoind() as node:
        node.generate(101)
        node.rpc("getblocktemplate", {"rules": ["mweb", "segwit"]})

The chain is regtest, where half of all hashes are blocks: whoever tests a miner on it checks the hash of each header
with hashlib as well. Or a testnet of one node, where a block takes 2^20 hashes.
"""

from pathlib import Path
from typing import Any

from counterparts import executable, require
from node.daemon import Daemon, RpcRefusal

__all__ = ["MWEB_HEIGHT", "Litecoind", "RpcRefusal", "program"]

# The program itself: /usr/bin/litecoind of the Debian package is a wrapper that writes to the home folder.
PROGRAM = "/usr/lib/litecoin/litecoind"
INSTALL = "apt-get install --no-install-recommends litecoind"

MWEB_HEIGHT = 432  # the first block with an extension block on regtest; it needs a peg-in among its transactions

_CONFIG = """\
chain={chain}
[{chain}]
upnp=0
peertimeout=100000000
minimumchainwork=00
fallbackfee=0.0002
"""
_OLD_BLOCKS = "maxtipage=2000000000\n"
_MWEB_OFF = "vbparams=mweb:9000000000:9000000001:0:2000000000\n"


def program() -> Path:
    """The path of litecoind; where there is none, the test is skipped or, in CI, fails."""
    return require("Litecoin Core", executable("litecoind", PROGRAM), INSTALL)


class Litecoind(Daemon):
    """A Litecoin Core with a wallet. `mweb=False` puts the extension blocks off for good; else they start at
    MWEB_HEIGHT. `peer=False`: it has no peer, and refuses to give templates until `connect_peer()`. `old_blocks=False`:
    it gives none either while its newest block is a day old. `more`: further lines of its config file. `chain`:
    regtest, main or test."""

    config_name = "litecoin.conf"

    def __init__(self, *, chain: str = "regtest", mweb: bool = True, peer: bool = True, old_blocks: bool = True,
                 more: str = "") -> None:
        super().__init__(program(), chain=chain, peer=peer)
        self._own = ("" if mweb else _MWEB_OFF) + (_OLD_BLOCKS if old_blocks else "") + more

    def config(self) -> str:
        return self.common_config(_CONFIG) + self._own

    def prepare(self) -> None:
        self.new_wallet("test")
        super().prepare()

    def rpc(self, method: str, *params: object, wallet: str = "test", **how: Any) -> Any:
        """Call the node, with a wallet of its own where the method needs one."""
        return super().rpc(method, *params, path=f"/wallet/{wallet}", **how)

    def new_address(self, kind: str = "bech32", wallet: str = "test") -> str:
        """kind: legacy, p2sh-segwit, bech32 or mweb."""
        address: str = self.rpc("getnewaddress", "", kind, wallet=wallet)
        return address

    def grow(self, count: int) -> None:
        """Make `count` blocks. The first 20 pay the wallet, which many more coins would make slow; the others pay
        nobody."""
        self.generate(20)
        self.generate(count - 20, self.rpc("decodescript", "51")["p2sh"])

    def new_wallet(self, name: str) -> None:
        """One more wallet, for those who need to know which coins are spent."""
        self.rpc("createwallet", name)

    def send(self, address: str, amount: float, wallet: str = "test") -> str:
        """Put a payment into the mempool. Its id."""
        txid: str = self.rpc("sendtoaddress", address, amount, wallet=wallet)
        return txid

    def peg_in(self, amount: float = 5.0, to_wallet: str = "test") -> str:
        """Put a transaction into the mempool that moves coins into the extension block. Its id."""
        return self.send(self.new_address("mweb", to_wallet), amount)

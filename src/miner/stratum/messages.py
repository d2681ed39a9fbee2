"""Stratum's methods by name, one dataclass each: `parse` from untrusted parameters, `params` for the wire.

From https://en.bitcoin.it/wiki/Stratum_mining_protocol, NiceHash's mining.extranonce.subscribe and BIP 310.
Hex and byte order end here: fields are bytes and integers as core.model has them. Every `parse` raises ProtocolError.
"""

from miner.stratum.extensions import (
    EXTENSION,
    NO_BLOCK,
    NONCE,
    ROLLING,
    ROLLING_MASK,
    VERSION_MASK,
    VERSION_ROLLING,
    Configure,
    Pause,
    Report,
    SetVersionMask,
    Stop,
    granted_nonce,
    granted_version_mask,
    login_proof,
)
from miner.stratum.fields import parse_difficulty, parse_extranonce
from miner.stratum.from_miner import Authorize, Submit, Subscribe, SuggestDifficulty
from miner.stratum.from_server import (
    Notify,
    NotifyLine,
    Reconnect,
    SetDifficulty,
    SetExtranonce,
    ShowMessage,
    Subscription,
)

__all__ = [
    "Authorize", "Configure", "EXTENSION", "EXTRANONCE_SUBSCRIBE", "FromServer", "GET_VERSION", "NONCE", "NO_BLOCK",
    "Notify", "NotifyLine", "PING", "Pause", "ROLLING", "ROLLING_MASK", "Reconnect", "Report", "SetDifficulty",
    "SetExtranonce", "SetVersionMask", "ShowMessage", "Stop", "Submit", "Subscribe", "Subscription",
    "SuggestDifficulty", "VERSION_MASK", "VERSION_ROLLING", "granted_nonce", "granted_version_mask", "login_proof",
    "parse_difficulty", "parse_extranonce",
]

FromServer = SetDifficulty | SetExtranonce | SetVersionMask | Notify | Reconnect | ShowMessage | Stop | Pause

# Methods without parameters

EXTRANONCE_SUBSCRIBE = "mining.extranonce.subscribe"
PING = "mining.ping"
GET_VERSION = "client.get_version"

"""What a node's refusals mean: whether waiting helps, what to do, and which shares came too late. Pure.

Sources: BIP 22 and 23 (reasons of submitblock), Bitcoin Core's rpc/protocol.h and validation.cpp (codes and reasons).
"""

import math
import re
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from miner.core.errors import MinerError
from miner.core.model import ShareStatus
from miner.net import words_of
from miner.node.jsonrpc import HttpError, JsonRpcError
from miner.node.template import CLIENT_RULES
from miner.wrong_door import Speech, WrongDoorError, right_url

INVALID_PARAMETER = -8
NOT_CONNECTED = -9
INITIAL_DOWNLOAD = -10
REFUSED = -26  # a block or transaction against the rules
WARMING_UP = -28
METHOD_NOT_FOUND = -32601

# Codes that no waiting cures: wrong type, invalid address, invalid parameter, and JSON-RPC's own for bad requests.
_FOR_GOOD = frozenset({-3, -5, INVALID_PARAMETER, -32600, METHOD_NOT_FOUND, -32602, -32700})

_NOT_NOW = frozenset({NOT_CONNECTED, INITIAL_DOWNLOAD, WARMING_UP})
_BUSY_STATUSES = frozenset({429, 502, 503, 504})
_REFUSED_STATUSES = frozenset({400, 405, 411, 413, 414, 415})  # a request like this is never taken

# A good block that came too late: another one is known on the same previous block, or the chain has gone on, or back.
_STALE = frozenset({"inconclusive", "duplicate-inconclusive", "inconclusive-not-best-prevblk", "stale-prevblk",
                    "bad-prevblk", "prev-blk-not-found", "stale-work", "unknown-work"})
DUPLICATE = "duplicate"

_FIXES = {
    "bad-txns-vout-p2sh": "this chain has given up script addresses; use a `coinbase_addr` of the oldest kind",
    "bad-cb-length": "the coinbase script is too long or too short; shorten `coinbase_sig`",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What stands between us and work, in one line with the fix where there is one. `for_good`: trying again won't
    help."""

    text: str
    for_good: bool


def submit_verdict(reason: str) -> ShareStatus:
    """What a submitblock result other than null says of the share."""
    return ShareStatus.STALE if reason in _STALE else ShareStatus.REJECTED


def explain_verdict(reason: str) -> str:
    """A node's reason for not taking a block, with the fix where there is one."""
    for word, fix in _FIXES.items():
        if word in reason:
            return f"{reason}: {fix}"
    return reason


def rejected_getwork(reason: str) -> ShareStatus:
    """What a refusal of getwork says of the share, by the words of its X-Reject-Reason."""
    return ShareStatus.STALE if re.search(r"(?i)stale|unknown-work|prevblk", reason) else ShareStatus.REJECTED


def is_verdict(error: MinerError | OSError) -> bool:
    """Whether an error says something of the share that was handed in, so that nothing will come of handing it in
    again. All else passes: a node that starts, stops or has too much to do, whatever stands before it, and the way
    there."""
    match error:
        case JsonRpcError():
            return (error.code not in _NOT_NOW and error.status not in _BUSY_STATUSES
                    and "work queue depth exceeded" not in error.message.lower())
        case HttpError():
            return error.status in _REFUSED_STATUSES
    return False


def failed_submit(error: MinerError | OSError, label: str) -> tuple[ShareStatus, str]:
    """What becomes of a share where the call that hands it in raised, and why, in words."""
    reason = explain(error, label).text
    return (ShareStatus.REJECTED, reason) if is_verdict(error) else (ShareStatus.STALE, f"no answer: {reason}")


def is_unknown_method(error: Exception) -> bool:
    """Whether a server doesn't know what was asked for. Some say so without JSON-RPC's code."""
    return isinstance(error, JsonRpcError) and (
        error.code == METHOD_NOT_FOUND
        or re.search(r"(?i)(unknown|invalid|no such|unsupported) method|method not", error.message) is not None)


def download_progress(answer: object) -> str:
    """How far a node is that refuses because of its initial download, from its answer to getblockchaininfo. One that
    has every block that there is refuses too, while its newest is a day old: nobody but its owner can help it then."""
    progress = answer.get("verificationprogress") if isinstance(answer, dict) else None
    if not isinstance(progress, int | float) or not 0 <= progress <= 1:
        return ""
    if progress < 0.999:
        return f" (initial block download: {math.floor(progress * 100)}%)"
    return ": its newest block is old; on a chain of your own, start it with -maxtipage=1000000000"


def explain(error: MinerError | OSError, label: str, method: str = "", cookie: bool = False) -> Trouble:
    """Turn what a call of `method` raised into words for a person. `cookie`: we are known by the node's cookie."""
    if isinstance(error, JsonRpcError):
        return _explain_refusal(error, method)
    if isinstance(error, HttpError):
        return _explain_status(error, cookie)
    if isinstance(error, TimeoutError):
        return Trouble(f"{label} does not answer", False)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble(f"{label}: its certificate can't be trusted: {error.verify_message}", True)
    if isinstance(error, ConnectionRefusedError):
        return Trouble(f"{label}: connection refused: does the node run with -server, and is this its RPC port?", False)
    if isinstance(error, OSError):
        return Trouble(f"{label}: {words_of(error)}", False)
    if isinstance(error, WrongDoorError):
        return Trouble(f"{label}: {right_url(Speech.HTTP, error.speech, _place(label))}", True)
    return Trouble(f"{label}: {error}", True)


def _place(label: str) -> str:
    """HOST:PORT of an http or https URL."""
    parts = urlsplit(label)
    return parts.netloc if parts.port else f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}"


def _explain_refusal(error: JsonRpcError, method: str) -> Trouble:
    text = str(error)
    if error.code == NOT_CONNECTED:
        text += ": a node gives no work before it has a peer; look at its network, or use -connect or -addnode"
    elif error.code == INVALID_PARAMETER and method == "getblocktemplate":
        text += f"; asked with the rules {', '.join(CLIENT_RULES)}"
    elif "bad-txns-vin-empty" in error.message:
        text += ": Litecoin's first MWEB block needs a transaction that pegs in; work comes when one is in the mempool"
    elif is_unknown_method(error):
        text += f": it does not offer {method or 'this'}; is it the right kind of node?"
    return Trouble(f"the node says: {explain_verdict(text)}", error.code in _FOR_GOOD or is_unknown_method(error))


def _explain_status(error: HttpError, cookie: bool) -> Trouble:
    if error.status == 401 and cookie:
        return Trouble("the node refuses the cookie: is it that node's own? (HTTP status 401)", False)
    if error.status == 401:
        return Trouble("wrong RPC user or password: they must be the node's rpcuser and rpcpassword, or use "
                       "`cookie_file` (HTTP status 401)", True)
    if error.status == 403:
        return Trouble("the node does not permit it: see its options -rpcallowip (this machine) and -rpcwhitelist "
                       "(validateaddress, getblocktemplate, getbestblockhash, submitblock) (HTTP status 403)", True)
    return Trouble(f"the node answers with {error}", error.status in (400, 404, 405))

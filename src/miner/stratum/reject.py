"""Why a share was refused: codes as we give them, and sense made of those that pools give."""

import enum
import re

from miner.stratum.wire import RpcError


class Reject(enum.IntEnum):
    """Codes of the stratum-mining documentation, and JSON-RPC's for an unknown method as stratum pools write it."""

    NO_METHOD = -3
    OTHER = 20
    STALE = 21  # "job not found"
    DUPLICATE = 22
    LOW_DIFFICULTY = 23
    UNAUTHORIZED = 24
    NOT_SUBSCRIBED = 25


# Pools differ in their codes (yiimp's 23 is "Invalid time rolling" and its 26 "Low difficulty share"), less so in
# their words. So words count first, and the code where the words say nothing.
_WORDS = (
    (Reject.DUPLICATE, r"dup"),
    (Reject.LOW_DIFFICULTY, r"(low|high|above|below|under)\b.*(diff|hash|target)|(diff|hash|target).*(low|high|above)"),
    (Reject.STALE, r"stale|prevblk|too old|old job|(unknown|invalid|no such|wrong|expired)[ -](job|work\b)"
                   r"|job.*(not found|unknown|expired)"),
    (Reject.NOT_SUBSCRIBED, r"not subscribed|unsubscribed"),
    (Reject.UNAUTHORIZED, r"unauthori|not authori|unknown (worker|user)"),
    (Reject.OTHER, r"time|size|invalid"),
)


STRANGER = (Reject.UNAUTHORIZED, Reject.NOT_SUBSCRIBED)  # refusals of who hands a share in, and not of the share


def is_stranger(error: RpcError | None) -> bool:
    """Whether a share was refused because the pool doesn't know who hands it in. Another code than that says no such
    thing, whatever the words: a hub passes on those of its own pool."""
    return (error is not None and error.code in (0, Reject.UNAUTHORIZED, Reject.NOT_SUBSCRIBED)
            and classify(error) in STRANGER)


def classify(error: RpcError | None) -> Reject:
    """Sort a pool's refusal by its words, else by its code."""
    if error is None:
        return Reject.OTHER
    words = error.text.lower()
    for kind, pattern in _WORDS:
        if re.search(pattern, words):
            return kind
    return Reject(error.code) if error.code in range(20, 26) else Reject.OTHER

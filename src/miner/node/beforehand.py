"""What a node is asked once before anything is hashed: a block that took days to find is a bad moment to learn that it
was in vain."""

import contextlib
from collections.abc import Awaitable, Callable

from miner.core.algorithm import Algorithm
from miner.core.errors import ProtocolError, SourceError, UsageError
from miner.core.header import display_hash
from miner.core.model import ShareStatus
from miner.core.target import hash_value, nbits_to_target
from miner.core.text import one_line
from miner.node.jsonrpc import HttpError, JsonRpcError
from miner.node.refusals import REFUSED, explain_verdict, submit_verdict
from miner.node.template import Template, proposal_request
from miner.verify import proof_hash

_COMMON = (Algorithm.parse("sha256d"), Algorithm.parse("scrypt"))
_AUXPOW = 0x100  # in the version: the proof is another chain's header


async def ask_beforehand(call: Callable[..., Awaitable[object]], template: Template, algorithm: Algorithm,
                         block: bytes) -> None:
    """Is the latest block proven by our hash, and would the node take `block`, were it solved? Raises UsageError or
    SourceError if not, and OSError. `call` asks the node; what it doesn't know stops nobody."""
    if template.height > 1:  # the first block of some chains has no proof
        with contextlib.suppress(JsonRpcError, HttpError, ProtocolError):
            check_algorithm(await call("getblockheader", display_hash(template.prev_hash), False), algorithm)
    if template.proposals:
        await _propose(call, proposal_request(block, template.workid))


async def _propose(call: Callable[..., Awaitable[object]], request: dict[str, object]) -> None:
    try:
        reason = one_line(await call("getblocktemplate", request))
    except JsonRpcError as error:
        reason = error.message if error.code == REFUSED else ""  # else it just does not know proposals
    if reason and submit_verdict(reason) is not ShareStatus.STALE:
        raise SourceError(f"the node would refuse every block of ours: {explain_verdict(reason)}")


def check_algorithm(header: object, algorithm: Algorithm) -> None:
    """Raises UsageError if a block of the chain (its header in hex, as getblockheader tells it) was surely proven by
    another algorithm: it meets its target by that one and not by ours. What is no header says nothing."""
    try:
        raw = bytes.fromhex(header) if isinstance(header, str) else b""
        target = nbits_to_target(int.from_bytes(raw[72:76], "little"))
    except ValueError:
        return
    if len(raw) != 80 or int.from_bytes(raw[:4], "little") & _AUXPOW:
        return
    proven_by = [other for other in (algorithm, *_COMMON) if hash_value(proof_hash(other, raw)) <= target]
    if proven_by and algorithm not in proven_by:
        raise UsageError(f"the blocks of this chain are proven by {proven_by[0]} and not by {algorithm}: "
                         f"use --algo {proven_by[0]}")

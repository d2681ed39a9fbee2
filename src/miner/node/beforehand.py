"""What a node is asked once before anything is hashed: a block that took days to find is a bad moment to learn that it
was in vain."""

import contextlib
from collections.abc import Awaitable, Callable

from miner.core.algorithm import Algorithm, algorithms
from miner.core.errors import ProtocolError, SourceError, UsageError
from miner.core.header import HEADER_SIZE, display_hash
from miner.core.model import ShareStatus
from miner.core.target import hash_value, nbits_to_target
from miner.core.text import one_line
from miner.loop import in_thread
from miner.node.jsonrpc import HttpError, JsonRpcError
from miner.node.refusals import REFUSED, explain_verdict, submit_verdict
from miner.node.template import Template, proposal_request
from miner.verify import proof_hash

Call = Callable[..., Awaitable[object]]

_AUXPOW = 0x100  # in the version: the proof is another chain's header
_BLOCKS = 8  # that are looked at, where targets are so easy that a hash of the wrong kind meets them too


async def ask_beforehand(call: Call, template: Template, algorithm: Algorithm, block: bytes) -> None:
    """Is the chain's latest block proven by our hash, and would the node take `block`, were it solved? Raises
    UsageError or SourceError if not, and OSError. `call` asks the node; what it doesn't know stops nobody."""
    if template.height > 1 and (other := await proven_by_another(call, template.prev_hash, algorithm)):
        raise UsageError(f"the blocks of this chain are proven by {other} and not by {algorithm}: "
                         f"use `algorithm={other}`")
    if template.proposals:
        await _propose(call, proposal_request(block, template.workid))


async def _propose(call: Call, request: dict[str, object]) -> None:
    try:
        reason = one_line(await call("getblocktemplate", request))
    except JsonRpcError as error:
        reason = error.message if error.code == REFUSED else ""  # else it just does not know proposals
    if reason and submit_verdict(reason) is not ShareStatus.STALE:
        raise SourceError(f"the node would refuse every block of ours: {explain_verdict(reason)}")


async def proven_by_another(call: Call, block_hash: bytes, algorithm: Algorithm) -> Algorithm | None:
    """The algorithm that surely proves a chain's blocks in place of `algorithm`: the latest of them, `block_hash` (in
    header order), or one before it, meets its target by the one and not by the other. None where that can't be told,
    or `algorithm` is right. Raises OSError."""
    candidates = tuple(dict.fromkeys((algorithm, *algorithms())))
    for _ in range(_BLOCKS):
        header = proof = b""
        with contextlib.suppress(JsonRpcError, HttpError, ProtocolError):
            header, proof = await _header_and_proof(call, display_hash(block_hash))
        if not any(header[4:36]):
            return None  # nothing is known of it, or it is the chain's first block, which some have without a proof
        candidates = await in_thread(_proven_by, header, proof, candidates)
        if algorithm not in candidates:
            return candidates[0] if candidates else None
        if len(candidates) == 1:
            return None
        block_hash = header[4:36]
    return None


async def _header_and_proof(call: Call, block: str) -> tuple[bytes, bytes]:
    """A block's header, and the header whose hash is its proof: its own, or that of another chain's block where the
    block was mined along with that. b"" for both where the node's answer holds no such thing."""
    raw = _unhex(await call("getblockheader", block, False))
    header = raw[:HEADER_SIZE]
    if len(header) < HEADER_SIZE or not int.from_bytes(header[:4], "little") & _AUXPOW:
        return (header, header) if len(raw) == HEADER_SIZE else (b"", b"")
    if len(raw) > HEADER_SIZE:
        return header, raw[-HEADER_SIZE:]  # CAuxPow ends with it
    answer = await call("getblock", block)
    auxpow = answer.get("auxpow") if isinstance(answer, dict) else None
    proof = _unhex(auxpow.get("parentblock")) if isinstance(auxpow, dict) else b""
    return (header, proof) if len(proof) == HEADER_SIZE else (b"", b"")


def _unhex(text: object) -> bytes:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        return b""


def _proven_by(header: bytes, proof: bytes, candidates: tuple[Algorithm, ...]) -> tuple[Algorithm, ...]:
    """Those by whose hash `proof` meets the target that `header` names; all where it names none."""
    try:
        target = nbits_to_target(int.from_bytes(header[72:76], "little"))
    except ValueError:
        return candidates
    return tuple(candidate for candidate in candidates if hash_value(proof_hash(candidate, proof)) <= target)

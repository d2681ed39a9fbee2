"""Whom a node's blocks pay: an address made into an output script, by the node's own word."""

from collections.abc import Awaitable, Callable

from miner.core.address import address_to_script
from miner.core.errors import ProtocolError, UsageError
from miner.node.jsonrpc import JsonRpcError
from miner.node.refusals import is_unknown_method

_MAX_ADDRESS = 200  # Litecoin's MWEB addresses are the longest
_MAX_SCRIPT_SIZE = 10_000  # consensus: longer scripts can't be spent


def check_address(address: str, setting: str) -> str:
    """The address that was given as the setting of this name, if it could be one at all. Raises UsageError, before any
    node is asked."""
    if not address:
        raise UsageError(f"mining on a node needs the address that its blocks pay: `{setting}=ADDRESS`")
    if len(address) > _MAX_ADDRESS or not address.isascii() or not address.isalnum():
        raise UsageError(f"`{setting}` {address[:_MAX_ADDRESS]!r} is no address: only letters and digits occur")
    return address


async def payout_script(call: Callable[[str, str], Awaitable[object]], address: str, setting: str) -> bytes:
    """The output script that pays the address, on the chain of the node that `call` asks. Raises UsageError, and what
    the call raises."""
    try:
        answer = await call("validateaddress", address)
    except JsonRpcError as error:
        if not is_unknown_method(error):
            raise
        answer = {"isvalid": True}  # it can't say: the address must stand for itself
    return script_from_answer(address, answer, setting)


def script_from_answer(address: str, answer: object, setting: str) -> bytes:
    """The output script in the answer to `validateaddress`, or, from a node that tells no script, by our own decoding.

    Raises UsageError for an address that the node refuses, or that can't be paid by a coinbase.
    """
    if not isinstance(answer, dict) or type(answer.get("isvalid")) is not bool:
        raise ProtocolError("the node's answer to validateaddress says neither yes nor no")
    if not answer["isvalid"]:
        raise UsageError(f"`{setting}` {address}: the node says that this is no address of its chain")
    if answer.get("ismweb") is True:
        raise UsageError(f"`{setting}` {address[:20]}…: a block can't pay an MWEB address; "
                         'give another: getnewaddress "" bech32')
    if answer.get("scriptPubKey") is None:
        return address_to_script(address)
    try:
        script = bytes.fromhex(answer["scriptPubKey"])
    except (TypeError, ValueError):
        script = b""
    if not 0 < len(script) <= _MAX_SCRIPT_SIZE:
        raise UsageError(f"`{setting}` {address}: the node knows no script that pays it")
    return script

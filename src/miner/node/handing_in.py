"""What was found is handed in until it is clear what became of it."""

import asyncio
from collections.abc import Callable

from miner.core.errors import MinerError
from miner.node.jsonrpc import Reply
from miner.node.refusals import explain, is_verdict
from miner.node.transport import NodeRpc

_FIRST_PAUSE = 0.5  # seconds before the second try; twice as long before each later one
_LONGEST_PAUSE = 10.0
_LAST_TRIES = 3  # once it is too late: the node may have taken it before, and then says so


async def hand_in(rpc: NodeRpc, method: str, *params: object, retries: int, too_late: Callable[[], bool],
                  tell: Callable[[str], None]) -> Reply:
    """Call `method` until the node's answer says something of what is handed in.

    After whatever else comes, such as a refused connection, silence, or a busy node's HTTP status, it is called again:
    at most `retries` times (-1: for ever), and only a few times more once `too_late()` (the chain has moved past it).
    `tell` is called with words when something new stands in the way. Raises what came last: MinerError or OSError.
    `Reply.again` says that the node may have heard the call before.
    """
    pause, tries, last_tries, told = _FIRST_PAUSE, 0, 0, ""
    while True:
        try:
            reply = await rpc.exchange(method, *params)
            return Reply(reply.result, reply.headers, reply.again or tries > 0)
        except (MinerError, OSError) as error:
            tries += 1
            last_tries += too_late()
            if is_verdict(error) or tries == retries + 1 or last_tries > _LAST_TRIES:
                raise
            words = explain(error, rpc.label, method).text
        if words != told:
            tell(f"{method} to be tried again: {words}")
            told = words
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)

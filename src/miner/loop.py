"""Event loops where the system gives few threads and files: what it refuses costs speed, or is an error with a name."""

import asyncio
import contextlib
import math
import resource
import socket
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

from miner.core.errors import MinerError

NO_THREAD = "can't start new thread"  # Python's words, in a RuntimeError
_LOOP_SOCKETS = 3  # file descriptors that an event loop opens for itself

Result = TypeVar("Result")


def files_for(wanted: int) -> float:
    """Raise this process's soft limit on open files to `wanted`, as far as the hard limit lets it; it is never lowered.
    Returns the soft limit as it is then; infinity where there is none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return math.inf if soft == resource.RLIM_INFINITY else soft


async def in_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call `function` on a thread of the event loop's. Where the system starts no thread for it, it is called here, and
    the loop stands still meanwhile. Returns and raises what the function does."""
    return await begin_in_thread(function, *arguments)


def begin_in_thread(function: Callable[..., Result], *arguments: Any,
                    executor: Executor | None = None) -> "asyncio.Future[Result]":
    """`in_thread` without waiting: its future, which is done where no thread was started. `executor`: whose threads, in
    place of the event loop's."""
    loop = asyncio.get_running_loop()
    try:
        return loop.run_in_executor(executor, function, *arguments)
    except RuntimeError as error:
        if NO_THREAD not in str(error):
            raise
    done: asyncio.Future[Result] = loop.create_future()
    done.set_result(function(*arguments))
    return done


def run_loop(main: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run `main` on an event loop of its own. Raises MinerError where the system gives no files for a loop: asyncio
    would leave half of one behind, and a traceback when that is collected."""
    with contextlib.ExitStack() as sockets:
        try:
            for _ in range(_LOOP_SOCKETS):
                sockets.enter_context(socket.socket())
        except OSError as error:
            raise MinerError(f"the system refuses files for an event loop: {error.strerror}: end something else, or "
                             "raise its limit on open files (ulimit -n)") from error
    results: list[Result] = []

    async def keep_result() -> None:
        results.append(await main())

    try:
        asyncio.run(keep_result())
    except RuntimeError as error:
        # The loop's executor ends on a thread of its own. Where there is none, it has no threads that could go on.
        if not results or NO_THREAD not in str(error):
            raise
    return results[0]

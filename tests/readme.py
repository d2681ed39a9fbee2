"""The README's commands and code, as they stand there.

A comment `<!-- test: KIND -->` above a block says how it is tested: `run` as it is until it ends by itself; `demo` and
`spark` by the tests in tests/spark; the other kinds with something real in the place of the example's address, until
blocks are found, and then Ctrl-C.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


class Block(NamedTuple):
    kind: str  # from the comment above, or empty
    language: str
    text: str


BLOCKS = [Block(*match.groups(default="")) for match in re.finditer(
    r"(?:^<!-- test: (\w+) -->\n)?^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)]


def scripts(kind: str, **replacements: str) -> list[str]:
    """The blocks of that kind, with the example's values replaced. Each value occurs in one of them at least."""
    found = [block.text for block in BLOCKS if block.kind == kind]
    for example, value in replacements.items():
        assert any(example in text for text in found), f"no block of kind {kind} has {example!r}"
        found = [text.replace(example, value) for text in found]
    return found


def environment() -> dict[str, str]:
    """`python` and `spark-submit` are those that run the tests."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@contextmanager
def running(script: str, log: Path) -> Iterator[Callable[[str], str]]:
    """A block's commands in a process group of their own, which gets Ctrl-C at the end and is gone soon after. The
    function waits until they have printed something that matches, and gives all they have printed."""
    with log.open("wb") as output:
        process = subprocess.Popen(["bash", "-ec", script], stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, env=environment(), process_group=0)

    def wait_for(pattern: str, timeout: float = 90.0) -> str:
        deadline = time.monotonic() + timeout
        while not re.search(pattern, text := log.read_text(errors="replace")):
            assert process.poll() is None and time.monotonic() < deadline, f"no {pattern!r} in:\n{text}"
            time.sleep(0.05)
        return text

    try:
        yield wait_for
    finally:
        with suppress(ProcessLookupError):  # all have ended by themselves, and somebody's assertion says so
            os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
            raise

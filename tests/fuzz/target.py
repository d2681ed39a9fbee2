"""What a fuzzer runs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

PASSWORD = "s3cret-pass"


@dataclass(frozen=True, slots=True)
class Target:
    """A function to fuzz: `run` takes any bytes, and must not raise. `seeds` are inputs to begin with, from the
    documentation's session and from recordings of real nodes; `words` are what fuzzers put into them."""

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[str, ...] = ()


STRATUM_WORDS = ('{"id": ', '"method": "', '"params": [', '"result": ', '"error": [', "null", "true", "1e999", "NaN",
                 "mining.notify", "mining.set_difficulty", "mining.set_extranonce", "mining.set_version_mask",
                 "client.reconnect", "client.show_message", "reject-reason", "\n", "\\u0000", "[[[[[[[[")


def pieces(data: bytes) -> Iterator[bytes]:
    """The bytes as a socket may give them: the second says how many come at once, the first is for the target."""
    size = 1 + data[1] * 32 if len(data) > 1 else 1
    for at in range(2, len(data), size):
        yield data[at : at + size]

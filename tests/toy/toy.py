"""The toy algorithm's class, and a run with it. `python toy.py ARGUMENTS` is `python -m miner ARGUMENTS`, knowing the
toy; without arguments it is mined through a hub."""

import sys
from dataclasses import dataclass
from typing import Self

import miner
from miner import _native
from miner.__main__ import main
from miner.core.algorithm import Algorithm, register, sha256d
from miner.core.errors import UsageError
from miner.core.events import Totals
from miner.core.target import hash_value
from miner.hub import HubThread
from miner.hub.events import HubBlock
from miner.sandbox import SandboxSource


@register
@dataclass(frozen=True, slots=True)
class Toy(Algorithm):
    rounds: int = 2

    name = "toy"
    forms = "toy, toy:ROUNDS"
    diff1_target = 0xFFFF << 224

    @classmethod
    def with_parameters(cls, text: str) -> Self:
        if text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= 1000:
            return cls(int(text))
        raise UsageError(f"algorithm 'toy:{text}': ROUNDS must be from 1 to 1000")

    def __str__(self) -> str:
        return "toy" if self.rounds == 2 else f"toy:{self.rounds}"

    @property
    def parameters(self) -> tuple[int, ...]:
        return (self.rounds,)

    @property
    def first_guess(self) -> float:
        return 500_000 / self.rounds

    def hash(self, header: bytes) -> bytes:
        for _ in range(self.rounds):
            header = sha256d(header)
        return header


def through_a_hub() -> None:
    """Until a block was found by a miner of the hub."""
    algorithm = Algorithm.parse("toy:3")
    with HubThread(SandboxSource(algorithm)) as hub:
        host, port = hub.address
        with miner.mine(url=f"stratum+tcp://{host}:{port}", username="a", password=hub.config.token, hub=True,
                        algorithm="toy:3", threads=1, pin=False) as mining:
            while not isinstance(event := hub.next_event(60), HubBlock):
                assert event is not None, "no block within a minute"
            hub.stop_miners("enough", 60)
            totals = next(event for event in mining if isinstance(event, Totals))
    share = event.result.share
    assert hash_value(algorithm.hash(share.header)) <= share.job.network_target
    print(f"{algorithm}: {totals.accepted} accepted, {totals.rejected} rejected")


if __name__ == "__main__":
    assert _native.selftest("toy", "portable")
    sys.exit(main() if sys.argv[1:] else through_a_hub())

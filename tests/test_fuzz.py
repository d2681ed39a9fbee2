"""The fuzzers' targets hold on their seeds and on what Hypothesis makes of them. `make fuzz` goes on from here."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].run(seed)
        TARGETS[name].run(seed[:1] + b"\0" + seed[2:])  # byte by byte


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_seeds(name: str) -> None:
    target = TARGETS[name]

    @settings(deadline=None)
    @given(st.sampled_from(target.seeds), st.integers(0, 3000), st.integers(0, 300),
           st.binary(max_size=9) | st.sampled_from([word.encode() for word in target.words]))
    def holds(seed: bytes, at: int, length: int, instead: bytes) -> None:
        target.run(seed[:at] + instead + seed[at + length :])

    holds()

"""Refusals of shares, sorted by what pools mean."""

import pytest

from miner.stratum.reject import Reject, classify
from miner.stratum.wire import RpcError


@pytest.mark.parametrize(("code", "text", "kind"), [
    # The documentation's, as NOMP, ckpool and others use them.
    (21, "Job not found", Reject.STALE), (21, "job not found (=stale)", Reject.STALE), (21, "", Reject.STALE),
    (22, "Duplicate share", Reject.DUPLICATE), (22, "duplicate share", Reject.DUPLICATE), (22, "", Reject.DUPLICATE),
    (23, "Low difficulty share", Reject.LOW_DIFFICULTY), (23, "low difficulty share of 0.1", Reject.LOW_DIFFICULTY),
    (24, "unauthorized worker", Reject.UNAUTHORIZED), (25, "not subscribed", Reject.NOT_SUBSCRIBED),
    (20, "ntime out of range", Reject.OTHER), (20, "incorrect size of nonce", Reject.OTHER), (20, "", Reject.OTHER),
    # yiimp's: the same numbers for other things.
    (21, "Invalid job id", Reject.STALE), (23, "Invalid time rolling", Reject.OTHER),
    (25, "Invalid share", Reject.OTHER), (26, "Low difficulty share", Reject.LOW_DIFFICULTY), (26, "", Reject.OTHER),
    (20, "Invalid nonce size", Reject.OTHER),
    # Without a code that says anything.
    (0, "stale-prevblk", Reject.STALE), (0, "unknown-work", Reject.STALE), (0, "Stale share", Reject.STALE),
    (-1, "Share is above target", Reject.LOW_DIFFICULTY), (0, "high-hash", Reject.LOW_DIFFICULTY),
    (0, "share too old", Reject.STALE), (0, "Job expired", Reject.STALE), (0, "duplicate", Reject.DUPLICATE),
    (0, "Difficulty too low", Reject.LOW_DIFFICULTY), (0, "whatever", Reject.OTHER), (0, "", Reject.OTHER),
    (21, "whatever", Reject.STALE),
])
def test_words_count_before_codes(code: int, text: str, kind: Reject) -> None:
    assert classify(RpcError(code, text)) is kind


def test_no_error_is_no_particular_kind() -> None:
    assert classify(None) is Reject.OTHER

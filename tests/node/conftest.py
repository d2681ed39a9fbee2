"""What tests on nodes share."""

import pytest

from miner.node import polling
from node.mining import NEVER


@pytest.fixture
def no_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes then can only be the long poll's, or asked for because of something of ours."""
    monkeypatch.setattr(polling, "REFRESH_SECONDS", NEVER)

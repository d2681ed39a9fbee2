"""What tests on nodes share."""

import pytest

from miner.node import polling, tip_watch
from node.mining import NEVER


@pytest.fixture
def no_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes then can only be what tells of news, or asked for because of something of ours."""
    monkeypatch.setattr(polling, "REFRESH_SECONDS", NEVER)


@pytest.fixture
def no_news(no_refresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is the node's newest block looked at: what comes then is asked for because of something of ours."""
    monkeypatch.setattr(tip_watch, "_SECONDS", NEVER)

"""What tests on nodes share."""

import pytest

from miner.node import polling, tip_watch
from node.mining import NEVER


@pytest.fixture
def no_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No template is asked for because time has passed: one that comes follows news, or something that the miner
    did."""
    monkeypatch.setattr(polling, "REFRESH_SECONDS", NEVER)


@pytest.fixture
def no_news(no_refresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is the node's newest block looked at: a template that comes follows something that the miner did."""
    monkeypatch.setattr(tip_watch, "_SECONDS", NEVER)

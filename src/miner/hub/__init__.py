"""The hub: one source's jobs served again, as stratum, to many miners."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from miner.hub.config import HubConfig as HubConfig
    from miner.hub.server import Hub as Hub
    from miner.hub.thread import HubThread as HubThread

# Loaded at first use: who mines alone needs the hub's events (miner.hub.events), and nothing that serves.
_PUBLIC = {"Hub": "miner.hub.server", "HubConfig": "miner.hub.config", "HubThread": "miner.hub.thread"}

__all__ = ["Hub", "HubConfig", "HubThread"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)

"""The hub: one source's jobs served again, as stratum, to many miners."""

from miner.hub.config import HubConfig
from miner.hub.server import Hub
from miner.hub.thread import HubThread

__all__ = ["Hub", "HubConfig", "HubThread"]

"""The swarm: many miners in one process, as load for pools and hubs of one's own."""

from miner.swarm.plan import Plan
from miner.swarm.run import Swarm

__all__ = ["Plan", "Swarm"]

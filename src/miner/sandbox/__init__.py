"""The sandbox chain: a private chain inside this process that needs no pool, node or network. Its coins don't exist."""

from miner.sandbox.source import SandboxSource

__all__ = ["SandboxSource"]

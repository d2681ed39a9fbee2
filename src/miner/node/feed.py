"""A feed: one way of getting work from a node and handing it back. What NodeSource runs."""

from abc import ABC, abstractmethod

from miner.core.model import Share, ShareResult


class Feed(ABC):
    """One way of getting work. `what` is the RPC method that it lives on, `payee` who is paid, in words that are safe
    to print."""

    what: str
    payee: str

    @abstractmethod
    async def follow(self) -> None:
        """Put out a job for all that is new, until something goes wrong and is raised: MinerError or OSError. The
        first job after it is called is a fresh start."""

    @abstractmethod
    async def submit(self, share: Share) -> ShareResult:
        """Hand in a share, and wait for what becomes of it: until the node has said something of it, the chain has
        moved past it, or `retries` says stop. Raises nothing for the network's sake."""

    def used_up(self) -> bool:
        """Every header of the newest job has been hashed. Returns whether another job is asked for."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Let go of connections that rest. What is being handed in is tried a few times more."""

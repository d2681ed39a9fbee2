"""A feed: one way of getting work from a node and handing it back. What NodeSource runs."""

from abc import ABC, abstractmethod

from miner.core.model import Share, ShareResult


class Feed(ABC):
    """`what` is the method that it lives on, `payee` as WorkSource's."""

    what: str
    payee: str

    @abstractmethod
    async def follow(self) -> None:
        """Put out a job for all that is new, until something goes wrong and is raised: MinerError or OSError. The
        first job after it is called is a fresh start."""

    @abstractmethod
    async def submit(self, share: Share) -> ShareResult:
        """As WorkSource's."""

    def used_up(self) -> bool:
        """As WorkSource's."""
        return False

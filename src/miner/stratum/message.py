"""What all of stratum's messages have in common: a method's name, and parameters that are read and written."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self


class Message(ABC):
    """A request or notification of stratum (https://en.bitcoin.it/wiki/Stratum_mining_protocol). Subclasses are frozen
    dataclasses whose fields are bytes, integers and text; METHOD is what the wire calls them."""

    __slots__ = ()
    METHOD: ClassVar[str]

    @classmethod
    @abstractmethod
    def parse(cls, params: Sequence[object]) -> Self:
        """The message that has these parameters, as JSON was decoded: a peer may have made them up. Parameters beyond
        those that are known are passed over. Raises ProtocolError, which names the method and the parameter, where one
        is missing, of another type, or beyond its bounds."""

    @property
    @abstractmethod
    def params(self) -> list[object]:
        """The parameters as JSON is made from them: bytes and 32-bit numbers in hexadecimal digits, most significant
        first."""

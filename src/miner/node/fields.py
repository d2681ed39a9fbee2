"""The members of a JSON object that came from a server, each with its type and bounds. Pure."""

from miner.core.errors import ProtocolError
from miner.core.text import one_line

MAX_TEXT = 256


class Fields:
    """The members of a JSON object, each fetched with its type and bounds. Every method raises ProtocolError, which
    names the object and the member, for one that is missing or not what it should be."""

    def __init__(self, members: object, name: str) -> None:
        """`name` is what the object is called in errors. Raises ProtocolError where `members` is no JSON object."""
        if not isinstance(members, dict):
            raise ProtocolError(f"{name} is not a JSON object")
        self.members = members
        self._name = name

    def integer(self, key: str, least: int, most: int, default: int | None = None) -> int:
        """A whole number from `least` to `most`; `default` for one that is missing, where that is not None."""
        value = self.members.get(key, default)
        if type(value) is not int or not least <= value <= most:
            raise self.wrong(key, f"is not a whole number from {least} to {most}")
        return value

    def hexadecimal(self, key: str, size: int | None = None, *, least: int = 0, most: int | None = None) -> bytes:
        """Hex digits, as bytes in the order in which they are written: `size` bytes, or from `least` to `most`."""
        value = self.members.get(key)
        try:
            data = bytes.fromhex(value) if isinstance(value, str) else None
        except ValueError:
            data = None
        if data is None or len(data) * 2 != len(str(value)):  # fromhex lets blanks pass
            raise self.wrong(key, "is not hexadecimal")
        if size is not None:
            least = most = size
        if len(data) < least or (most is not None and len(data) > most):
            raise self.wrong(key, f"has {len(data)} bytes")
        return data

    def text(self, key: str) -> str:
        """A text of at most MAX_TEXT characters; "" for one that is missing."""
        value = self.members.get(key, "")
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            raise self.wrong(key, f"is not a text of at most {MAX_TEXT} characters")
        return value

    def wrong(self, key: str, what: str) -> ProtocolError:
        """The error for a member that is missing, or of which `what` is to be said."""
        if key not in self.members:
            return ProtocolError(f"{self._name} has no {key}")
        return ProtocolError(f"{self._name}'s {one_line(key, 64)} {what}")  # some names are the server's own

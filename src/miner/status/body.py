"""What is sent as an answer: made once, compressed once, for all who ask."""

import zlib
from dataclasses import dataclass, field

from miner.loop import in_thread

_WORTH = 1024  # bytes from which on compression pays
_GZIP = 16 + zlib.MAX_WBITS
_LEVEL = 3


@dataclass(slots=True)
class Body:
    """The bytes of an answer."""

    plain: bytes
    _packed: bytes | None = field(default=None, init=False)

    async def packed(self) -> bytes | None:
        """The bytes in gzip's format; None where that isn't worth while. Made in a thread, where Python's lock is
        free."""
        if self._packed is None and len(self.plain) >= _WORTH:
            self._packed = await in_thread(_pack, self.plain)
        return self._packed


def _pack(data: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    return packer.compress(data) + packer.flush()

"""A chain takes one block on each previous hash: where it stands, and whether that is solved."""


class Tip:
    """The previous hash that blocks are made on, in header order, and the one that is solved: a block on it was
    accepted, so that whatever else is found there is in vain."""

    def __init__(self) -> None:
        self._prev_hash: bytes | None = None
        self._solved: bytes | None = None

    def move(self, prev_hash: bytes) -> bool:
        """The source's newest work is on this previous hash. Returns whether its work before was on another one. A
        solved hash that work comes back to is open again: the chain has dropped the block."""
        moved = prev_hash != self._prev_hash
        if moved and self.is_solved(prev_hash):
            self._solved = None
        self._prev_hash = prev_hash
        return moved

    def solve(self, prev_hash: bytes) -> None:
        """A block on this previous hash was accepted by the chain."""
        self._solved = prev_hash

    def reopen(self) -> None:
        """The source still wants blocks on the solved previous hash."""
        self._solved = None

    def is_solved(self, prev_hash: bytes) -> bool:
        """Whether a block on this previous hash was the last that the chain accepted."""
        return prev_hash == self._solved

    def takes(self, prev_hash: bytes) -> bool:
        """Whether the chain may still take a block on this previous hash: it is the newest, and not solved."""
        return prev_hash == self._prev_hash and not self.is_solved(prev_hash)

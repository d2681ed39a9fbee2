"""The previous hash that a chain's next block goes on, and whether it is solved: a chain takes one block on each."""


class Tip:
    """Two previous hashes (32 bytes each, header order): the newest, on which blocks are made, and the last solved one,
    on which the chain has accepted a block: whatever else is found on it is in vain."""

    def __init__(self) -> None:
        self._prev_hash: bytes | None = None
        self._solved: bytes | None = None

    def move(self, prev_hash: bytes) -> bool:
        """Note that the source's newest work is on this previous hash. Returns whether its work before was on another.
        Where work comes back to a solved one, that is open again: the chain has dropped the block on it."""
        moved = prev_hash != self._prev_hash
        if moved and self.is_solved(prev_hash):
            self._solved = None
        self._prev_hash = prev_hash
        return moved

    def solve(self, prev_hash: bytes) -> None:
        """Note that the chain has accepted a block on this previous hash."""
        self._solved = prev_hash

    def reopen(self) -> None:
        """Note that the source still wants blocks on the solved previous hash: it is solved no longer."""
        self._solved = None

    def is_solved(self, prev_hash: bytes) -> bool:
        """Whether a block on this previous hash was the last that the chain accepted."""
        return prev_hash == self._solved

    def takes(self, prev_hash: bytes) -> bool:
        """Whether the chain may still take a block on this previous hash: whether it is the newest, and not solved."""
        return prev_hash == self._prev_hash and prev_hash != self._solved

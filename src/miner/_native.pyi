"""The C core: proof-of-work search on this CPU.

Byte order throughout: a header is the 80 bytes that are hashed, with the nonce little-endian at offset 76; hashes and
targets are 32 bytes, least significant byte first, and a target is met when hash <= target.
"""

from typing import Self, final

def algorithms() -> tuple[str, ...]:
    """Names of the algorithms that the C core was built with: "sha256d", "scrypt"."""

def kernels(algorithm: str) -> tuple[str, ...]:
    """Names of an algorithm's kernels that this CPU can run, fastest first by expectation; "portable" is always there
    and last. Raises ValueError, with the names of the algorithms there are, for an unknown one."""

def kernels_everywhere(algorithm: str) -> tuple[str, ...]:
    """Names of an algorithm's kernels for CPUs of any kind, whether this one can run them or not. Raises ValueError for
    an unknown algorithm."""

def kernel_lanes(algorithm: str, kernel: str) -> int:
    """How many nonces the kernel hashes side by side.

    Raises ValueError for an unknown algorithm, or a kernel that this CPU has not got.
    """

def kernel_scratch(algorithm: str, parameters: tuple[int, ...], kernel: str) -> int:
    """Bytes of scratch memory that each Searcher of this kernel takes; 0 if it needs none.

    Raises ValueError for an unknown algorithm, parameters that it doesn't take, or a kernel that this CPU has not got.
    """

def selftest(algorithm: str, kernel: str) -> bool:
    """Whether the kernel gives known answers in every lane on this CPU (some milliseconds).

    Raises ValueError for an unknown algorithm or a kernel that this CPU has not got, and MemoryError if there is no
    memory for the test.
    """

@final
class Epoch:
    """A counter that threads share to say "there is new work": it only grows, starts at 0, and takes no lock."""

    @property
    def value(self) -> int: ...
    def advance(self) -> int:
        """Add one; searches that were started for an older value return soon. Returns the new value."""

@final
class Searcher:
    """What one thread searches with: a kernel and the scratch memory that it needs, allocated once.

    `parameters` are the algorithm's: `(N,)` for scrypt, a power of two from 2 to 2**20, and `()` for sha256d. Not for
    two threads at once.

    Raises ValueError for an unknown algorithm, parameters that it doesn't take, or a kernel that this CPU has not got
    (the message lists what there is), and MemoryError, with the number of bytes, if the scratch can't be had.
    """

    algorithm: str
    parameters: tuple[int, ...]
    kernel: str
    lanes: int
    """Nonces that the kernel hashes side by side."""
    scratch_bytes: int
    """Bytes mapped; 0 if the kernel needs none."""
    huge_pages: bool
    """Whether the system took the wish for huge pages for the scratch."""

    def __new__(cls, algorithm: str, parameters: tuple[int, ...], kernel: str) -> Self: ...
    def touch(self, first: int = 0, size: int | None = None) -> None:
        """Have the system supply the scratch now, near the calling thread's CPU, and not page by page within the first
        search, which would then stop late: `size` bytes from `first` on, or all that follow. Without the GIL.

        Raises ValueError for a negative number, RuntimeError if another thread is inside this Searcher.
        """

    def search(
        self, header: bytes, target: bytes, first: int, count: int, epoch: Epoch, my_epoch: int
    ) -> tuple[list[tuple[int, bytes]], int]:
        """Scan `count` nonces from `first`, without the GIL.

        Returns (hits, hashes_done). hits are (nonce, hash) in ascending order, each hash recomputed by the portable
        code. It returns early with the first batch that has a hit, and when epoch.value differs from `my_epoch`;
        the search goes on at first + hashes_done.

        Raises ValueError unless header has 80 bytes, target 32, and 0 <= first, first + count <= 2**32; RuntimeError
        if another thread is inside this Searcher.
        """

    def lay_ahead(self, header: bytes, target: bytes, first: int, count: int, my_epoch: int) -> None:
        """Lay ready what a search under way, or the next one, switches to by itself, without the GIL, when it finds
        that the epoch has come to `my_epoch`. From any thread, before that epoch comes; takes the place of what was
        laid ready before. It may be left undone where both threads come to it at once, so whoever lays it keeps it as
        well, and searches it where `switched` tells nothing of it. Arguments and ValueError as `search`.
        """

    def tops(self, header: bytes, first: int, count: int, epoch: Epoch, my_epoch: int) -> bytes | None:
        """The most significant 32 bits of the portable code's hashes of `count` nonces from `first`, 4 bytes each in
        this machine's byte order, without the GIL. None when epoch.value came to differ from `my_epoch`.

        Raises ValueError unless header has 80 bytes, and 0 <= first, first + count <= 2**32, count < 2**32;
        MemoryError where the memory for the result can't be had; RuntimeError if another thread is inside this
        Searcher.
        """

    def compare(
        self, header: bytes, first: int, tops: bytes, targets: tuple[int, ...], epoch: Epoch, my_epoch: int
    ) -> tuple[list[tuple[int, int, bool]], int, int]:
        """Have the kernel scan the nonces from `first` whose portable hashes `tops` tells of, once with each target,
        and compare what it says of every nonce, without the GIL. `targets` are 1 to 256 targets' most significant 32
        bits. A batch (`lanes` nonces) whose targets are each top in it and each top less 1 is compared in all 32 bits.

        Returns (mismatches, their number, hashes compared). A mismatch is (nonce, target, whether the kernel called it
        a hit); at most 64 are told. It returns early when epoch.value differs from `my_epoch`.

        Raises ValueError unless header has 80 bytes, `tops` 4 for each nonce, and 0 <= first, first + nonces <= 2**32;
        RuntimeError if another thread is inside this Searcher.
        """

    def switched(self) -> tuple[int, list[tuple[int, bytes]], int] | None:
        """What came of the work laid ahead, if the last search switched to it: (its epoch, hits, hashes_done), the
        latter two as from `search`. None if it didn't, or if this was asked before. For the searching thread."""

    def switched_at(self, my_epoch: int) -> float | None:
        """When the first search of that epoch began, in seconds of time.perf_counter(). None if none has, or one of
        another epoch since. From any thread."""

def sha256d(data: bytes) -> bytes:
    """SHA-256 of SHA-256 of data, by the portable code."""

def portable_hash(algorithm: str, parameters: tuple[int, ...], header: bytes) -> bytes:
    """The proof-of-work hash of an 80-byte header by the portable code, without the GIL: 32 bytes, least significant
    first.

    Raises ValueError for a header of another length, an unknown algorithm or parameters that it doesn't take, and
    MemoryError if the memory for one hash can't be had.
    """

def pin_thread(cpu: int) -> bool:
    """Let the calling thread run on this CPU (the system's number) alone. False where the system can't. Raises OSError
    where it refuses."""

def set_thread_nice(value: int) -> bool:
    """Set the calling thread's own nice value, -20 to 19 (Linux). False where threads have none. Raises OSError where
    the system refuses."""

def spin(cycles: int) -> bool:
    """Keep the CPU busy for this many of its clock's cycles (0 to 2**48), without the GIL, so that a clock beside it
    tells the CPU's true frequency. False, at once, on an instruction set that it is not written for. Raises ValueError
    for another number."""

def compiler() -> str:
    """The compiler that built the kernels, and its version."""

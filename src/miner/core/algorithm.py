"""The proof-of-work algorithms: a class for each, with its parameters, its difficulty scale and a reference hash that
owes nothing to the C core. A new one is its kernels, its entry in csrc/algorithms.c and its class here."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self, TypeVar

from miner.core.errors import UsageError


class Algorithm(ABC):
    """A proof of work with its parameters, frozen. Two of the same class and parameters are equal."""

    name: ClassVar[str]
    """As the user and csrc/algorithms.c write it."""
    forms: ClassVar[str]
    """How it may be written, for help and errors."""
    diff1_target: ClassVar[int]
    """The target of stratum difficulty 1."""
    rolls_version: ClassVar[bool] = False
    """Whether pools of its chains may let miners choose bits of the version (BIP 310)."""

    @classmethod
    def parse(cls, text: str) -> "Algorithm":
        """Read `NAME` or `NAME:PARAMETERS` (`scrypt`, `scrypt:N`, `sha256d`), as minerd's -a takes them.
        Raises UsageError, which lists the algorithms there are."""
        name, colon, parameters = text.partition(":")
        algorithm = _ALGORITHMS.get(name)
        if algorithm is None or colon and algorithm.forms == name:
            raise UsageError(f"unknown algorithm {text!r}: use {forms()}")
        return algorithm.with_parameters(parameters) if colon else algorithm()

    @classmethod
    def with_parameters(cls, text: str) -> Self:
        """The algorithm with the parameters that stand behind the colon. Raises UsageError. Only an algorithm whose
        `forms` name parameters is asked."""
        raise NotImplementedError

    @abstractmethod
    def __str__(self) -> str:
        """What `parse` reads."""

    @property
    def parameters(self) -> tuple[int, ...]:
        """What the C core is given, in the order of its entry there."""
        return ()

    @property
    def memory(self) -> int:
        """Bytes of memory that one hash takes; 0: it does without."""
        return 0

    @property
    @abstractmethod
    def first_guess(self) -> float:
        """H/s of a rather slow CPU thread: what a miner is taken for before it was measured."""

    @property
    def short(self) -> Self:
        """What its kernels are compared with in a short trial: parameters for which a hash is quick, and the order of
        the kernels is that of the real ones."""
        return self

    @property
    def has_reference(self) -> bool:
        """Whether `hash` can work with these parameters."""
        return True

    @abstractmethod
    def hash(self, header: bytes) -> bytes:
        """The proof-of-work hash of an 80-byte header, computed without the C core: 32 bytes, least significant first.
        Raises ValueError unless `has_reference`; miner.verify.proof_hash goes on."""


_ALGORITHMS: dict[str, type[Algorithm]] = {}
_Registered = TypeVar("_Registered", bound=type[Algorithm])


def register(algorithm: _Registered) -> _Registered:
    """Put an algorithm's class on the list that `Algorithm.parse` reads names from. A decorator."""
    _ALGORITHMS[algorithm.name] = algorithm
    return algorithm


def algorithms() -> tuple[Algorithm, ...]:
    """Every algorithm, with its usual parameters."""
    return tuple(algorithm() for algorithm in _ALGORITHMS.values())


def forms() -> str:
    """How algorithms may be written, for help and errors: `sha256d, scrypt or scrypt:N`."""
    *first, last = ", ".join(algorithm.forms for algorithm in _ALGORITHMS.values()).split(", ")
    return f"{', '.join(first)} or {last}" if first else last


@register
@dataclass(frozen=True, slots=True)
class Sha256d(Algorithm):
    """SHA-256 twice: Bitcoin and its test networks."""

    name = forms = "sha256d"
    diff1_target = 0xFFFF << 208
    rolls_version = True

    def __str__(self) -> str:
        return self.name

    @property
    def first_guess(self) -> float:
        return float(1 << 20)

    def hash(self, header: bytes) -> bytes:
        return sha256d(header)


@register
@dataclass(frozen=True, slots=True)
class Scrypt(Algorithm):
    """scrypt (RFC 7914) with r = p = 1: Litecoin and Dogecoin, with N = 1024. N is a power of two from 2 to 2^20."""

    n: int = 1024

    name = "scrypt"
    forms = "scrypt, scrypt:N"
    diff1_target = 0xFFFF << 224  # pools count 65536 times finer than Bitcoin's
    MAX_N: ClassVar[int] = 1 << 20
    # With N from here on every wide kernel's scratchpads are far larger than a core's caches, and avx512 writes past
    # them, so the order doesn't change any more. It did before: in thousands of 1024 steps a second on a Zen 4,
    # avx512vl had 24.5 with N = 2^13 and 18.9 with 2^16, avx512 20.5 and 16.9 (some 20 when it writes past the caches),
    # avx2 20.2 and 15.9, sse2 12.8 and 8.8. With N = 1024 avx512 is first.
    SHORT_N: ClassVar[int] = 1 << 14

    def __post_init__(self) -> None:
        if not 2 <= self.n <= self.MAX_N or self.n & (self.n - 1):
            raise UsageError(f"algorithm '{self}': N must be a power of two from 2 to {self.MAX_N}")

    @classmethod
    def with_parameters(cls, text: str) -> Self:
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise UsageError(f"algorithm 'scrypt:{text}': N must be a power of two from 2 to {cls.MAX_N}")
        return cls(int(text))

    def __str__(self) -> str:
        return self.name if self.n == 1024 else f"{self.name}:{self.n}"

    @property
    def parameters(self) -> tuple[int, ...]:
        return (self.n,)

    @property
    def memory(self) -> int:
        return 128 * self.n

    @property
    def first_guess(self) -> float:
        return (1 << 22) / self.n

    @property
    def short(self) -> Self:
        return type(self)(min(self.n, self.SHORT_N))

    @property
    def has_reference(self) -> bool:
        return self.n < 1 << 16  # hashlib for r = 1 (RFC 7914, section 2: N < 2^(128 r / 8))

    def hash(self, header: bytes) -> bytes:
        return hashlib.scrypt(header, salt=header, n=self.n, r=1, p=1, maxmem=2 * self.memory + (1 << 20), dklen=32)


def sha256d(data: bytes) -> bytes:
    """SHA-256 twice (FIPS 180-4), as Bitcoin hashes headers and transactions: 32 bytes."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()

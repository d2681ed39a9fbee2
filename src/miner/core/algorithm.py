"""The proof-of-work algorithms: their names, their difficulty scale, and a reference hash that owes nothing to ours."""

import hashlib
from dataclasses import dataclass
from typing import Self

from miner.core.errors import UsageError

MAX_SCRYPT_N = 1 << 20


@dataclass(frozen=True, slots=True)
class Algorithm:
    """`name` is "scrypt" or "sha256d"; `n` is scrypt's N (r = p = 1), 0 for sha256d."""

    name: str
    n: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `scrypt`, `scrypt:N` or `sha256d`, as minerd's -a takes them. Raises UsageError."""
        name, colon, size = text.partition(":")
        if name == "sha256d" and not colon:
            return cls("sha256d", 0)
        if name == "scrypt":
            n = 1024 if not colon else int(size) if size.isascii() and size.isdigit() and len(size) < 10 else 0
            if 2 <= n <= MAX_SCRYPT_N and n & (n - 1) == 0:
                return cls("scrypt", n)
            raise UsageError(f"algorithm {text!r}: N must be a power of two from 2 to {MAX_SCRYPT_N}")
        raise UsageError(f"unknown algorithm {text!r}: use scrypt, scrypt:N or sha256d")

    def __str__(self) -> str:
        return self.name if self.n in (0, 1024) else f"{self.name}:{self.n}"

    @property
    def diff1_target(self) -> int:
        """The target of stratum difficulty 1. Scrypt pools count 65536 times finer than Bitcoin's."""
        return 0xFFFF << (208 if self.name == "sha256d" else 224)

    def hash(self, header: bytes) -> bytes:
        """The proof-of-work hash of an 80-byte header: 32 bytes, least significant first. By hashlib alone, which for
        r = 1 takes N below 2^16 (RFC 7914, section 2: N < 2^(128 r / 8)); ValueError beyond. miner.verify goes on."""
        if self.name == "sha256d":
            return sha256d(header)
        return hashlib.scrypt(header, salt=header, n=self.n, r=1, p=1, maxmem=256 * self.n + (1 << 20), dklen=32)


def sha256d(data: bytes) -> bytes:
    """SHA-256 twice (FIPS 180-4), as Bitcoin hashes headers and transactions."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()

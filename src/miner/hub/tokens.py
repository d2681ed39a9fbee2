"""Who may join a hub: a token for all, tokens of users, or both."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from miner.core.errors import UsageError
from miner.core.text import one_line
from miner.stratum.messages import login_proof

LEAST_LENGTH = 16  # of a token that strangers may try
LEAST_DIFFERENT = 8  # characters of it


@dataclass(frozen=True, slots=True)
class Tokens:
    """`common` is everybody's; "": there is none. `users` are those of single users by name: what stands before the
    first dot of a login name is the user, what stands behind it the worker."""

    common: str = field(default="", repr=False)
    users: Mapping[str, str] = field(default_factory=dict, repr=False)

    def admit(self, username: str, password: str, nonce: bytes) -> bool:
        """Whether a login shows a token that counts for this user name: the token itself, or what only its holder can
        make of it and of `nonce`, which the connection was given; b"" where it was given none."""
        right = False
        for token in (self.common, self.users.get(username.partition(".")[0], "")):
            right |= bool(token) and _same(password, token)
            right |= bool(token and nonce) and _same(password, login_proof(token, nonce, username))
        return right

    def check(self, *, public: bool) -> None:
        """Raise UsageError, whose words repeat no token, where one won't do. `public`: others than this machine can
        reach the hub, so that a token that is easily guessed won't do either."""
        for user, token in (("", self.common), *self.users.items()):
            whose = f"the hub's token of user {one_line(user, 64)!r}" if user else "the hub's token"
            if not (token.isascii() and token.isprintable() and len(token) <= 256) or user and not token:
                raise UsageError(f"{whose} must be at most 256 printable ASCII characters")
            if public and token and (len(token) < LEAST_LENGTH or len(set(token)) < LEAST_DIFFERENT):
                raise UsageError(f"{whose} is too easily guessed where other machines reach the hub: take "
                                 f"{LEAST_LENGTH} characters, {LEAST_DIFFERENT} of them different, or leave it out for "
                                 "one made at random")


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))

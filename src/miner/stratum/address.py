"""Where a pool is and who we are there, read from a URL without any of it ending up in a label."""

import json
import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit

from miner.config import POOL_SCHEMES, SourceConfig
from miner.core.errors import UsageError
from miner.stratum.fields import MAX_NAME


@dataclass(frozen=True, slots=True)
class PoolAddress:
    """Host, port and login of a pool. `str()` is safe to show."""

    scheme: str
    host: str
    port: int
    username: str
    password: str = field(repr=False)

    @classmethod
    def of(cls, config: SourceConfig) -> Self:
        """Read stratum+tcp(s)://[USER[:PASSWORD]@]HOST:PORT. The configuration's own user and password win over the
        URL's. Raises UsageError, in words that don't repeat the URL: it may hold a password."""
        try:
            url = urlsplit(config.url)
            host, port = url.hostname, url.port
            (host or "").encode("idna")  # as the resolver will want it
        except ValueError:
            raise UsageError("the pool's URL does not parse: use stratum+tcp://HOST:PORT") from None
        if url.scheme not in POOL_SCHEMES or not host or not port or url.path not in ("", "/") or url.query:
            raise UsageError("the pool's URL must be stratum+tcp://HOST:PORT or stratum+tcps://HOST:PORT, "
                             "with a port from 1 to 65535")
        username = config.username or unquote(url.username or "")
        password = config.password or unquote(url.password or "")
        if not username and not config.anonymous:
            raise UsageError(f"no user given for the pool {host}: use `username=NAME`")
        for name, value in (("user", username), ("password", password)):
            if len(value) > MAX_NAME or not value.isprintable():
                raise UsageError(f"the pool {name} must be up to {MAX_NAME} printable characters")
        return cls(url.scheme, host, port, username, password)

    @property
    def tls(self) -> bool:
        """Whether the scheme has TLS in it."""
        return POOL_SCHEMES[self.scheme]

    def masked(self, text: str) -> str:
        """The pool's words with *** for our password, be it as it is or as JSON writes it. A password of up to three
        characters, like "x", is only masked where it stands alone."""
        if not self.password:
            return text
        secret = "|".join({re.escape(self.password), re.escape(json.dumps(self.password)[1:-1])})
        return re.sub(secret if len(self.password) > 3 else rf"(?<!\w)({secret})(?!\w)", "***", text)

    def __str__(self) -> str:
        return f"{self.scheme}://{place_text(self.host, self.port)}"


def place_text(host: str, port: int) -> str:
    """HOST:PORT as a URL has it, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

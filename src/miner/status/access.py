"""Who may read: names in the Host header, the token, and the sessions of browsers that have shown it."""

import hashlib
import hmac
import ipaddress
import secrets
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

SESSION_SECONDS = 12 * 3600.0
MAX_SESSIONS = 64  # beyond that the oldest ends
COOKIE = "sparkminer_status"


class Hosts:
    """The names that a request may give as its Host. A page of somebody else's can have a browser resolve its own name
    to this machine (DNS rebinding), but no IP address, nor a name of this machine."""

    def __init__(self, listening: str) -> None:
        self._names = {"localhost", listening.lower(), socket.gethostname().lower()}

    def allows(self, header: str | None) -> bool:
        """Whether a Host header, HOST or HOST:PORT, names this server."""
        try:
            name = urlsplit(f"//{header}").hostname if header else None
        except ValueError:
            return False
        if not name:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name.rstrip(".") in self._names
        return True


class Gate:
    """The token, where there is one, and the sessions that it opened. A session's cookie is a secret of its own, so
    that no browser keeps the token."""

    def __init__(self, token: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.closed = bool(token)  # the token is asked for
        self._digest, self._clock = _digest(token), clock
        self._sessions: dict[bytes, float] = {}  # when they end, by digest; oldest first

    def knows(self, token: str) -> bool:
        """Whether this is the token; takes the same time whatever it is."""
        return hmac.compare_digest(self._digest, _digest(token)) and self.closed

    def lets_in(self, authorization: str, cookie: str) -> bool:
        """Whether a request with this Authorization header and this session's cookie may read."""
        if not self.closed:
            return True
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self.knows(token.strip())
        return self._sessions.get(_digest(cookie), 0.0) > self._clock()

    def open_session(self) -> str:
        """A cookie for a browser that has shown the token."""
        cookie = secrets.token_urlsafe(32)
        now = self._clock()
        self._sessions = {digest: end for digest, end in self._sessions.items() if end > now}
        if len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[_digest(cookie)] = now + SESSION_SECONDS
        return cookie

    def end_session(self, cookie: str) -> None:
        """Forget a session."""
        self._sessions.pop(_digest(cookie), None)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()

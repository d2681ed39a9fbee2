"""Who we are to a node: a user and a password, or the cookie that the node writes anew each time it starts."""

from pathlib import Path

from miner.core.errors import UsageError
from miner.loop import in_thread
from miner.node.jsonrpc import basic_authorization

COOKIE = ".cookie"

_CHAINS = ("regtest", "testnet3", "testnet4", "testnet", "signet")  # folders that chains have in a data directory
_MAX_SIZE = 4096


class Credentials:
    """What goes into the Authorization header. `cookie_file` takes the place of user and password: the file that a node
    writes them into (.cookie), or the node's data directory. Nothing that is shown of it holds a secret."""

    def __init__(self, username: str = "", password: str = "", cookie_file: str = "", *,
                 setting: str = "cookie_file") -> None:
        """`setting`: what the cookie file is called in an error. Raises UsageError where its folder doesn't exist."""
        self._cookie = Path(cookie_file).expanduser() if cookie_file else None
        self._setting = setting
        self._authorization = basic_authorization(username, password) if username or password else ""
        if self._cookie and not (self._cookie.is_dir() or self._cookie.parent.is_dir()):
            raise UsageError(f"`{setting}`: there is no folder {str(self._cookie.parent)!r}")

    async def authorization(self) -> str:
        """The header's value; "" for none. Raises OSError where there is no cookie (now), UsageError for a file that is
        none."""
        if self._cookie and not self._authorization:
            self._authorization = await in_thread(self._read)
        return self._authorization

    async def renew(self) -> bool:
        """The node has refused them: whether it has written others since. Raises what `authorization` does."""
        if self._cookie is None:
            return False
        refused, self._authorization = self._authorization, ""
        return await self.authorization() != refused

    def _read(self) -> str:
        path = self._find()
        try:
            with path.open("rb") as file:
                line = file.read(_MAX_SIZE).decode("utf-8", "replace").strip()
        except OSError as error:
            raise OSError(f"no cookie in {str(path)!r} ({error.strerror}): does the node run, and is this its data "
                          "directory?") from None
        user, colon, password = line.partition(":")
        if not colon or not line.isprintable():
            raise UsageError(f"`{self._setting}`: {str(path)!r} is no cookie of a node: it has to hold USER:PASSWORD")
        return basic_authorization(user, password)

    def _find(self) -> Path:
        """The cookie itself, where a data directory was given. Raises UsageError where several nodes share that."""
        assert self._cookie is not None
        if not self._cookie.is_dir():
            return self._cookie
        if (cookie := self._cookie / COOKIE).exists():
            return cookie
        found = [cookie for chain in _CHAINS if (cookie := self._cookie / chain / COOKIE).exists()]
        if len(found) > 1:
            raise UsageError(f"`{self._setting}`: {str(self._cookie)!r} has cookies of several chains, name one: "
                             + ", ".join(map(str, found)))
        return found[0] if found else self._cookie / COOKIE

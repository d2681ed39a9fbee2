"""The options about URLs, logins and secrets. None of them stores a value under its own name: each adds to the
namespace's `given`, which knows what belongs together and what is given twice."""

import argparse
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from miner.core.errors import UsageError
from miner.front.given import Given, Logins, Secret

How: TypeAlias = Literal["text", "file", "ask"]


class _LoginAction(argparse.Action):
    """An option about a login: at the node of a chain to mine along where `dest` begins with `aux_`, else at the pool
    or node that work comes from."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "default": argparse.SUPPRESS})

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any,
                 option_string: str | None = None) -> None:
        given: Given = namespace.given
        if self.dest.startswith("aux_"):
            namespace.given = replace(given, aux=self.add(given.aux, value, given.reading))
        else:
            namespace.given = replace(given, source=self.add(given.source, value, given.reading))

    def add(self, logins: Logins, value: Any, place: str) -> Logins:
        """The logins with this option's value added. `place` is where it stood: a config file's path, or "" for the
        command line."""
        raise NotImplementedError

    def name(self) -> str:
        """The option, as messages name it: `-u/--user`."""
        return "/".join(self.option_strings)

    def credentials(self, logins: Logins, text: str, place: str) -> Logins:
        """The logins with `text` added: USERNAME:PASSWORD, or USERNAME alone."""
        username, colon, password = text.partition(":")
        logins = logins.with_username(username)
        return logins.with_password(Secret(self.name(), place, password)) if colon else logins


class GiveUrl(_LoginAction):
    """-o, --aux: adds a URL; credentials that stand in it count as those of `-O`."""

    def add(self, logins: Logins, value: Any, place: str) -> Logins:
        url, credentials = value
        logins = logins.with_url(url, place)
        if self.dest == "aux_url" and logins.earlier:
            raise UsageError("--aux is given twice: one chain can be mined along, not several")
        return logins if credentials is None else self.credentials(logins, credentials, place)


class GiveUserpass(_LoginAction):
    """-O, --aux-userpass: adds USERNAME:PASSWORD."""

    def add(self, logins: Logins, value: Any, place: str) -> Logins:
        if ":" not in value:
            raise UsageError(f"{self.name()} must be USERNAME:PASSWORD, with a colon between them")
        return self.credentials(logins, value, place)


class GiveUsername(_LoginAction):
    """-u: adds a user name."""

    may_be_empty = True  # for pools that want nobody's name

    def add(self, logins: Logins, value: Any, place: str) -> Logins:
        return logins.with_username(value)


class GivePassword(_LoginAction):
    """-p: adds a password."""

    may_be_empty = True

    def add(self, logins: Logins, value: Any, place: str) -> Logins:
        return logins.with_password(Secret(self.name(), place, value))


class GiveSecret(argparse.Action):
    """A secret that belongs to no single URL. `secret` is its name, and `how` what the option's value is: the secret's
    text, or a file; "ask" has no value."""

    def __init__(self, *, secret: str, how: How, **settings: Any) -> None:
        super().__init__(**{**settings, "default": argparse.SUPPRESS, "nargs": 0 if how == "ask" else None})
        self._secret, self._how = secret, how

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any,
                 option_string: str | None = None) -> None:
        given: Given = namespace.given
        secret = Secret("/".join(self.option_strings), given.reading, text=value if self._how == "text" else None,
                        file=value if self._how == "file" else "")
        namespace.given = given.with_secret(self._secret, secret)

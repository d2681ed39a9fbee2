"""argparse with getopt's manners and minerd's config file; what kinds of values options have."""

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from miner.core.errors import UsageError

MAX_CONFIG = 1 << 20  # characters
MAX_SECRET = 4096
SECRET_NAMES = frozenset({"pass", "password", "userpass", "aux-userpass", "token"})


class _Help(argparse.RawDescriptionHelpFormatter):
    """`-a, --algo=ALGO`, as minerd writes it, in place of `-a ALGO, --algo ALGO`."""

    def __init__(self, prog: str, **settings: Any) -> None:
        super().__init__(prog, **{"max_help_position": 28, "width": 100, **settings})

    def _format_action_invocation(self, action: argparse.Action) -> str:
        names = ", ".join(action.option_strings)
        return f"{names}={action.metavar}" if action.nargs is None else names


class Parser(argparse.ArgumentParser):
    """No abbreviations, an option's value may start with a dash, and an error is one line (a UsageError). What an
    unknown option was given is not repeated in it: it may be a mistyped --password."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_Help, **settings)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message.removeprefix("argument "))

    def parse_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        found, extra = self.parse_known_args(args, namespace)
        if extra:
            what = "unknown option" if extra[0].startswith("-") else "unexpected argument"
            raise UsageError(f"{what} {extra[0].partition('=')[0]!r}, see --help")
        return found

    def parse_known_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        return super().parse_known_args(self._joined(sys.argv[1:] if args is None else args), namespace)

    def option(self, token: str) -> argparse.Action | None:
        """What an option string such as `-u` or `--user` stands for."""
        return self._option_string_actions.get(token)

    def _joined(self, args: Iterable[str]) -> list[str]:
        """`-p -x` as `--pass=-x`: argparse would take the value for another option."""
        joined: list[str] = []
        rest = iter(args)
        for token in rest:
            action = self.option(token)
            if action is not None and action.nargs is None and (value := next(rest, None)) is not None:
                name = next(name for name in action.option_strings if name.startswith("--"))
                token = f"{name}={value}"
            joined.append(token)
        return joined

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """`--pass=--` has a value like any other; argparse (until Python 3.13) takes it for the end of the options."""
        if action.nargs is None and action.option_strings and arg_strings == ["--"]:
            return self._get_value(action, "--")
        return super()._get_values(action, arg_strings)


class ConfigFile(argparse.Action):
    """minerd's `-c FILE`: options as a JSON object, read where the option stands, so that what comes later on the line
    wins. Names are those of the long options without dashes; values are strings, numbers, `true`, and `false` for an
    option's default. `pools` is a list of objects, each with a url and what belongs to it alone."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any,
                 option_string: str | None = None) -> None:
        assert isinstance(parser, Parser)
        content = _settings(_read_config(value), value)
        if any(_is_secret(name, setting) for name, setting in content):
            namespace.secret_configs = [*getattr(namespace, "secret_configs", ()), value]
        namespace.reading = value  # so that a URL of the command line takes the place of this file's, and vice versa
        for name, setting in content:
            action = parser.option(f"--{name}")
            if action is None or action is self or name in ("help", "version"):
                raise UsageError(f"{value}: {name!r} is not an option that a config file can set")
            if setting is False and action.nargs == 0:
                setattr(namespace, action.dest, action.default)
                continue
            try:
                parser.parse_args([_as_argument(name, setting, action.nargs is None)], namespace)
            except UsageError as error:
                raise UsageError(f"{value}: {error}") from None
        namespace.reading = ""


def _settings(content: dict[str, object], path: str) -> list[tuple[str, object]]:
    """Names and values in the order in which options would stand on a command line: a pool's credentials after its
    URL."""
    pools = content.pop("pools", [])
    if not isinstance(pools, list) or not all(isinstance(pool, dict) and "url" in pool for pool in pools):
        raise UsageError(f'{path}: "pools" must be a list, as in [{{"url": "…", "user": "…", "pass": "…"}}, …]')
    return [*content.items(), *(item for pool in pools
                                for item in sorted(pool.items(), key=lambda item: item[0] != "url"))]


def _is_secret(name: str, setting: object) -> bool:
    return name in SECRET_NAMES or name in ("url", "proxy", "aux") and "@" in str(setting)


def _as_argument(name: str, setting: object, takes_value: bool) -> str:
    if takes_value and isinstance(setting, str | int | float) and not isinstance(setting, bool):
        return f"--{name}={setting}"
    if not takes_value and setting is True:
        return f"--{name}"
    raise UsageError(f"{name!r} must be {'a string or a number' if takes_value else 'true or false'}")


def _read_config(path: str) -> dict[str, object]:
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(MAX_CONFIG + 1)
        if len(text) > MAX_CONFIG:
            raise UsageError(f"{path}: larger than {MAX_CONFIG} characters, this is no config file")
        content = json.loads(text)
    except OSError as error:
        raise UsageError(f"-c/--config: can't read {path!r}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        where = f" at line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        raise UsageError(f"{path}: not JSON{where}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path}: must be a JSON object, as in {{\"url\": \"…\", \"threads\": 2}}")
    return content


def integer(low: int, high: int) -> Callable[[str], int]:
    """An option type: whole numbers from low to high."""
    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is no whole number") from None
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{number} is not from {low} to {high}")
        return number
    return parse


def positive(text: str) -> float:
    """An option type: a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number above 0")
    return number


def seconds(text: str) -> float:
    """An option type: a duration, 0 or more."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e9:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number of seconds")
    return number


def some_seconds(text: str) -> float:
    """An option type: a duration in seconds, more than 0. Raises ArgumentTypeError for anything else."""
    if not (number := seconds(text)):
        raise argparse.ArgumentTypeError("it takes a time longer than 0")
    return number


def readable_by_others(path: str) -> bool:
    """Whether users other than the owner may read it. False where the system has no such modes."""
    try:
        return os.name == "posix" and bool(Path(path).stat().st_mode & 0o044)
    except OSError:
        return False


def read_secret(option: str, path: str) -> str:
    """The first line of a file that holds a password or token."""
    try:
        with Path(path).open(encoding="utf-8") as file:
            secret = file.readline(MAX_SECRET + 1).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"{option}: can't read {path!r}: {reason}") from None
    if not secret or len(secret) > MAX_SECRET:
        raise UsageError(f"{option}: the first line of {path!r} must have from 1 to {MAX_SECRET} characters")
    return secret

"""argparse with getopt's manners."""

import argparse
import re
import sys
from collections.abc import Iterable
from dataclasses import MISSING, fields
from typing import Any, NoReturn

from miner.core.errors import UsageError
from miner.front.minerd import meant

_SECRET_OPTIONS = ("--password", "--pass", "--userpass", "--aux-userpass", "--token")


class _Help(argparse.RawDescriptionHelpFormatter):
    """`-a, --algo=ALGO`, as minerd writes it, in place of `-a ALGO, --algo ALGO`."""

    def __init__(self, prog: str, **settings: Any) -> None:
        super().__init__(prog, **{"max_help_position": 28, "width": 100, **settings})

    def _format_action_invocation(self, action: argparse.Action) -> str:
        names = ", ".join(action.option_strings)
        return f"{names}={action.metavar}" if action.nargs is None else names


class Parser(argparse.ArgumentParser):
    """Takes abbreviations of minerd's options and of no others; an option's value may start with a dash; an error is
    one line (a UsageError). What belongs to no option is not repeated in it: the option may be a mistyped --password,
    or the -P that was meant to be -p."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_Help, **settings)

    def error(self, message: str) -> NoReturn:
        """Raises UsageError in place of argparse's end of the process."""
        message = message.removeprefix("argument ")
        raise UsageError(re.sub(r"ignored explicit argument .*", "it takes no value", message, flags=re.DOTALL))

    def parse_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        """Read the arguments, all of which must be options and their values. Raises UsageError."""
        tokens = list(sys.argv[1:] if args is None else args)
        found, extra = self.parse_known_args(tokens, namespace)
        if extra:
            raise UsageError(f"{self._unexpected(extra[0], tokens)}, see --help")
        return found

    def _unexpected(self, token: str, tokens: list[str]) -> str:
        """What to call an argument that belongs to no option."""
        if token.startswith("--"):
            name = token.partition("=")[0]
            glued = next((f"{option}…" for option in _SECRET_OPTIONS if name.startswith(option)), name)
            return f"unknown option {glued!r}"
        if token.startswith("-"):
            return f"unknown option {token[:2]!r}"
        index = tokens.index(token) if token in tokens else 0
        if index == 0:
            return f"unexpected argument {token!r}"
        before = tokens[index - 1]
        where = f"behind {before}" if self.option(before) is not None else f"(number {index + 1})"
        return f"unexpected argument {where}"

    def parse_known_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        return super().parse_known_args(self._joined(sys.argv[1:] if args is None else args), namespace)

    def option(self, token: str) -> argparse.Action | None:
        """What an option string such as `-u` or `--user` stands for."""
        return self._option_string_actions.get(token)

    def actions(self) -> list[argparse.Action]:
        """All that the options stand for, in the order of their declarations."""
        return list(self._actions)

    def _joined(self, args: Iterable[str]) -> list[str]:
        """`-p -x` as `--pass=-x`: argparse would take the value for another option."""
        joined: list[str] = []
        rest = iter(args)
        for token in rest:
            token = self._in_full(token)
            action = self.option(token)
            if action is not None and action.nargs is None and (value := next(rest, None)) is not None:
                name = next(name for name in action.option_strings if name.startswith("--"))
                token = f"{name}={value}"
            joined.append(token)
        return joined

    def _in_full(self, token: str) -> str:
        """`--userp=a:b` as `--userpass=a:b`. Raises UsageError where it may be several of minerd's options."""
        name, equals, value = token.partition("=")
        if not name.startswith("--") or self.option(name) is not None:
            return token
        options = meant(name)
        if len(options) > 1:
            raise UsageError(f"option {name!r} is ambiguous: it may be {', '.join(options[:-1])} or {options[-1]}")
        return f"{options[0]}{equals}{value}" if options and self.option(options[0]) is not None else token

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """`--pass=--` has a value like any other; argparse (until Python 3.13) takes it for the end of the options. One
        without anything in it is most often a variable that somebody forgot to set."""
        if (action.nargs is None and action.option_strings and not arg_strings[0].strip()
                and not getattr(action, "may_be_empty", False)):
            raise argparse.ArgumentError(action, "it is given, but empty: leave it out, or put something into it")
        if action.nargs is None and action.option_strings and arg_strings == ["--"]:
            return self._get_value(action, "--")
        return super()._get_values(action, arg_strings)

    def take_defaults(self, settings: type) -> None:
        """Give each option the default of the setting that has its name: `settings` is a dataclass."""
        options = {action.dest: action for action in self.actions() if action.default is not argparse.SUPPRESS}
        for setting in fields(settings):
            if option := options.get(setting.name):
                made = setting.default_factory
                option.default = setting.default if made is MISSING else made()


class Several(argparse.Action):
    """An option that may be given again: its values as a tuple."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any,
                 option_string: str | None = None) -> None:
        setattr(namespace, self.dest, (*getattr(namespace, self.dest), value))

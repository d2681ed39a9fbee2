"""minerd's config file, `-c FILE`: options as a JSON object."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from miner.core.errors import UsageError
from miner.front.argparser import Parser
from miner.front.given import Given

MAX_CONFIG = 1 << 20  # characters
SECRET_NAMES = frozenset({"pass", "password", "userpass", "aux-userpass", "token"})


class ConfigFile(argparse.Action):
    """Options from a JSON object, read where `-c` stands, so that what comes later on the line wins. Names are those of
    the long options without dashes; values are strings, numbers, `true`, and `false` for an option's default. `pools`
    is a list of objects, each with a url and what belongs to it alone. Names that are no options of this command are
    passed over: `miner.front.settings.notices` tells them, but for those that begin with `_`, which are comments."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any,
                 option_string: str | None = None) -> None:
        assert isinstance(parser, Parser)
        content = _settings(_read_config(value), value)
        if any(_is_secret(name, setting) for name, setting in content):
            namespace.given = replace(namespace.given, secret_configs=(*namespace.given.secret_configs, value))
        namespace.given = replace(namespace.given, reading=value)
        for name, setting in content:
            action = parser.option(f"--{name}")
            if action is None or action is self or name in ("help", "version"):
                _pass_over(namespace, value, name)
                continue
            if setting is False and action.nargs == 0:
                if action.default is not argparse.SUPPRESS:
                    setattr(namespace, action.dest, action.default)
                continue
            try:
                parser.parse_args([_as_argument(name, setting, action.nargs is None)], namespace)
            except UsageError as error:
                raise UsageError(f"{value}: {error}") from None
        namespace.given = replace(namespace.given, reading="")


def _pass_over(namespace: argparse.Namespace, path: str, name: str) -> None:
    given: Given = namespace.given
    if not name.startswith("_") and (path, name) not in given.passed_over:
        namespace.given = replace(given, passed_over=(*given.passed_over, (path, name)))


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
        with Path(path).open(encoding="utf-8-sig") as file:
            text = file.read(MAX_CONFIG + 1)
        if len(text) > MAX_CONFIG:
            raise UsageError(f"{path}: larger than {MAX_CONFIG} characters, this is no config file")
        content = json.loads(text)
    except OSError as error:
        raise UsageError(f"-c/--config: can't read {path!r}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not UTF-8 text, as JSON has to be") from None
    except (ValueError, RecursionError) as error:
        where = f" at line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        raise UsageError(f"{path}: not JSON{where}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path}: must be a JSON object, as in {{\"url\": \"…\", \"threads\": 2}}")
    return content

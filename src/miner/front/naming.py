"""Shows settings in messages as options. A message names a setting as a caller from Python gives it, in backquotes
(`coinbase_addr=ADDRESS`); whoever typed a command knows the option instead."""

import argparse
import functools
import re

from miner.core.text import printable

_SETTING = re.compile(r"`([a-z_]+(?:\.[a-z_]+)?)(?:=([^`]*))?`")


def in_options(text: str) -> str:
    """The text of a message, with each setting in it as its option: --coinbase-addr ADDRESS. Where an option switches
    something, its name alone stands for the value, as --no-gbt for `gbt=False`. What is no setting stays as it is."""
    return _SETTING.sub(_in_option, text)


def own_words(text: str, limit: int = 500) -> str:
    """A message of this package as one line of at most `limit` characters, its settings named as options. What a peer
    said in it has been through `one_line`, so that it names none."""
    return in_options(printable(text, limit))


def _in_option(found: re.Match[str]) -> str:
    setting, value = found.groups()
    option = _options().get(setting)
    if option is None:
        return found[0]
    name = next(name for name in option.option_strings if name.startswith("--"))
    return name if value is None or option.nargs == 0 else f"{name} {value}"


@functools.cache
def _options() -> dict[str, argparse.Action]:
    """The options of SourceConfig's, AuxConfig's (behind `aux.`) and EngineConfig's fields, by the field's name."""
    from miner.front.argparser import Parser
    from miner.front.options import add_engine_options, add_source_options

    parser = Parser(add_help=False)
    add_source_options(parser)
    add_engine_options(parser)
    options = {action.dest.replace("aux_", "aux.", 1): action for action in parser.actions()}
    return options | {"aux": options["aux.url"]}

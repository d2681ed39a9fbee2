"""Man pages and shell completion for the command sparkminer, made from its parsers: `manuals.py FOLDER`.

setup.py runs this for a wheel. The folder gets what a wheel's data has under share/. Parsers need nothing of the C
core, so that all of it is the same wherever a wheel is built, and for whichever processor.
"""

import argparse
import re
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import shtab
from argparse_manpage.manpage import Manpage

SOURCE = Path(__file__).parents[1] / "src"
COMPLETIONS = {"bash": "bash-completion/completions/sparkminer", "zsh": "zsh/site-functions/_sparkminer",
               "fish": "fish/vendor_completions.d/sparkminer.fish"}
SUMMARIES = {
    "": "mine scrypt and sha256d with CPUs",
    "spark": "mine on a Spark cluster",
    "spark screen": "find CPUs of a Spark cluster that compute wrongly",
    "hub": "serve one pool's or node's work to many miners",
    "bench": "compare this CPU's kernels",
    "screen": "find CPUs that compute wrongly",
    "swarm": "many miners as load for a pool or hub of one's own",
}


class _NoCore(types.ModuleType):
    """Stands for miner._native, of which a parser's declaration needs nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parsers of all commands, by their names; "" is that of `sparkminer` itself. A command's own commands follow
    it."""
    sys.path.insert(0, str(SOURCE))
    sys.modules.setdefault("miner._native", _NoCore("miner._native"))
    from miner.cli import bench, hub, mine, screen, swarm
    from miner.spark import screen_command, settings

    made: dict[str, Callable[[], argparse.ArgumentParser]] = {
        "": mine.parser, "spark": settings.parser, "spark screen": screen_command.parser, "hub": hub.parser,
        "bench": bench.parser, "screen": screen.parser, "swarm": swarm.parser}
    return {name: make() for name, make in made.items()}


def page_name(name: str) -> str:
    """What a command's man page is called: `sparkminer-spark-screen`."""
    return "-".join(["sparkminer", *name.split()])


def manual(name: str, parser: argparse.ArgumentParser) -> str:
    """The man page of a command, in troff."""
    from miner import __version__

    epilog, parser.epilog = parser.epilog or "", None
    parser.prog = page_name(name)
    parser.usage = f"sparkminer {name} [OPTIONS]".replace("  ", " ")
    page = Manpage(parser, {"project_name": "sparkminer", "version": __version__, "manual_title": "sparkminer",
                            "description": SUMMARIES[name], "date": __version__})
    for heading, text in _sections(epilog):
        page.add_section(heading, ">", _preformatted(text))
    others = ", ".join(f".BR {page_name(other)} (1)" for other in SUMMARIES if other != name)
    page.add_section("see also", ">", others.replace(", ", " ,\n"))
    text = re.sub(r"python \\-m miner(?= |$)", "sparkminer", str(page), flags=re.MULTILINE)
    return re.sub(r"[^\x00-\x7f]", lambda found: f"\\[u{ord(found[0]):04X}]", text)


def _sections(epilog: str) -> Iterator[tuple[str, str]]:
    """The parts of a parser's epilog: headings that end in a colon, each with the indented lines below it."""
    for part in re.split(r"\n(?=\S[^\n]*:\n)", epilog.strip()):
        heading, _, text = part.partition(":\n")
        yield heading, text.rstrip()


def _preformatted(text: str) -> str:
    lines = (line.removeprefix("  ").replace("\\", r"\e").replace("-", r"\-") for line in text.splitlines())
    return "\n".join([".nf", *(rf"\&{line}" if line.startswith((".", "'")) else line for line in lines), ".fi"])


def completions(commands: dict[str, argparse.ArgumentParser]) -> Iterator[tuple[str, str]]:
    """For each shell, the path of its completion under share/, and the text."""
    root = commands[""]
    declared, below = {"": root}, {"": root.add_subparsers()}
    for name, parser in commands.items():
        above, _, word = name.rpartition(" ")
        if name:
            if above not in below:
                below[above] = declared[above].add_subparsers()
            declared[name] = below[above].add_parser(word, parents=[parser], add_help=False, help=SUMMARIES[name])
    root.prog, root.usage = "sparkminer", None
    for parser in declared.values():
        for action in parser._actions:
            if action.metavar and action.metavar.startswith("FILE"):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    for shell, path in COMPLETIONS.items():
        yield path, shtab.complete(root, shell)


def write(folder: Path) -> None:
    """Write all of it below `folder`."""
    texts = dict(completions(parsers()))
    for name, parser in parsers().items():
        texts[f"man/man1/{page_name(name)}.1"] = manual(name, parser)
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))

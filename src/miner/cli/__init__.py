"""The command line: `python -m miner …` takes minerd's options and mines; `hub`, `bench`, `screen` and `swarm` are
commands of their own.

Lines about what is going on go to stderr, in minerd's form; results, such as a table or a picture's figures, to stdout.
"""

import sys
from collections.abc import Sequence

from miner.front.console import Console, run_command


def main(argv: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Run the command that `argv` names (None: this process's arguments). Returns the exit status."""
    args = sys.argv[1:] if argv is None else list(argv)
    console = console or Console()
    if args[:1] == ["hub"]:
        return run_command("miner hub", _hub, args[1:], console)
    if args[:1] == ["bench"]:
        return run_command("miner bench", _bench, args[1:], console)
    if args[:1] == ["screen"]:
        return run_command("miner screen", _screen, args[1:], console)
    if args[:1] == ["swarm"]:
        return run_command("miner swarm", _swarm, args[1:], console)
    return run_command("miner", _mine, args, console)


# Each command imports only what it needs. It does so inside of `run_command`, which makes one line of a failed import.

def _mine(args: list[str], console: Console) -> int:
    from miner.cli.mine import mine

    return mine(args, console)


def _hub(args: list[str], console: Console) -> int:
    from miner.cli.hub import hub

    return hub(args, console)


def _bench(args: list[str], console: Console) -> int:
    from miner.cli.bench import bench

    return bench(args, console)


def _screen(args: list[str], console: Console) -> int:
    from miner.cli.screen import screen

    return screen(args, console)


def _swarm(args: list[str], console: Console) -> int:
    from miner.cli.swarm import swarm

    return swarm(args, console)

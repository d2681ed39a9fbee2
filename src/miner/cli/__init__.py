"""The command line: `python -m miner …` stands in for minerd; `hub` and `bench` are commands of their own.

Lines about what is going on go to stderr, in minerd's form; what was asked for goes to stdout.
"""

import sys
from collections.abc import Sequence

from miner.front.console import Console, run_command


def main(argv: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Run what `argv` (by default the process's own arguments) asks for. Returns the exit status."""
    args = sys.argv[1:] if argv is None else list(argv)
    console = console or Console()
    if args[:1] == ["hub"]:
        return run_command("miner hub", _hub, args[1:], console)
    if args[:1] == ["bench"]:
        return run_command("miner bench", _bench, args[1:], console)
    return run_command("miner", _mine, args, console)


# Each command loads only what it needs, and what can't be loaded is told as every other error is.

def _mine(args: list[str], console: Console) -> int:
    from miner.cli.mine import mine

    return mine(args, console)


def _hub(args: list[str], console: Console) -> int:
    from miner.cli.hub import hub

    return hub(args, console)


def _bench(args: list[str], console: Console) -> int:
    from miner.cli.bench import bench

    return bench(args, console)

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
        from miner.cli.hub import hub

        return run_command("miner hub", hub, args[1:], console)
    if args[:1] == ["bench"]:
        from miner.cli.bench import bench

        return run_command("miner bench", bench, args[1:], console)
    from miner.cli.mine import mine

    return run_command("miner", mine, args, console)

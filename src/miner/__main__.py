"""`python -m miner`, and the command `sparkminer`: the cluster job or one of the command line's own commands."""

import sys


def main() -> int:
    """Run the command that this process's arguments name. Returns the exit status."""
    try:
        from miner.front.process import run_process
    except KeyboardInterrupt:
        return 130
    return run_process(_command, sys.argv[1:])


def _command(args: list[str]) -> int:
    if args[:1] == ["spark"]:
        from miner.spark import main as spark

        return spark(args[1:])
    from miner.cli import main as cli

    return cli(args)


if __name__ == "__main__":
    sys.exit(main())

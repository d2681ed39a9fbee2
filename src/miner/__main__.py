"""`python -m miner`, and the command `sparkminer`: the cluster job or one of the command line's own commands."""

import sys

from miner.process import hide_secrets


def main() -> int:
    args = sys.argv[1:]
    hide_secrets(args)
    if args[:1] == ["spark"]:
        from miner.spark import main as spark

        return spark(args[1:])
    from miner.cli import main as cli

    return cli(args)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m miner`, and the command `sparkminer`: the cluster job or one of the command line's own commands."""

import sys


def main() -> int:
    try:
        from miner.front.process import hide_secrets

        args = sys.argv[1:]
        hide_secrets(args)
        if args[:1] == ["spark"]:
            from miner.spark import main as spark

            return spark(args[1:])
        from miner.cli import main as cli

        return cli(args)
    except KeyboardInterrupt:  # before there was anything to stop
        return 130


if __name__ == "__main__":
    sys.exit(main())

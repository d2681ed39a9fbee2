"""Mining on a Spark cluster. Nothing outside this package imports pyspark.

The driver runs the hub and prints what happens (`job`); each task mines against the hub (`partition`).
"""

from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Run `python -m miner spark` with the arguments behind it, or spark-submit's script with its own. Returns the exit
    status."""
    from miner.front.console import Console, run_command

    def command(args: list[str], console: Console) -> int:
        from miner.spark.job import spark

        return spark(args, console)

    return run_command("miner spark", command, list(argv), Console())

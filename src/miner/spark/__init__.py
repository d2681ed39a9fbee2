"""Mining on a Spark cluster. Nothing outside this package imports pyspark.

The driver runs the hub and prints what happens (`job`); each task mines against the hub (`partition`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from miner.front.console import Console
    from miner.spark.miner import SparkMiner as SparkMiner
    from miner.spark.screen_job import screen as screen


def main(argv: Sequence[str]) -> int:
    """Run `python -m miner spark` with the arguments behind it, or spark-submit's script with its own. Returns the exit
    status."""
    from miner.front.console import Console, run_command

    if list(argv[:1]) == ["screen"]:
        return run_command("miner spark screen", _screen_command, list(argv[1:]), Console())

    def command(args: list[str], console: Console) -> int:
        from miner.spark.job import spark

        return spark(args, console)

    return run_command("miner spark", command, list(argv), Console())


def _screen_command(args: list[str], console: "Console") -> int:
    from miner.spark.screen_command import screen_command

    return screen_command(args, console)


def __getattr__(name: str) -> Any:
    """`SparkMiner` and `screen`, loaded at first use: executors import this package, and have no use for them."""
    if name == "screen":
        from miner.spark.screen_job import screen

        return screen
    if name == "SparkMiner":
        from miner.spark.miner import SparkMiner

        return SparkMiner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Mining on a Spark cluster. The only place that imports pyspark.

The driver runs the hub and prints what happens (`job`); each task mines against the hub (`partition`).
"""

from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """`python -m miner spark …`, and what spark-submit runs. Returns the exit status."""
    from miner.front.console import Console, run_command
    from miner.spark.job import spark

    return run_command("miner spark", spark, list(argv), Console())

"""Screening a cluster's CPUs from a program that has a Spark session."""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from miner.core.algorithm import Algorithm
from miner.core.errors import MinerError, UsageError
from miner.core.screening import ScreenEvent
from miner.engine.screening import NICE
from miner.spark.parquet import check_place
from miner.spark.screen_cluster import ClusterResult, ScreenedCluster
from miner.spark.screen_frame import screening_frame
from miner.spark.ship import ship_with
from miner.spark.words import exception_words

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def screen(spark: "SparkSession", algorithms: Sequence[Algorithm | str] = (), seconds: float = 60.0, *,
           seed: int | None = None, nice: int | None = NICE, stop: threading.Event | None = None,
           on_event: Callable[[ScreenEvent], None] = lambda event: None, write_to: str = "") -> "DataFrame":
    """Screen the CPUs of a session's executors for `seconds`, or until `stop` is set. Returns a DataFrame with one row
    for each CPU (`screening_frame`); a row with `mismatches` above 0 is of a CPU that computes wrongly.

    algorithms  as `miner.engine.screening.screen` takes them, as are seed and nice
    on_event    is called with ClusterScreenStarted, and every ten seconds with what is new: ScreenStarted of
                executors, Mismatches, ScreenProgress
    write_to    a path to which the rows are also appended, as Parquet

    The session stays as it is, but for this package, which Spark then has for its executors. Raises UsageError for an
    unknown algorithm or a session of Spark Connect, MinerError when the Spark job fails.
    """
    if not hasattr(spark, "_jsc"):
        raise UsageError("a session of Spark Connect can't place a task on each executor: use one that has a driver "
                         "here (SparkSession.builder.master(…))")
    chosen = tuple(Algorithm.parse(str(algorithm)) for algorithm in algorithms)
    ship_with(spark.sparkContext)
    if write_to:
        check_place(spark.sparkContext, write_to)
    result = screened(spark, chosen, seconds, seed, nice, stop or threading.Event(), on_event)
    frame = screening_frame(spark, result.screening, time.time())
    if write_to:
        append(frame, write_to)
    return frame


def screened(spark: "SparkSession", algorithms: Sequence[Algorithm], seconds: float, seed: int | None,
             nice: int | None, stop: threading.Event, on_event: Callable[[ScreenEvent], None]) -> ClusterResult:
    """Screen the executors of a session that has this package already; arguments as `screen` has them."""
    names = tuple(map(str, algorithms))
    seed = secrets.randbits(62) if seed is None else seed
    return ScreenedCluster(spark.sparkContext, names, seconds, seed, nice, stop, on_event).run()


def append(frame: "DataFrame", path: str) -> None:
    """Append rows to a Parquet table. Raises MinerError, in one line, where Spark can't."""
    try:
        frame.coalesce(1).write.mode("append").parquet(path)
    except Exception as error:
        raise MinerError(f"can't write the rows to {path!r}: {exception_words(error)}") from error

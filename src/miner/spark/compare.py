"""`--compare`: measures what Spark costs. Executors, and an equal number of threads without Spark, take turns on this
machine."""

import dataclasses
import statistics
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from miner.core.errors import MinerError
from miner.engine.benchmarking import benchmark
from miner.front.console import Console, ExitStatus
from miner.front.report import hashrate_text
from miner.hub import HubThread
from miner.sources.open import open_source
from miner.spark.application import Application
from miner.spark.driver import spark_settings
from miner.spark.partition import Lease, LeaseResult
from miner.spark.run import hub_config, lease
from miner.spark.settings import JobSettings
from miner.spark.ship import ship
from miner.spark.words import exception_words

if TYPE_CHECKING:
    from pyspark import SparkContext

_LEAST_ROUNDS = 3
_TURN_SECONDS = 20.0  # in shorter ones, starting and ending weigh more than they do in an hour of mining
_WARM_UP_SECONDS = 10.0  # Python workers start, and the sandbox chain's difficulty settles


def compare(settings: JobSettings, directory: Path, stop: threading.Event, console: Console) -> int:
    """Print a line for each turn, then both medians, and that of the ratios of neighbouring turns. `settings.seconds`
    is for all turns together, each of 20 seconds or, where that makes less than three rounds, of a sixth of it. Returns
    the exit status; raises MinerError when Spark fails."""
    rounds = max(_LEAST_ROUNDS, round(settings.seconds / (2 * _TURN_SECONDS)))
    turn = max(1.0, settings.seconds / (2 * rounds))
    application = Application(spark_settings(settings, directory), directory, settings.debug)
    try:
        if not application.start_unless(stop):
            return ExitStatus.OK
        context = application.context
        ship(context, directory)
        with HubThread(open_source(settings.source), hub_config(settings, context)) as hub:
            _warm_up(context, lease(settings, context, hub, _WARM_UP_SECONDS), stop)
            _take_turns(settings, context, lease(settings, context, hub, turn), rounds, stop, console)
    finally:
        application.stop()
    return ExitStatus.OK


def _take_turns(settings: JobSettings, context: "SparkContext", one: Lease, rounds: int,
                stop: threading.Event, console: Console) -> None:
    together, alone = [], []
    for _ in range(rounds):
        rows = _mine(context, one, stop)
        if stop.is_set():
            return
        threads = sum(row.threads for row in rows)
        together.append(sum(row.hashes / row.seconds for row in rows))
        console.message(f"{len(rows)} executors, {threads} threads: {hashrate_text(together[-1])}")
        engine = dataclasses.replace(settings.engine, threads=threads)
        result = benchmark(settings.source.algorithm, seconds=one.seconds, engine=engine, stop=stop)
        if stop.is_set():
            return
        alone.append(result.hashrate)
        console.message(f"without Spark, {threads} threads: {hashrate_text(alone[-1])}")
    # A neighbour on the host changes both by more than Spark costs: only turns that follow each other are alike.
    ratio = statistics.median(one / other for one, other in zip(together, alone, strict=True))
    console.result(f"executors {hashrate_text(statistics.median(together))}, without Spark "
                   f"{hashrate_text(statistics.median(alone))}: {ratio:.1%} (medians of {rounds} rounds of two turns "
                   f"of {one.seconds:.1f} s)")


def _warm_up(context: "SparkContext", one: Lease, stop: threading.Event) -> None:
    _mine(context, one, stop)


def _mine(context: "SparkContext", one: Lease, stop: threading.Event) -> list[LeaseResult]:
    """Run one lease on each executor, all at once. Returns their rows, or none if `stop` was set meanwhile."""
    rows: list[LeaseResult] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            count = max(1, context.defaultParallelism // int(context.getConf().get("spark.task.cpus") or 1))
            rows.extend(context.parallelize(range(count), count).mapPartitionsWithIndex(one).collect())
        except Exception as error:
            errors.append(error)

    runner = threading.Thread(target=run, name="miner-spark-compare", daemon=True)
    runner.start()
    while runner.is_alive() and not stop.is_set():
        runner.join(0.1)
    if errors and not stop.is_set():
        raise MinerError(f"the Spark job failed: {exception_words(errors[0])}") from errors[0]
    return rows

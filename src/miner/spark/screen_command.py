"""`python -m miner spark screen`: a Spark of its own, whose executors' CPUs are screened."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from miner.core.screening import ScreenEvent, ScreenStarted
from miner.front.argparser import Parser
from miner.front.chart import ChartFile
from miner.front.console import Console, ExitStatus
from miner.front.naming import own_words
from miner.front.report import counted
from miner.front.screen_chart import screen_chart
from miner.front.screen_options import STATUSES, add_screen_options, screen_seconds, screen_status
from miner.front.screen_report import event_json, event_lines, missed_json, remark_lines, result_json, result_lines
from miner.spark.application import Application
from miner.spark.driver import prepared, require_pyspark, spark_settings
from miner.spark.obstacles import refuse_obstacles
from miner.spark.parquet import check_place
from miner.spark.screen_cluster import ClusterResult
from miner.spark.screen_frame import screening_frame
from miner.spark.screen_job import append, screened
from miner.spark.settings import ClusterSettings, add_cluster_options, read_cluster
from miner.spark.ship import ship

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_DESCRIPTION = """\
Screen the CPUs of a Spark cluster: on each CPU of each executor, every kernel that it has hashes the same random
headers, and whatever it says of each nonce is compared with what the portable code says."""
_FAILURES = 4  # of a task, as Spark itself has it


def screen_command(args: list[str], console: Console) -> int:
    """Run `miner spark screen` with these arguments. Returns the exit status. Raises UsageError before anything of
    Spark is started, and MinerError when the job fails."""
    options = parser().parse_args(args)
    seconds, cluster = screen_seconds(options), read_cluster(options)
    require_pyspark()
    refuse_obstacles()
    stop = threading.Event()

    def tell(event: ScreenEvent) -> None:
        if options.json:
            console.result(event_json(event, time.time()))
        else:
            console.messages(remark_lines(event) if isinstance(event, ScreenStarted) else event_lines(event))

    with ChartFile(options.chart) if options.chart else contextlib.nullcontext() as chart:
        with console.stopping(stop.set), _session(cluster, stop, console, options.debug) as spark:
            if spark is None:
                return ExitStatus.INTERRUPTED
            if options.write_to:
                check_place(spark.sparkContext, options.write_to)
            result = screened(spark, options.algo or (), seconds, options.seed, options.nice, stop, tell)
            for line in _result_lines(result, options.json):
                console.result(line)
            if result.error:
                console.error(f"miner spark screen: ended early: {result.error}")
            if options.write_to:
                append(screening_frame(spark, result.screening, time.time()), options.write_to)
                console.message(f"Rows appended to {options.write_to}")
        if chart:
            chart.write(screen_chart(result.screening))
            console.message(f"Chart written to {options.chart}")
    return screen_status(result.screening, stop.is_set(), incomplete=bool(result.missed or result.error))


@contextlib.contextmanager
def _session(cluster: ClusterSettings, stop: threading.Event, console: Console,
             debug: bool) -> "Iterator[SparkSession | None]":
    """A Spark of this command's own; None if `stop` was set before it had started."""
    with prepared(cluster) as directory:
        console.message(f"Starting Spark{f' on {cluster.master}' if cluster.master else ''}")
        application = Application(spark_settings(cluster, directory), directory, debug, _FAILURES)
        try:
            if not application.start_unless(stop):
                yield None
                return
            from pyspark.sql import SparkSession

            ship(application.context, directory)
            yield SparkSession(application.context)
        finally:
            application.stop()


def _result_lines(result: ClusterResult, as_json: bool) -> Iterator[str]:
    now = time.time()
    yield from result_json(result.screening, now) if as_json else result_lines(result.screening)
    for executor, reason in result.missed:
        yield missed_json(executor.id, executor.host, executor.cores, reason, now) if as_json else (
            f"Executor {executor.id} on {executor.host}, {counted(executor.cores, 'core')}, was not screened: "
            f"{own_words(reason)}")


def parser() -> Parser:
    """The parser of `miner spark screen`."""
    parser = Parser(prog="miner spark screen", usage="python -m miner spark screen [OPTIONS]",
                    description=_DESCRIPTION, epilog=STATUSES)
    add_screen_options(parser)
    parser.add_argument("--write-to", default="", metavar="PATH",
                        help="also append the rows there as Parquet, one for each CPU")
    parser.add_argument("-D", "--debug", action="store_true", help="show all that Spark says")
    add_cluster_options(parser)
    return parser

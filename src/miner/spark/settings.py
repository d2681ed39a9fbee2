"""The options of `miner spark`, read and checked before any Spark is started."""

import argparse
import re
from dataclasses import dataclass, replace
from pathlib import Path

from miner import _native
from miner.core.errors import UsageError
from miner.front.argparser import Parser
from miner.front.console import Console
from miner.front.options import RUN_STATUSES, add_engine_options, add_face_options, add_run_options, add_source_options
from miner.front.settings import FaceSettings, engine_config, face_settings, notices, source_config
from miner.front.values import integer, seconds, some_seconds
from miner.spark.application import under_spark_submit
from miner.spark.masters import check_master, is_local
from miner.spark.run import RunSettings

DEMO_SECONDS = 30.0
COMPARE_SECONDS = 280.0  # seven turns of 20 seconds each
_DESCRIPTION = """\
Mine on a Spark cluster: each executor mines against a hub in this process, which holds the one connection to the
pool or node. Without --master, Spark runs on this machine, as two executors in processes of their own. Executors
need a Python and nothing of ours."""
_EPILOG = """\
examples:
  python -m miner spark --sandbox
  python -m miner spark screen --minutes 10      # screen the executors' CPUs: a command of its own, see its --help
  python -m miner spark --master spark://HOST:7077 -o stratum+tcp://pool.example:3333 -u alice --password-file F
  spark-submit --master yarn "$(python -m miner spark --script)" -o stratum+tcp://pool.example:3333 -u alice …

"""


@dataclass(frozen=True, slots=True)
class JobSettings(RunSettings):
    """All that a cluster job is told by its options. `master` is "" under spark-submit, which keeps it to itself;
    `spark` are Spark's settings by name; `seconds` is 0 for a run until stopped; `chart` is the file for a picture of
    the executors' hashrates, "" for none."""

    master: str
    spark: dict[str, str]
    compare: bool
    quiet: bool
    debug: bool
    faces: FaceSettings
    chart: str
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Which cluster, and how to start on it: `master` is "" under spark-submit, which keeps it to itself; `spark` are
    Spark's settings by name."""

    master: str
    spark: dict[str, str]


def parser() -> Parser:
    """The parser of `miner spark`."""
    parser = Parser(prog="miner spark", usage="python -m miner spark [OPTIONS]",
                    description=_DESCRIPTION, epilog=_EPILOG + RUN_STATUSES)
    add = add_cluster_options(parser).add_argument
    add("--hub-host", default="", metavar="HOST",
        help="this machine's address that executors can reach (default: the one Spark's driver uses)")
    add("--hub-port", type=integer(0, 65535), default=0, metavar="PORT", help="(default: any free one)")
    add("--hub-tls", action="store_true",
        help="speak TLS with the executors: with a certificate that is made for this run, which they pin "
             "(pip install 'sparkminer[spark]')")
    add("--lease-seconds", type=seconds, default=300.0, metavar="N",
        help="how long a task mines before its executor is free for other tasks (default: 300)")
    add("--orphan-timeout", type=some_seconds, default=60.0, metavar="N",
        help="a task ends once its hub has been out of reach for so long (default: 60)")
    add("--write-to", default="", metavar="PATH",
        help="also append leases and shares there as Parquet, while the job runs")
    add("--compare", action="store_true",
        help="compare the executors' hashrate with that of as many threads without Spark, taking turns, and end")
    add("--script", action="store_true", help="print the path of the script for spark-submit, and end")
    add_source_options(parser)
    add_engine_options(parser)
    add_run_options(parser, None, f"{DEMO_SECONDS:g} with --sandbox, {COMPARE_SECONDS:g} with --compare, else 0")
    add_face_options(parser)
    add("--chart", default="", metavar="FILE.svg", help="at the end draw the executors' hashrates over time")
    return parser


def add_cluster_options(parser: Parser) -> argparse._ArgumentGroup:
    """Declare the options that say which cluster, in a group of their own, which is returned."""
    group = parser.add_argument_group("cluster")
    add = group.add_argument
    add("--master", metavar="URL",
        help="local[N], local-cluster[EXECUTORS,CORES,MB], spark://HOST:PORT, yarn, k8s://…; spark-submit has its own")
    add("--executors", type=integer(1, 10000), metavar="N", help="how many to ask for (default: 2 without --master)")
    add("--executor-cores", type=integer(1, 10000), metavar="N",
        help="cores of each executor (default: Spark's; 1 on a standalone cluster with --executors, else all)")
    add("--conf", action="append", default=[], metavar="KEY=VALUE", help="a setting of Spark's")
    return group


def read_settings(options: argparse.Namespace, console: Console) -> JobSettings:
    """The job's settings from its options. Raises UsageError for what is missing or doesn't fit together."""
    if options.compare:
        if options.events:
            raise UsageError("--events tells of mining, and --compare only measures: leave one of them out")
        options.sandbox = True  # what is hashed doesn't matter
    source = source_config(options, console.environ, for_hub=True)
    engine = engine_config(options, console.environ)
    if engine.kernel and engine.kernel not in (names := _native.kernels_everywhere(source.algorithm.name)):
        raise UsageError(f"no kernel {engine.kernel!r} for {source.algorithm.name} on any CPU: "
                         f"there are {', '.join(names)}")
    if options.lease_seconds < 1:
        raise UsageError("--lease-seconds must be at least 1")
    wanted = options.seconds
    if wanted is None:
        wanted = COMPARE_SECONDS if options.compare else DEMO_SECONDS if source.sandbox else 0.0
    cluster = read_cluster(options)
    told = notices(options)
    passwords = [login.password for login in options.given.source.all()]
    if under_spark_submit() and any(password and password.text and not password.place for password in passwords):
        told.append("the password is on spark-submit's command line, where others can see it: use --password-file")
    return JobSettings(
        source=source, engine=engine, seconds=wanted, master=cluster.master, spark=cluster.spark,
        hub_host=options.hub_host, hub_port=options.hub_port, hub_tls=options.hub_tls,
        lease_seconds=options.lease_seconds,
        orphan_timeout=options.orphan_timeout, write_to=options.write_to, blocks=options.blocks,
        compare=options.compare, quiet=options.quiet, debug=options.debug, faces=_faces(options),
        chart=options.chart, notices=tuple(told))


def _faces(options: argparse.Namespace) -> FaceSettings:
    faces = face_settings(options)
    return replace(faces, live=faces.live and not under_spark_submit())  # which writes to the terminal as well


def read_cluster(options: argparse.Namespace) -> ClusterSettings:
    """The master's URL, and Spark's settings that follow from the options. Raises UsageError for what doesn't fit
    together."""
    spark = dict(_setting(text) for text in options.conf)
    if under_spark_submit():
        if options.master or options.conf:
            raise UsageError("--master and --conf belong to spark-submit: give them before the script")
        master = ""
    else:
        master = options.master or spark.get("spark.master") or f"local-cluster[{options.executors or 2},1,1024]"
        if options.executors and is_local(master) and options.master:
            raise UsageError(f"--executors: the master {master!r} says how many there are")
        check_master(master)
    if options.executors and not is_local(master):
        spark.setdefault("spark.executor.instances", str(options.executors))
        spark.setdefault("spark.dynamicAllocation.maxExecutors", str(options.executors))
    if options.executor_cores:
        if is_local(master):
            raise UsageError(f"--executor-cores: the master {master!r} says how many cores there are")
        spark.setdefault("spark.executor.cores", str(options.executor_cores))
    return ClusterSettings(master, spark)


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"spark\.[\w.\-]+", key):
        raise UsageError("--conf must be spark.KEY=VALUE")
    return key, value


def script() -> Path:
    """The path of the script for spark-submit."""
    return Path(__file__).with_name("submit.py")

"""The options and exit statuses of the commands that screen CPUs, on one machine and on a cluster."""

import argparse

from miner.core.algorithm import Algorithm, forms
from miner.core.errors import UsageError
from miner.core.screening import Screening
from miner.front.argparser import Parser
from miner.front.console import ExitStatus
from miner.front.values import integer, niceness, some_seconds

DEFAULT_SECONDS = 60.0
STATUSES = """\
exit status:
  0  every CPU was screened with every kernel, and no mismatch was found
  1  it failed, or a CPU was not screened with every kernel
  2  an option is wrong
  3  a mismatch was found: a CPU computes wrongly
  130  it was interrupted before anything was compared"""


def add_screen_options(parser: Parser) -> None:
    """Declare what is screened, for how long, and how it is told."""
    add = parser.add_argument
    add("-a", "--algo", type=Algorithm.parse, action="append", metavar="ALGO",
        help=f"{forms()}; may be given more than once (default: each of them)")
    add("--minutes", type=some_seconds, metavar="N", help="how long to screen (default: 1)")
    add("--seconds", type=some_seconds, metavar="N", help="how long to screen, in seconds")
    add("--nice", type=niceness, default=19, metavar="N",
        help="nice value of the threads, 0 to 19 (default: 19, which steps back behind other programs)")
    add("--seed", type=integer(0, (1 << 63) - 1), metavar="N",
        help="a number that headers and targets are made from, to repeat a screening (default: a random one)")
    add("--json", action="store_true", help="print JSON in place of a table: one object a line, while it runs")
    add("--chart", metavar="FILE.svg", help="also draw a picture of each CPU's hashrates beside the median")


def screen_seconds(options: argparse.Namespace) -> float:
    """How long to screen. Raises UsageError where it is given twice."""
    if options.minutes is not None and options.seconds is not None:
        raise UsageError("--minutes and --seconds both say how long to screen: give one of them")
    if options.minutes is not None:
        return float(60 * options.minutes)
    return DEFAULT_SECONDS if options.seconds is None else float(options.seconds)


def screen_status(result: Screening, stopped: bool, incomplete: bool = False) -> int:
    """The exit status of a screening that came to this. `stopped`: a signal ended it; `incomplete`: executors of a
    cluster took no part, or its Spark jobs failed."""
    if result.mismatches:
        return ExitStatus.MISMATCH
    if stopped and not result.hashes:
        return ExitStatus.INTERRUPTED
    return ExitStatus.FAILED if incomplete or result.not_screened or not result.cpus else ExitStatus.OK

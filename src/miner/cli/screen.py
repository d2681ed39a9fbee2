"""`python -m miner screen`: every kernel on every CPU of this machine, compared with the portable code."""

import contextlib
import threading
import time

from miner.core.screening import ScreenEvent
from miner.engine.screening import screen as screen_cpus
from miner.front.argparser import Parser
from miner.front.chart import ChartFile
from miner.front.console import Console
from miner.front.screen_chart import screen_chart
from miner.front.screen_options import STATUSES, add_screen_options, screen_seconds, screen_status
from miner.front.screen_report import event_json, event_lines, result_json, result_lines
from miner.front.values import integer, threads

_DESCRIPTION = """\
Screen this machine's CPUs: on each of them, every kernel that it has hashes the same random headers, and whatever it
says of each nonce is compared with what the portable code says. A CPU on which they differ computes wrongly."""


def screen(args: list[str], console: Console) -> int:
    """Run `miner screen` with these arguments. Returns the exit status."""
    options = parser().parse_args(args)
    seconds = screen_seconds(options)
    stop = threading.Event()

    def tell(event: ScreenEvent) -> None:
        if options.json:
            console.result(event_json(event, time.time()))
        else:
            console.messages(event_lines(event))

    with ChartFile(options.chart) if options.chart else contextlib.nullcontext() as chart:
        with console.stopping(stop.set):
            result = screen_cpus(options.algo or (), seconds, seed=options.seed, threads=options.threads,
                                 cpus=options.cpu, nice=options.nice, stop=stop, on_event=tell)
        for line in result_json(result, time.time()) if options.json else result_lines(result):
            console.result(line)
        if chart:
            chart.write(screen_chart(result))
            console.message(f"Chart written to {options.chart}")
    return screen_status(result, stop.is_set())


def parser() -> Parser:
    """The parser of `miner screen`."""
    parser = Parser(prog="miner screen", usage="python -m miner screen [OPTIONS]", description=_DESCRIPTION,
                    epilog=STATUSES)
    add_screen_options(parser)
    parser.add_argument("--cpu", type=integer(0, 1 << 16), action="append", default=[], metavar="N",
                        help="only this CPU, by the system's number; may be given more than once (default: all)")
    parser.add_argument("-t", "--threads", type=threads, default=0, metavar="N",
                        help="how many CPUs are screened at a time (default: all that this process may use)")
    return parser

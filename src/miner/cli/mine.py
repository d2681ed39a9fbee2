"""`python -m miner …`: mine, or `--benchmark`, with minerd's options."""

import argparse
import contextlib
import sys
import threading
from collections.abc import Iterator

from miner import __version__
from miner.core.algorithm import Algorithm
from miner.core.errors import MinerError, UsageError
from miner.front.argparser import Parser
from miner.front.console import Console, ExitStatus
from miner.front.daemon import settle
from miner.front.options import RUN_STATUSES, add_engine_options, add_face_options, add_run_options, add_source_options
from miner.front.settings import engine_config, face_settings, notices, source_config

_DESCRIPTION = """\
Mine with this machine's CPUs for a pool, on a node, or on an embedded test chain.
Takes the options of pooler's minerd 2.5.1.

Commands with options of their own (see COMMAND --help):
  spark     mine on a Spark cluster
  hub       serve one pool's or node's work to many miners
  bench     compare this CPU's kernels
  screen    find CPUs that compute wrongly
  swarm     be many miners at once: load for a pool or hub of one's own"""

_EPILOG = """\
examples:
  python -m miner --sandbox
  python -m miner -a scrypt -o stratum+tcp://pool.example:3333 -u alice.1 --password-file pool.txt -t 2
  python -m miner -a sha256d -o http://127.0.0.1:8332/ -u rpc --ask-password --coinbase-addr ADDRESS
  python -m miner -a sha256d --benchmark

several pools or nodes:
  Each further -o names where to go, in this order, while those before it give no work; the first one is gone back to
  once it has had work for half a minute. -u, -p and -O that follow a URL belong to it alone. Those before the first
  URL, --password-file, --ask-password and MINER_PASSWORD are for every URL that has none of its own:
    -u alice -o stratum+tcp://a.example:3333 -o stratum+tcp://b.example:3333
    -o stratum+tcp://a.example:3333 -O alice:x  -o stratum+tcps://b.example:443 -O bob:y

TLS and proxies:
  Certificates are verified: against this system's authorities, against the one in the --cert file alone, or, with
  --tls-fingerprint, by their own SHA-256, which takes a self-signed one too. Nothing is sent to a server that does not
  pass. -x needs the package python-socks (pip install 'sparkminer[proxy]'); the way through it is for pool and node.

passwords:
  A password in -p, -O, a URL or -x is written over in the process list at once, but may be seen for a moment.
  --password-file, --ask-password, MINER_PASSWORD and a config file that only its owner can read avoid that. What pools
  put after a password's comma (d=…, c=…) is passed on as it is. No password is ever shown, with -P neither.
  Two options that give the same password are an error; of a config file and the command line the later one counts.
  The environment's password counts where no option gives one.

abbreviations:
  The beginning of a long option of minerd's stands for it where no other of minerd's begins so: --userp, --thr.

config file:
  A JSON object of long options without their dashes. Options that have no value are true or false; others take
  strings or numbers; "pools" is a list of objects, each with a url, user and pass. What is no option is told and passed
  over, comments ("_comment": …) in silence. The file is read where -c stands: what comes later on the command line
  wins, and a URL there takes the place of the file's, as with minerd.

output:
  Messages go to stderr, or with -S to the system log, each behind [YYYY-MM-DD HH:MM:SS]; hashrates are in khash/s, with
  two digits after the point below 1000. At the start and with each new difficulty, a line says how long a share takes.

environment:
  MINER_PASSWORD      the password for the pool or node, unless an option gives one
  MINER_AUX_PASSWORD  the password for the node of --aux
  MINER_KERNEL        a kernel's name, as --kernel takes it
  One that is set, but empty, is an error, as is an option; -u '' and -p '' mean no user and an empty password.

signals:
  Ctrl-C, SIGTERM or SIGHUP ends a run in order, a second one at once (within a second of the first it is the same one).
  In the background SIGHUP opens the file that messages go to anew, for logrotate and its kin.

"""


def parser() -> Parser:
    """The options of `python -m miner` itself."""
    parser = Parser(prog="miner", usage="python -m miner [OPTIONS]", description=_DESCRIPTION,
                    epilog=_EPILOG + RUN_STATUSES)
    add_source_options(parser)
    add_engine_options(parser)
    add_run_options(parser)
    add_face_options(parser)
    group = parser.add_argument_group("as minerd has them")
    add = group.add_argument
    add("--benchmark", action="store_true", help="hash without a network and tell how fast; see also `bench`")
    add("-S", "--syslog", action="store_true", help="write messages to the system log")
    add("-B", "--background", action="store_true", help="go on in the background")
    add("-V", "--version", action="version", version=version_text())
    return parser


def version_text() -> str:
    """What `--version` prints: the program's version, and Python's."""
    return f"sparkminer {__version__} (Python {sys.version.split()[0]})"


def mine(args: list[str], console: Console) -> int:
    """`python -m miner`: mine until the time is up, the source ends, or a signal comes."""
    options = parser().parse_args(args)
    if options.check:
        return check(options, console)
    if options.benchmark:
        return run_benchmark(options, console)
    source, engine = source_config(options, console.environ), engine_config(options, console.environ)
    shown = face_settings(options)
    if not _settle(options, console):
        return ExitStatus.OK
    with _trial(source.algorithm, engine.kernel):
        from miner.front.faces import open_faces
        from miner.front.reporter import miner_reporter
        from miner.mining import mine

    mining = mine(source, engine, seconds=options.seconds, blocks=options.blocks)
    with (console.stopping(mining.stop),
          open_faces(shown, "miner", console, seconds=options.seconds, blocks=options.blocks) as faces, mining):
        report = miner_reporter(quiet=options.quiet or faces.live, debug=options.debug, longpoll=options.longpoll)
        try:
            for event in mining:
                faces.take(event)
                console.messages(report.lines(event))
        except MinerError as error:  # told as the last event
            return ExitStatus.USAGE if isinstance(error, UsageError) else ExitStatus.FAILED
    return ExitStatus.OK


@contextlib.contextmanager
def _trial(algorithm: Algorithm, kernel: str) -> Iterator[None]:
    """Meanwhile, have the kernels tried, which leaves Python to what else there is to start. The outcome is remembered
    for the engine, which also tells what is wrong."""
    from miner.engine.kernels import usable_kernels

    def run() -> None:
        with contextlib.suppress(Exception):
            usable_kernels(algorithm, kernel)

    running = threading.Thread(target=run, name="miner-trial", daemon=True)
    with contextlib.suppress(RuntimeError):  # a system that starts no more threads
        running.start()
    yield
    if running.ident is not None:
        running.join()


def check(options: argparse.Namespace, console: Console) -> int:
    """`--check`: say what would be done. Raises MinerError for what won't do."""
    from miner.front.check import NOTHING_DONE, engine_line, run_lines, source_lines

    engine = engine_config(options, console.environ)
    source = None if options.benchmark else source_config(options, console.environ)
    lines = [engine_line(options.algorithm, engine), *(source_lines(source) if source else ()),
             *run_lines(options.seconds, options.blocks, face_settings(options)), NOTHING_DONE]
    console.messages(notices(options))
    for line in lines:
        console.result(line)
    return ExitStatus.OK


def run_benchmark(options: argparse.Namespace, console: Console) -> int:
    """minerd's `--benchmark`: a line a thread and a total, every few seconds."""
    if options.events:
        raise UsageError("--events tells of mining: for a benchmark's figures as JSON see `bench --json`")
    if options.status:
        raise UsageError("--status shows a run of mining: a benchmark has no such page")
    engine = engine_config(options, console.environ)
    if not _settle(options, console):
        return ExitStatus.OK
    from miner.core.errors import EngineStopped
    from miner.engine.benchmarking import benchmark
    from miner.front.benchmark_report import BenchmarkReport

    report, result = BenchmarkReport(options.quiet), None
    stop = threading.Event()
    with console.stopping(stop.set), contextlib.suppress(EngineStopped):
        result = benchmark(options.algorithm, seconds=options.seconds, engine=engine, stop=stop,
                           on_event=lambda event: console.messages(report.lines(event)))
    console.messages(report.closing(result))
    return ExitStatus.OK


def _settle(options: argparse.Namespace, console: Console) -> bool:
    """Go where -S and -B say, and tell notices. False in the process that is left behind by -B."""
    if not settle(options, console):
        return False
    console.messages(notices(options))
    return True

"""`python -m miner hub`: serve one pool's, node's or the sandbox chain's work to many miners."""

import argparse
import socket
import threading
import time
from collections.abc import Callable

from miner.collector import rare_collections
from miner.config import SourceConfig
from miner.core.errors import UsageError
from miner.front.argparser import Parser, Several
from miner.front.check import NOTHING_DONE, run_lines, source_lines
from miner.front.console import Console, ExitStatus
from miner.front.faces import open_faces
from miner.front.hub_report import miner_table
from miner.front.login_options import GiveSecret
from miner.front.options import RUN_STATUSES, add_face_options, add_run_options, add_source_options
from miner.front.passwords import from_environment, get_secret
from miner.front.report import work_line
from miner.front.reporter import Reporter, hub_reporter
from miner.front.settings import face_settings, notices, source_config
from miner.front.values import integer, network, positive
from miner.hub import HubConfig, HubThread
from miner.hub.events import HubEvent, HubStopped
from miner.hub.slices import MAX_SLICES
from miner.sources.open import open_source

_FAREWELL_SECONDS = 2.0  # for our own miners to report a last time
_POLL_SECONDS = 0.2  # how soon a signal or the end of the time is noticed
_MANY = integer(1, MAX_SLICES)
_LIMITS: dict[str, tuple[Callable[[str], float], str, str]] = {
    "max_miners": (_MANY, "N", "connections at a time"),
    "max_shares_per_second": (positive, "N", "shares of all miners together that their difficulty aims at, at most"),
    "seconds_per_share": (positive, "N", "what each miner's difficulty aims at, while the limit above allows it"),
    "start_difficulty": (positive, "N", "of a miner's first shares (default: what suits a CPU)"),
    "least_difficulty": (positive, "N", "below which no miner's shares ever go (default: none)"),
    "login_seconds": (positive, "N", "hang up on who has not logged in by then"),
    "idle_seconds": (positive, "N", "hang up on who has sent nothing for so long"),
    "max_strangers": (_MANY, "N", "connections at a time without a login; beyond that the oldest of them goes"),
    "max_strangers_per_address": (_MANY, "N", "of them from one address"),
    "messages_per_second": (positive, "N", "that one miner may send in the long run"),
    "ban_seconds": (positive, "N", "for which the address of a miner that was thrown out for nonsense stays out"),
}
_DESCRIPTION = """\
Take work from a pool, a node or the sandbox chain, and serve it to many miners as stratum v1. Each miner gets
a slice of the work of its own, and every share is checked before it goes up. Any stratum miner
can join that shows the token."""


def hub(args: list[str], console: Console) -> int:
    """Run a hub until the time is up, its source ends, or a signal comes. Prints how to join, and at the end the
    sums."""
    options = parser().parse_args(args)
    settings = source_config(options, console.environ, for_hub=True)
    source = open_source(settings)
    host, port = _listen_address(options.listen)
    token = _token(options, console)
    console.messages(notices(options))
    report = hub_reporter(source.label, source.kind, quiet=options.quiet, longpoll=options.longpoll,
                          brief=not options.debug)
    stop = threading.Event()
    config = HubConfig(host=host, port=port, token=token, exempt_networks=options.exempt_networks,
                       **{name: getattr(options, name) for name in _LIMITS})
    if options.check:
        return _check(settings, options, config, made_up=not token, console=console)
    with (rare_collections(), console.stopping(stop.set),
          open_faces(face_settings(options), "hub", console, seconds=options.seconds) as faces,
          HubThread(source, config, faces.tap(report.wants)) as running):
        faces.follow(running)
        console.message(work_line(source.label, source.payee))
        faces.invite(_tell_how_to_join(options, running, made_up=not token, console=console))
        _follow(running, report, stop, options.seconds, console)
        for line in miner_table(running.snapshot().miners):
            console.result(line)
    if running.error is not None:
        raise running.error
    return ExitStatus.OK


def _check(source: SourceConfig, options: argparse.Namespace, config: HubConfig, *, made_up: bool,
           console: Console) -> int:
    """`--check`: say what would be done."""
    token = "a token that is made up at each start" if made_up else "the token"
    port = f"port {config.port}" if config.port else "any free port"
    for line in (f"Serving {options.algorithm} on {config.host}, {port}, to at most {config.max_miners} miners that "
                 f"show {token}", *source_lines(source), *run_lines(options.seconds, face_settings(options)),
                 NOTHING_DONE):
        console.result(line)
    return ExitStatus.OK


def parser() -> Parser:
    """The options of `python -m miner hub`."""
    parser = Parser(prog="miner hub", usage="python -m miner hub [OPTIONS]", description=_DESCRIPTION,
                    epilog=RUN_STATUSES)
    group = parser.add_argument_group("hub")
    add = group.add_argument
    add("--listen", default="127.0.0.1:0", metavar="HOST:PORT",
        help="where miners connect to (default: 127.0.0.1:0, this machine only and any free port)")
    add("--token", action=GiveSecret, secret="token", how="text", metavar="TOKEN",
        help="the password that miners must show; better from a file or the environment's MINER_TOKEN "
             "(default: one made at random)")
    add("--token-file", action=GiveSecret, secret="token", how="file", metavar="FILE",
        help="read the token from the first line of FILE")
    _add_limits(parser)
    add_source_options(parser)
    add_run_options(parser)
    add_face_options(parser)
    return parser


def _add_limits(parser: Parser) -> None:
    """An option for each limit. It has the name and the default of its setting in HubConfig."""
    group = parser.add_argument_group("limits of the hub")
    defaults = HubConfig()
    for name, (read, metavar, text) in _LIMITS.items():
        default = getattr(defaults, name)
        group.add_argument(f"--{name.replace('_', '-')}", type=read, default=default, metavar=metavar,
                           help=f"{text} (default: %(default)g)" if default else text)
    group.add_argument("--exempt-networks", action=Several, type=network, default=(), metavar="CIDR",
                       help="a network, such as 192.0.2.0/24, whose addresses have neither a bound of their own nor "
                            "bans, as loopback has none (may be given again)")


def _listen_address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise UsageError(f"--listen {text!r}: must be HOST:PORT, e.g. 0.0.0.0:3333, or [::]:3333")
    return host, int(port)


def _token(options: argparse.Namespace, console: Console) -> str:
    """The token that was given, or "" for one to be made up."""
    if secret := options.given.secrets.get("token"):
        return get_secret(secret)
    return from_environment(console.environ, "MINER_TOKEN")


def _tell_how_to_join(options: argparse.Namespace, running: HubThread, *, made_up: bool, console: Console) -> str:
    """Print the address, and a command that joins. The token is shown only where nobody could know it otherwise.
    Returns the line with the command."""
    host, port = running.address
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    url = f"stratum+tcp://{f'[{host}]' if ':' in host else host}:{port}"
    console.result(f"Hub listens on {url}")
    secret = f"-p {running.config.token}" if made_up else "--password-file TOKEN_FILE"
    invitation = f"A miner joins with: python -m miner -a {options.algorithm} -o {url} --hub -u NAME {secret}"
    console.result(invitation)
    return invitation


def _follow(running: HubThread, report: Reporter[HubEvent], stop: threading.Event, seconds: float,
            console: Console) -> None:
    """Tell what happens, until it is over or time to stop; then send the miners home."""
    end = time.monotonic() + seconds if seconds else float("inf")
    event: HubEvent | None = None
    while not isinstance(event, HubStopped) and not stop.is_set() and time.monotonic() < end:
        event = running.next_event(_POLL_SECONDS)
        console.messages(report.lines(event) if event else ())
    running.stop_miners("the hub was stopped", _FAREWELL_SECONDS)
    running.close()
    while not isinstance(event, HubStopped) and (event := running.next_event(_POLL_SECONDS)) is not None:
        console.messages(report.lines(event))

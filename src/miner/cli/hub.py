"""`python -m miner hub`: serve one pool's, node's or the sandbox chain's work to many miners."""

import argparse
import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from miner.collector import rare_collections
from miner.config import SourceConfig
from miner.core.errors import MinerError, UsageError
from miner.core.text import one_line
from miner.front.argparser import Parser
from miner.front.check import NOTHING_DONE, run_lines, source_lines
from miner.front.console import Console, ExitStatus
from miner.front.daemon import Systemd, add_daemon_options, settle
from miner.front.faces import open_faces
from miner.front.hub_options import add_hub_options, hub_config, hub_notices, joining_lines, tokens_again
from miner.front.hub_report import miner_table
from miner.front.naming import in_options
from miner.front.options import RUN_STATUSES, add_face_options, add_run_options, add_source_options
from miner.front.report import work_line
from miner.front.reporter import Reporter, hub_reporter
from miner.front.settings import face_settings, notices, source_config
from miner.hub import HubConfig, HubThread
from miner.hub.events import HubBlock, HubEvent, HubStopped
from miner.sources.open import open_source
from miner.sources.replaceable import ReplaceableSource
from miner.tls import small_buffers

_FAREWELL_SECONDS = 2.0  # for our own miners to report a last time
_POLL_SECONDS = 0.2  # how soon a signal or the end of the time is noticed
_DESCRIPTION = """\
Take work from a pool, a node or the sandbox chain, and serve it to many miners as stratum v1. Each miner gets
a slice of the work of its own, and every share is checked before it goes up. Any stratum miner
can join that shows the token."""


def hub(args: list[str], console: Console) -> int:
    """Run a hub until the time is up, its source ends, or a signal comes. Prints how to join, and at the end the
    sums."""
    options = parser().parse_args(args)
    settings = source_config(options, console.environ, for_hub=True)
    source = ReplaceableSource(open_source(settings))
    config, made_up = hub_config(options, console.environ)
    report = hub_reporter(source.label, source.kind, quiet=options.quiet, longpoll=options.longpoll,
                          brief=not options.debug)
    stop, reload = threading.Event(), threading.Event()
    if options.check:
        console.messages([*notices(options), *hub_notices(options)])
        return _check(settings, options, config, made_up=made_up, console=console)
    if not settle(options, console):
        return ExitStatus.OK
    console.messages([*notices(options), *hub_notices(options)])
    systemd = Systemd(console.environ)
    reloading = _Reloading(args, console, settings, config, source)
    with (rare_collections(), small_buffers() if config.tls else contextlib.nullcontext(),
          console.stopping(stop.set, reload.set),
          open_faces(face_settings(options), "hub", console, seconds=options.seconds, blocks=options.blocks) as faces,
          HubThread(source, config, faces.tap(report.wants), shares=options.debug or faces.watched) as running):
        faces.follow(running)
        console.message(work_line(source.label, source.payee))
        lines = joining_lines(options, running, made_up=made_up)
        for line in lines:
            console.result(line)
        faces.invite(lines[-1])
        systemd.ready()

        def take_up() -> None:
            if reload.is_set():
                reload.clear()
                systemd.reloading()
                console.message(reloading.take_up(running))
                systemd.ready()

        _follow(running, report, stop, options, console, take_up)
        systemd.stopping()
        for line in miner_table(running.snapshot().miners):
            console.result(line)
    if running.error is not None:
        raise running.error
    return ExitStatus.OK


@dataclass(slots=True)
class _Reloading:
    """Reads the command line and its files again, as SIGHUP wants it. `settings` are the source's, as they are."""

    args: list[str]
    console: Console
    settings: SourceConfig
    config: HubConfig
    source: ReplaceableSource

    def take_up(self, running: HubThread) -> str:
        """Use tokens, certificate and source as they are now. Returns the line that tells of it."""
        try:
            options = parser().parse_args(self.args)
            settings = source_config(options, self.console.environ, _ask_nobody, for_hub=True)
            if settings.algorithm != self.settings.algorithm:
                raise UsageError(f"--algo {settings.algorithm} needs a restart: miners hash {self.settings.algorithm}")
            replacement = open_source(settings) if settings != self.settings else None
            running.reload(tokens_again(options, self.config))
        except MinerError as error:
            return f"SIGHUP: nothing is changed: {in_options(str(error))}"
        if replacement is None:
            return "SIGHUP: tokens and certificate are read again; the miners that are here stay"
        self.settings = settings
        self.source.replace(replacement)
        return (f"SIGHUP: tokens and certificate are read again; {one_line(replacement.label)} takes the source's "
                "place when it has work; the miners that are here stay")


def _ask_nobody(prompt: str) -> str:
    raise UsageError("nobody can be asked for a password now: take --password-file")


def _check(source: SourceConfig, options: argparse.Namespace, config: HubConfig, *, made_up: bool,
           console: Console) -> int:
    """`--check`: say what would be done."""
    token = ("a token that is made up at each start" if made_up else "their user's token" if not config.token
             else "the token" + (", or their user's" if config.users else ""))
    tls = "; TLS" if config.tls else "; not encrypted: who is on the way can read and change all of it"
    port = f"port {config.port}" if config.port else "any free port"
    for line in (f"Serving {options.algorithm} on {config.host}, {port}, to at most {config.max_miners} miners that "
                 f"show {token}{tls}", *source_lines(source),
                 *run_lines(options.seconds, options.blocks, face_settings(options)),
                 NOTHING_DONE):
        console.result(line)
    return ExitStatus.OK


def parser() -> Parser:
    """The options of `python -m miner hub`."""
    parser = Parser(prog="miner hub", usage="python -m miner hub [OPTIONS]", description=_DESCRIPTION,
                    epilog=RUN_STATUSES)
    add_hub_options(parser)
    add_source_options(parser)
    add_run_options(parser)
    add_daemon_options(parser)
    add_face_options(parser)
    return parser


def _follow(running: HubThread, report: Reporter[HubEvent], stop: threading.Event,
            options: argparse.Namespace, console: Console, meanwhile: Callable[[], None]) -> None:
    """Tell what happens, and do what is due `meanwhile`, until it is over or time to stop; then send the miners
    home."""
    end, blocks = time.monotonic() + options.seconds if options.seconds else float("inf"), 0
    event: HubEvent | None = None
    while not isinstance(event, HubStopped) and not stop.is_set() and time.monotonic() < end:
        meanwhile()
        event = running.next_event(_POLL_SECONDS)
        console.messages(report.lines(event) if event else ())
        blocks += isinstance(event, HubBlock)
        if options.blocks and blocks >= options.blocks:
            break
    running.stop_miners("the hub was stopped", _FAREWELL_SECONDS)
    running.close()
    while not isinstance(event, HubStopped) and (event := running.next_event(_POLL_SECONDS)) is not None:
        console.messages(report.lines(event))

"""`python -m miner swarm`: many miners in one process, as load for a pool or hub of one's own."""

import argparse
import asyncio
import contextlib
import ipaddress
import time
from collections.abc import Iterator

from miner import __version__
from miner.cli.machine import machine
from miner.collector import rare_collections
from miner.config import SourceConfig
from miner.core.algorithm import Algorithm, forms
from miner.core.errors import UsageError
from miner.front.argparser import Parser, Several
from miner.front.chart import ChartFile
from miner.front.config_file import ConfigFile
from miner.front.console import Console, ExitStatus
from miner.front.event_json import json_line
from miner.front.given import Given, Login
from miner.front.login_options import GivePassword, GiveSecret, GiveUrl, GiveUsername
from miner.front.passwords import from_environment, get_secret
from miner.front.report import counted
from miner.front.settings import notices_of_secrets
from miner.front.swarm_report import chart, figures, live_line, report_lines
from miner.front.values import integer, pool_url, positive, seconds, some_seconds, user_agent
from miner.loop import run_loop
from miner.swarm.book import Book, Point
from miner.swarm.plan import MAX_MINERS, Plan, Role
from miner.swarm.run import Swarm

_DESCRIPTION = """\
Load for a stratum server of your own, a pool or a hub: many connections that subscribe, log in and hand in
valid shares, and figures on how the server bears it. It connects to the one address that it is told, whatever
the server says, and takes --yes for any that is not this machine. The server's difficulty should be so easy that
this machine makes the shares with ease (hub: --start-difficulty)."""
_STATUSES = """\
exit status:
  0    shares were accepted, or none were to be sent
  1    no share was accepted, or what was to be written could not be written
  2    an option is wrong
  130  Ctrl-C came before there was anything to stop"""
_MAX_ADDRESSES = 4096


def swarm(args: list[str], console: Console) -> int:
    """Run `miner swarm` with these arguments. Returns the exit status: FAILED where no share was accepted."""
    options = parser().parse_args(args)
    plan = _plan(options, console)
    console.messages(notices_of_secrets(options))
    with ChartFile(options.chart) if options.chart else contextlib.nullcontext() as file, rare_collections():
        running = run_loop(lambda: _run(plan, options, console))
        book, cpu = running
        if options.json:
            console.result(json_line("swarm_done", time.time(), version=__version__, machine=machine(),
                                     **figures(plan, book, cpu)))
        else:
            for line in report_lines(plan, book, cpu):
                console.result(line)
        if file:
            file.write(chart(plan, book, machine()))
            console.message(f"Chart written to {options.chart}")
    return ExitStatus.OK if book.accepted or not plan.shares else ExitStatus.FAILED


async def _run(plan: Plan, options: argparse.Namespace, console: Console) -> tuple[Book, float]:
    """The run. Returns what was seen, and this process's CPU time in seconds for each second of it."""
    running = Swarm(plan)
    places = await running.resolve()
    if not options.yes and not all(ipaddress.ip_address(place.partition("%")[0]).is_loopback for place in places):
        raise UsageError(f"{running.address.host} is not this machine: a swarm is for servers of your own; if this is "
                         "one, add --yes")
    for line in _intent(plan, str(running.address), places[0]):
        console.message(line)
    told_at, every = time.monotonic(), max(1.0, (plan.ramp + plan.seconds) / 60)

    def watch(book: Book, point: Point) -> None:
        nonlocal told_at
        if (now := time.monotonic()) - told_at >= every - 0.5:
            told_at = now
            console.message(live_line(book, point))

    loop = asyncio.get_running_loop()
    began, cpu = time.monotonic(), time.process_time()

    def stop() -> None:
        loop.call_soon_threadsafe(running.stop)

    with console.stopping(stop):
        await running.run(watch)
    return running.book, (time.process_time() - cpu) / (time.monotonic() - began)


def _intent(plan: Plan, url: str, place: str) -> Iterator[str]:
    """What is going to be done, in words."""
    sources = f", from {counted(len(plan.addresses), 'address')}" if plan.addresses else ""
    yield (f"Swarm: {counted(plan.miners, 'connection')} to {url} ({place}) within {plan.ramp:g} seconds{sources}, "
           f"then {plan.shares:g} shares a second for {plan.seconds:g} seconds, "
           f"about {counted(round(plan.shares * plan.seconds), 'share')}")
    for role, count in plan.roles.items():
        if count and role is not Role.HONEST:
            yield f"Swarm: {counted(count, f'{role.value} miner' if role in (Role.JUNK, Role.STALE) else role.value)}"
    if plan.storm:
        yield f"Swarm: in the middle {plan.storm:.0%} of the miners hang up and reconnect at once"


def parser() -> Parser:
    """The options of `python -m miner swarm`."""
    parser = Parser(prog="miner swarm", usage="python -m miner swarm -o URL [OPTIONS]", description=_DESCRIPTION,
                    epilog=_STATUSES)
    parser.set_defaults(given=Given())
    _add_server(parser)
    defaults = Plan(SourceConfig(sandbox=True))
    add = parser.add_argument_group("load").add_argument
    add("--miners", type=integer(1, MAX_MINERS), default=defaults.miners, metavar="N",
        help="connections (default: %(default)s)")
    add("--shares", type=_number, default=defaults.shares, metavar="N",
        help="shares a second, of all miners together (default: %(default)g)")
    add("--ramp", type=seconds, default=defaults.ramp, metavar="N",
        help="seconds over which the connections are opened (default: %(default)g)")
    add("--seconds", type=some_seconds, default=defaults.seconds, metavar="N",
        help="seconds of load after that (default: %(default)g)")
    add("--from", dest="addresses", action=Several, type=_addresses, default=(), metavar="ADDRESS",
        help="open connections from this address of this machine, or from all of a network such as 127.0.1.0/28, in "
             "turn; may be given again (one address has ports for about 28000 connections)")
    add = parser.add_argument_group("misbehaviour", "Parts of the miners, such as 5% or 0.05.").add_argument
    add("--slow-readers", type=_part, default=0.0, metavar="PART", help="read next to nothing of what they are sent")
    add("--junk", type=_part, default=0.0, metavar="PART", help="hand in shares that are wrong")
    add("--stale", type=_part, default=0.0, metavar="PART", help="hand in shares on jobs that are over")
    add("--half-open", type=_part, default=0.0, metavar="PART",
        help="log in, then say and read nothing more, like a host that has lost its network")
    add("--reconnect-storm", dest="storm", type=_part, default=0.0, metavar="PART",
        help="hang up and reconnect at once, in the middle of the load")
    add = parser.add_argument_group("run").add_argument
    add("--yes", action="store_true", help="the server is your own, though it is on another machine")
    add("--json", action="store_true", help="print JSON in place of a table: one object on a line (docs/events.md)")
    add("--chart", metavar="FILE.svg", help="also draw the latency over time")
    add("-D", "--debug", action="store_true", help="say more where something unexpected happens")
    add("-c", "--config", action=ConfigFile, metavar="FILE", help="take options from a JSON file")
    return parser


def _add_server(parser: Parser) -> None:
    add = parser.add_argument_group("server").add_argument
    add("-a", "--algo", dest="algorithm", type=Algorithm.parse, default=Algorithm.parse("sha256d"), metavar="ALGO",
        help=f"{forms()} (default: %(default)s)")
    add("-o", "--url", type=pool_url, action=GiveUrl, metavar="URL",
        help="stratum+tcp://HOST:PORT, or stratum+tcps://HOST:PORT over TLS")
    add("-u", "--user", "--username", dest="username", action=GiveUsername, metavar="USERNAME",
        help="user name of all miners; %%d in it becomes the number of each")
    add("-p", "--pass", "--password", dest="password", action=GivePassword, metavar="PASSWORD",
        help="password, or a hub's token; better from a file or the environment's MINER_PASSWORD")
    add("--password-file", action=GiveSecret, secret="password", how="file", metavar="FILE",
        help="read the password from the first line of FILE")
    add("--cert", default="", metavar="FILE", help="trust the certificate authority in this PEM file, and no other")
    add("--tls-fingerprint", default="", metavar="SHA256", help="trust the one certificate with this SHA-256 (hex)")
    add("--user-agent", type=user_agent, default=f"sparkminer-swarm/{__version__}", metavar="NAME",
        help="what the miners call themselves (default: %(default)s)")


def _plan(options: argparse.Namespace, console: Console) -> Plan:
    login: Login = options.given.source.current
    if login.url is None:
        raise UsageError("no server given: use --url stratum+tcp://HOST:PORT")
    if options.given.source.earlier:
        raise UsageError("--url is given twice: a swarm has one server")
    if login.username is None:
        raise UsageError("no user given: use --user NAME (-u '' if the server wants none)")
    secret = login.password or options.given.secrets.get("password")
    server = SourceConfig(
        algorithm=options.algorithm, url=login.url, username=login.username, anonymous=not login.username,
        password=get_secret(secret) if secret else from_environment(console.environ, "MINER_PASSWORD"),
        cert=options.cert, tls_fingerprint=options.tls_fingerprint, user_agent=options.user_agent)
    return Plan(server, options.miners, options.shares, options.ramp, options.seconds,
                tuple(address for some in options.addresses for address in some), options.slow_readers, options.junk,
                options.stale, options.half_open, options.storm)


def _number(text: str) -> float:
    """A number from 0."""
    return 0.0 if text.strip() == "0" else positive(text)


def _part(text: str) -> float:
    """A part of the miners, `5%` or `0.05`, as a number from 0 to 1."""
    try:
        part = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        part = -1.0
    if not 0 <= part <= 1:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no part: use a number from 0 to 1, or a percentage")
    return part


def _addresses(text: str) -> tuple[str, ...]:
    """An address, or all those of a network."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is no address and no network such as 127.0.1.0/28") from None
    if network.num_addresses > _MAX_ADDRESSES:
        raise argparse.ArgumentTypeError(f"a network of more than {_MAX_ADDRESSES} addresses")
    return tuple(str(address) for address in network.hosts())

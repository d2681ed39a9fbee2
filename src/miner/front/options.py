"""The options that several commands share: minerd's names and defaults, and ours. Each is declared here alone.

An option stores its value (`dest`) under the name of the setting that it is for, a field of SourceConfig, AuxConfig
(behind `aux_`) or EngineConfig, and has that field's default. `miner.front.settings` makes settings of them.
Bad values raise UsageError, and nothing that may hold a password is ever part of its text.
"""

from miner import __version__
from miner.config import EngineConfig, SourceConfig
from miner.core.algorithm import Algorithm, forms
from miner.front.argparser import Parser, Several
from miner.front.config_file import ConfigFile
from miner.front.given import Given
from miner.front.login_options import GivePassword, GiveSecret, GiveUrl, GiveUsername, GiveUserpass
from miner.front.values import (
    coinbase_sig,
    domain,
    integer,
    memory_size,
    niceness,
    node_url,
    percentage,
    positive,
    seconds,
    source_url,
    status_address,
    threads,
    user_agent,
    worker_id,
)

RUN_STATUSES = """\
exit status:
  0    ended as told: its time was up, it was stopped, or its source had no more work
  1    gave up, or what it was to write could not be written
  2    an option is wrong, or something is missing that an option needs
  130  Ctrl-C came before there was anything to stop"""


def add_source_options(parser: Parser) -> None:
    """Where work comes from and who is paid. Read back with `miner.front.settings.source_config`."""
    group = parser.add_argument_group("work", "There is no default pool, user or address.")
    add = group.add_argument
    add("-a", "--algo", dest="algorithm", type=Algorithm.parse, metavar="ALGO",
        help=f"{forms()} (default: %(default)s)")
    add("-o", "--url", type=source_url, action=GiveUrl, metavar="URL",
        help="stratum+tcp://HOST:PORT for a pool or hub (stratum+tcps:// over TLS), http(s)://HOST:PORT/ for a node; "
             "USER:PASSWORD@ before the host is taken as -O is. Given again, it names where to go while those before "
             "have no work; -u, -p and -O belong to the URL that they follow, or to all if they stand before the first")
    add("-O", "--userpass", action=GiveUserpass, metavar="U:P", help="user name and password, a colon between them")
    add("-u", "--user", "--username", dest="username", action=GiveUsername, metavar="USERNAME",
        help="user name for the pool or node")
    add("-p", "--pass", "--password", dest="password", action=GivePassword, metavar="PASSWORD",
        help="password for the pool or node; other users of this machine may see it for a moment, "
             "which the next two and the environment's MINER_PASSWORD avoid")
    add("--password-file", action=GiveSecret, secret="password", how="file", metavar="FILE",
        help="read the password from the first line of FILE")
    add("--cookie-file", metavar="FILE",
        help="log in at a node with its cookie: this file, or the node's data directory, in place of -u and -p")
    add("--ask-password", action=GiveSecret, secret="password", how="ask",
        help="ask for the password on the terminal")
    add("--worker-id", type=worker_id, metavar="NAME", help="the pool sees USERNAME.NAME as the user")
    add("--hub", action="store_true",
        help="the pool is a hub of ours (see `python -m miner hub`): tell it our hashrate, end when it ends")
    add("--coinbase-addr", metavar="ADDR",
        help="the address that a block mined on a node pays to; without it only getwork is asked for")
    add("--coinbase-sig", type=coinbase_sig, metavar="TEXT", help="text for the coinbase, where the node permits it")
    add("--sandbox", action="store_true", help="mine an embedded test chain: no pool, no node, no network")
    parser.set_defaults(given=Given())
    _add_aux_options(parser)
    _add_network_options(parser)
    _add_pool_options(parser)
    parser.take_defaults(SourceConfig)


def _add_aux_options(parser: Parser) -> None:
    group = parser.add_argument_group("merged mining", "Mine another chain, as Dogecoin, along with that of a node.")
    add = group.add_argument
    add("--aux", dest="aux_url", type=node_url, action=GiveUrl, metavar="URL",
        help="http://HOST:PORT/ of a node that gives createauxblock; USER:PASSWORD@ may stand before the host")
    add("--aux-addr", dest="aux_coinbase_addr", default="", metavar="ADDR",
        help="the address that a block of that chain pays to")
    add("--aux-userpass", action=GiveUserpass, metavar="U:P", help="that node's user name and password")
    add("--aux-password-file", action=GiveSecret, secret="aux_password", how="file", metavar="FILE",
        help="read its password from the first line of FILE; else the environment's MINER_AUX_PASSWORD counts")
    add("--aux-cookie-file", default="", metavar="FILE",
        help="log in at that node with its cookie: this file, or the node's data directory")


def _add_network_options(parser: Parser) -> None:
    group = parser.add_argument_group("network")
    add = group.add_argument
    add("-r", "--retries", type=integer(-1, 9999), metavar="N",
        help="how often to try again when the network fails (default: -1, for ever)")
    add("-R", "--retry-pause", type=integer(1, 9999), metavar="N",
        help="seconds to wait before the first new try, and longer before later ones (default: %(default)g)")
    add("-T", "--timeout", type=integer(1, 99999), metavar="N",
        help="seconds of silence after which the other side counts as gone (default: %(default)g)")
    add("-s", "--scantime", dest="scan_time", type=integer(1, 9999), metavar="N",
        help="seconds between two looks for new work where nothing tells of new blocks (default: %(default)g)")
    add("--no-longpoll", dest="longpoll", action="store_false",
        help="don't long-poll servers that offer it; nodes aren't, but asked for their newest block each second")
    add("--no-gbt", dest="gbt", action="store_false",
        help="ask a node for getwork only: then the server decides who is paid, and --coinbase-addr is not needed")
    add("--no-getwork", dest="getwork", action="store_false",
        help="ask a node for getblocktemplate only, and don't fall back to getwork where it has none")
    add("--no-stratum", dest="stratum", action="store_false",
        help="stay with getwork when its server announces stratum on its host (X-Stratum)")
    add("--cert", metavar="FILE",
        help="trust the certificate authority in this PEM file, and no other, where the URL asks for TLS")
    add("--tls-fingerprint", metavar="SHA256",
        help="trust the one certificate with this SHA-256 (hex), whoever signed it")
    add("-x", "--proxy", metavar="PROXY",
        help="connect through [PROTOCOL://][USER:PASSWORD@]HOST[:PORT]; the protocol is http (the default), socks4, "
             "socks4a, socks5 or socks5h (the proxy looks names up: 4a and 5h)")
    add("-P", "--protocol-dump", action="store_true",
        help="show every message to (>) and from (<) the pool or node; passwords are left out")


def _add_pool_options(parser: Parser) -> None:
    add = parser.add_argument_group("pool").add_argument
    add("--no-redirect", dest="redirect", action="store_false",
        help="stay when a pool sends us to another port of its host")
    add("--allow-redirect", dest="redirect_to", action=Several, type=domain, metavar="DOMAIN",
        help="follow a pool to other hosts too if they are in this domain (may be given again)")
    add("--suggest-difficulty", type=positive, metavar="N",
        help="ask the pool for shares of this difficulty; many pools have a password for it instead, such as d=N")
    add("--user-agent", type=user_agent, metavar="NAME",
        help="what we call ourselves at the pool, such as cpuminer/2.5.1: some set the difficulty by it "
             f"(default: sparkminer/{__version__})")
    add("--difficulty-scale", type=positive, metavar="N",
        help="multiply the pool's difficulties: 65536 for a scrypt pool that counts as Bitcoin's pools do (default: 1)")


def add_engine_options(parser: Parser) -> None:
    """How to hash. Read back with `miner.front.settings.engine_config`."""
    group = parser.add_argument_group("hashing")
    add = group.add_argument
    add("-t", "--threads", type=threads, metavar="N",
        help="number of miner threads (default: the CPUs that this process may use)")
    add("--kernel", metavar="NAME",
        help="force a kernel, e.g. portable or avx2 (default: the environment's MINER_KERNEL, else the fastest)")
    add("--no-pin", dest="pin", action="store_false", help="don't bind threads to CPUs")
    add("--nice", type=niceness, metavar="N",
        help="how far to step back behind other programs (default: 19, all the way; 0: not at all)")
    add("--cpu-limit", type=percentage, metavar="N%",
        help="the part of its CPU's time that each thread takes at most (default: 100%%)")
    add("--memory-limit", type=memory_size, metavar="SIZE",
        help="the memory that the scratchpads of all threads take at most, such as 800M or 2G: with less, a kernel "
             "with fewer lanes is taken (default: what the system has left)")
    parser.take_defaults(EngineConfig)


def add_run_options(parser: Parser, seconds_default: float | None = 0.0, default_text: str = "0") -> None:
    """How long to run, how much to say, and minerd's config file. A command whose default depends on other
    options has None for it, and says it in words."""
    group = parser.add_argument_group("run")
    add = group.add_argument
    add("--seconds", type=seconds, default=seconds_default, metavar="N",
        help=f"stop after N seconds; 0: run until stopped (default: {default_text})")
    add("--check", action="store_true",
        help="say what would be done and who would be paid, connect to nothing, and end")
    add("--blocks", type=integer(0, 1_000_000), default=0, metavar="N",
        help="stop after N blocks that the chain has taken; 0: run until stopped (default: 0)")
    add("-q", "--quiet", action="store_true", help="leave out the hashrate of each thread")
    add("-D", "--debug", action="store_true", help="say more")
    add("-c", "--config", action=ConfigFile, metavar="FILE",
        help="take options from a JSON file: {\"url\": \"…\", \"threads\": 2, \"quiet\": true}")


def add_face_options(parser: Parser) -> None:
    """How a run is shown besides its lines. Read back with `miner.front.settings.face_settings`."""
    group = parser.add_argument_group("what is shown")
    add = group.add_argument
    add("--events", default="", metavar="FILE",
        help="append every event to FILE as a JSON object on a line (docs/events.md); with - they go to standard "
             "output, and what else would go there to standard error")
    add("--no-live", dest="live", action="store_false",
        help="lines in a terminal, too, in place of the live screen that is there with the extra `live`; -D, -P and -B "
             "have lines anyway")
    add("--status", type=status_address, metavar="[HOST:]PORT",
        help="show the run on a web page, by an HTTP API and to Prometheus (docs/status.md); on this machine alone "
             "unless a host is given. Needs the extra `status`")
    add("--status-token-file", action=GiveSecret, secret="status token", how="file", metavar="FILE",
        help="who reads it must show the token on the first line of FILE; other machines may read it only then")
    add("--status-tls-cert", default="", metavar="FILE",
        help="show it by HTTPS, with the certificate in this PEM file, followed by those that signed it")
    add("--status-tls-key", default="", metavar="FILE", help="the certificate's key (default: in the same file)")

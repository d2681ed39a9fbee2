"""The options that say where work comes from and how to hash: minerd's names and defaults, and ours.

Every command (`python -m miner`, its subcommands, the Spark job) takes them from here, so that each exists once.
Bad values raise UsageError, and nothing that may hold a password is ever part of its text.
"""

import argparse
import dataclasses
import getpass
import os
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from miner import __version__
from miner.config import NODE_SCHEMES, POOL_SCHEMES, AuxConfig, EngineConfig, SourceConfig
from miner.core.algorithm import Algorithm, forms
from miner.core.errors import UsageError
from miner.front.argparser import ConfigFile, Parser, integer, positive, read_secret, readable_by_others, seconds

URL_SCHEMES = (*POOL_SCHEMES, *NODE_SCHEMES)


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Where work comes from and who is paid. Read back with `source_config`."""
    group = parser.add_argument_group("work", "There is no default pool, user or address.")
    add = group.add_argument
    add("-a", "--algo", type=Algorithm.parse, default=Algorithm.parse("scrypt"), metavar="ALGO",
        help=f"{forms()} (default: scrypt)")
    add("-o", "--url", type=_url, action=_Url, metavar="URL",
        help="stratum+tcp://HOST:PORT for a pool or hub (stratum+tcps:// over TLS), http(s)://HOST:PORT/ for a node; "
             "USER:PASSWORD@ before the host is taken as -O is. Given again, it names where to go while those before "
             "have no work; -u, -p and -O belong to the URL that they follow, or to all if they stand before the first")
    parser.set_defaults(shared=(None, None), earlier=(), reading="", url_from="")
    add("-O", "--userpass", action=_UserPass, metavar="U:P", help="user name and password, a colon between them")
    add("-u", "--user", "--username", dest="user", metavar="USERNAME", help="user name for the pool or node")
    add("-p", "--pass", "--password", dest="password", metavar="PASSWORD",
        help="password for the pool or node; other users of this machine may see it for a moment, "
             "which the next two and the environment's MINER_PASSWORD avoid")
    add("--password-file", metavar="FILE", help="read the password from the first line of FILE")
    add("--cookie-file", default="", metavar="FILE",
        help="log in at a node with its cookie: this file, or the node's data directory, in place of -u and -p")
    add("--ask-password", action="store_true", help="ask for the password on the terminal")
    add("--worker-id", type=_worker_id, metavar="NAME", help="the pool sees USERNAME.NAME as the user")
    add("--hub", action="store_true",
        help="the pool is a hub of ours (see `python -m miner hub`): tell it our hashrate, end when it ends")
    add("--coinbase-addr", default="", metavar="ADDR",
        help="the address that a block mined on a node pays to; without it only getwork is asked for")
    add("--coinbase-sig", type=_coinbase_sig, default="", metavar="TEXT",
        help="text for the coinbase, where the node permits it")
    add("--sandbox", action="store_true", help="mine an embedded test chain: no pool, no node, no network")
    _add_aux_options(parser)
    _add_network_options(parser)


def _add_aux_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("merged mining", "Mine another chain, as Dogecoin, along with that of a node.")
    add = group.add_argument
    add("--aux", type=_aux_url, action=_Url, metavar="URL",
        help="http://HOST:PORT/ of a node that gives createauxblock; USER:PASSWORD@ may stand before the host")
    add("--aux-addr", default="", metavar="ADDR", help="the address that a block of that chain pays to")
    add("--aux-userpass", action=_UserPass, metavar="U:P", help="that node's user name and password")
    parser.set_defaults(aux_user="", aux_password=None, aux_from="")
    add("--aux-password-file", metavar="FILE",
        help="read its password from the first line of FILE; else the environment's MINER_AUX_PASSWORD counts")
    add("--aux-cookie-file", default="", metavar="FILE",
        help="log in at that node with its cookie: this file, or the node's data directory")


def _add_network_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("network")
    add = group.add_argument
    add("-r", "--retries", type=integer(-1, 9999), default=-1, metavar="N",
        help="how often to try again when the network fails (default: -1, for ever)")
    add("-R", "--retry-pause", type=integer(1, 9999), default=30, metavar="N",
        help="seconds to wait before the first new try, and longer before later ones (default: 30)")
    add("-T", "--timeout", type=integer(1, 99999), default=270, metavar="N",
        help="seconds of silence after which the other side counts as gone (default: 270)")
    add("-s", "--scantime", type=integer(1, 9999), default=5, metavar="N",
        help="seconds between two looks for new work where nothing tells of new blocks (default: 5)")
    add("--no-longpoll", dest="longpoll", action="store_false",
        help="don't long-poll servers that offer it; nodes aren't, but asked for their newest block each second")
    add("--no-gbt", dest="gbt", action="store_false",
        help="ask a node for getwork only: then the server decides who is paid, and --coinbase-addr is not needed")
    add("--no-getwork", dest="getwork", action="store_false",
        help="ask a node for getblocktemplate only, and don't fall back to getwork where it has none")
    add("--no-stratum", dest="stratum", action="store_false",
        help="stay with getwork when its server announces stratum on its host (X-Stratum)")
    add("--cert", default="", metavar="FILE",
        help="trust the certificate authority in this PEM file, and no other, where the URL asks for TLS")
    add("--tls-fingerprint", default="", metavar="SHA256",
        help="trust the one certificate with this SHA-256 (hex), whoever signed it")
    add("-x", "--proxy", default="", metavar="PROXY",
        help="connect through [PROTOCOL://][USER:PASSWORD@]HOST[:PORT]; the protocol is http (the default), socks4, "
             "socks4a, socks5 or socks5h (the proxy looks names up: 4a and 5h)")
    add("-P", "--protocol-dump", action="store_true",
        help="show every message to (>) and from (<) the pool or node; passwords are left out")
    _add_pool_options(parser)


def _add_pool_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("pool").add_argument
    add("--no-redirect", dest="redirect", action="store_false",
        help="stay when a pool sends us to another port of its host")
    add("--allow-redirect", action="append", default=[], type=_domain, metavar="DOMAIN",
        help="follow a pool to other hosts too if they are in this domain (may be given again)")
    add("--suggest-difficulty", type=positive, default=0.0, metavar="N",
        help="ask the pool for shares of this difficulty; many pools have a password for it instead, such as d=N")
    add("--user-agent", type=_user_agent, default="", metavar="NAME",
        help="what we call ourselves at the pool, such as cpuminer/2.5.1: some set the difficulty by it "
             f"(default: sparkminer/{__version__})")
    add("--difficulty-scale", type=positive, default=1.0, metavar="N",
        help="multiply the pool's difficulties: 65536 for a scrypt pool that counts as Bitcoin's pools do (default: 1)")


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """How to hash. Read back with `engine_config`."""
    group = parser.add_argument_group("hashing")
    add = group.add_argument
    add("-t", "--threads", type=integer(1, 4096), default=0, metavar="N",
        help="number of miner threads (default: the CPUs that this process may use)")
    add("--kernel", default="", metavar="NAME",
        help="force a kernel, e.g. portable or avx2 (default: the environment's MINER_KERNEL, else the fastest)")
    add("--no-pin", dest="pin", action="store_false", help="don't bind threads to CPUs")
    add("--nice", type=integer(0, 19), default=19, metavar="N",
        help="how far to step back behind other programs (default: 19, all the way; 0: not at all)")


def add_run_options(parser: Parser, seconds_default: float | None = 0.0, default_text: str = "0") -> None:
    """How long to run, how much to say, and minerd's config file. A command whose default depends on other
    options has None for it, and says it in words."""
    group = parser.add_argument_group("run")
    add = group.add_argument
    add("--seconds", type=seconds, default=seconds_default, metavar="N",
        help=f"stop after so many seconds; 0: run until stopped (default: {default_text})")
    add("-q", "--quiet", action="store_true", help="leave out the hashrate of each thread")
    add("-D", "--debug", action="store_true", help="say more")
    add("-c", "--config", action=ConfigFile, metavar="FILE",
        help="take options from a JSON file: {\"url\": \"…\", \"threads\": 2, \"quiet\": true}")


def source_config(options: argparse.Namespace, environ: Mapping[str, str] = os.environ,
                  ask: Callable[[str], str] = getpass.getpass, *, for_hub: bool = False) -> SourceConfig:
    """The settings from what `add_source_options` read. `for_hub`: the work is to be shared out, which getwork can't
    be. Raises UsageError if something is missing or contradicts."""
    each = [*options.earlier, (options.url or "", options.user, options.password)]
    if options.cookie_file and (options.password_file or options.ask_password) and len(each) == 1:
        raise UsageError("--cookie-file takes the place of user and password: leave one of them out")
    if (options.cert or options.tls_fingerprint) and not any(_tls(url) for url, _, _ in each):
        raise UsageError("--cert and --tls-fingerprint are for TLS: use stratum+tcps:// or https:// in --url")
    if any(_lacks_payee(options, url) for url, _, _ in each) and (for_hub or options.aux or not options.getwork):
        raise UsageError("nobody to pay for blocks on this node: use --coinbase-addr ADDRESS "
                         "(or, if it is a pool, --url stratum+tcp://HOST:PORT)")
    if options.cookie_file and not any(_by_cookie(options, *one) for one in each):
        raise UsageError("--cookie-file is for a node without user and password of its own: --url http://HOST:PORT/")
    users = [_user(options, url, user) for url, user, _ in each]
    alone = all(password is not None or _by_cookie(options, url, user, password) for url, user, password in each)
    shared = "" if alone else _password(options, environ, ask)
    aux = _aux_config(options, environ)
    primary, *backups = [
        _one_source(options, url, "", "", aux, options.cookie_file) if _by_cookie(options, *one) else
        _one_source(options, url, user, shared if password is None else password, aux)
        for one, (url, _, password), user in zip(each, each, users, strict=True)]
    return dataclasses.replace(primary, backups=tuple(backups))


def _tls(url: str) -> bool:
    return (POOL_SCHEMES | NODE_SCHEMES).get(urlsplit(url).scheme, False)


def _by_cookie(options: argparse.Namespace, url: str, user: str | None, password: str | None) -> bool:
    """Whether the node at this URL is to know us by its cookie."""
    return bool(options.cookie_file) and urlsplit(url).scheme in NODE_SCHEMES and user is None and password is None


def _lacks_payee(options: argparse.Namespace, url: str) -> bool:
    """Whether block templates are out of the question at this URL. minerd goes over to getwork then."""
    return urlsplit(url).scheme in NODE_SCHEMES and options.gbt and not options.coinbase_addr


def _user(options: argparse.Namespace, url: str, user: str | None) -> str:
    """Who we are at this URL; "" for nobody, which a pool is told only if that was asked for. Raises UsageError where
    somebody is missing."""
    scheme = urlsplit(url).scheme
    if scheme in POOL_SCHEMES and user is None:
        raise UsageError(f"no user given for the pool {url}: -u and -O belong to the URL that they follow, or to all "
                         "if they stand before the first" if options.earlier else
                         "no user given for the pool: use --user NAME, or -O NAME:PASSWORD (-u '' if it wants none)")
    if options.worker_id:
        if not user:
            raise UsageError("--worker-id is added to a user name: use --user NAME too")
        user = f"{user}.{options.worker_id}"
    return user or ""


def _one_source(options: argparse.Namespace, url: str, user: str, password: str, aux: AuxConfig | None,
                cookie_file: str = "") -> SourceConfig:
    return SourceConfig(
        algorithm=options.algo, url=url, username=user, password=password, cookie_file=cookie_file, hub=options.hub,
        anonymous=urlsplit(url).scheme in POOL_SCHEMES and not user,
        coinbase_addr=options.coinbase_addr, coinbase_sig=options.coinbase_sig, sandbox=options.sandbox,
        aux=None if options.earlier and urlsplit(url).scheme in POOL_SCHEMES else aux,
        gbt=options.gbt and not _lacks_payee(options, url), getwork=options.getwork,
        cert=options.cert, tls_fingerprint=options.tls_fingerprint, proxy=options.proxy,
        protocol_dump=options.protocol_dump,
        user_agent=options.user_agent, suggest_difficulty=options.suggest_difficulty,
        difficulty_scale=options.difficulty_scale,
        longpoll=options.longpoll, redirect=options.redirect, stratum=options.stratum,
        redirect_to=tuple(options.allow_redirect), scan_time=options.scantime, retries=options.retries,
        retry_pause=options.retry_pause, timeout=options.timeout)


def engine_config(options: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> EngineConfig:
    """The settings from what `add_engine_options` read."""
    kernel = options.kernel or environ.get("MINER_KERNEL", "")
    return EngineConfig(threads=options.threads, kernel=kernel, pin=options.pin, nice=options.nice or None)


def notices(options: argparse.Namespace) -> list[str]:
    """What a person should be told about the options they gave, though the program goes on."""
    told = []
    if any(_lacks_payee(options, url or "") for url in (options.url, *(url for url, _, _ in options.earlier))):
        told.append("no --coinbase-addr: only getwork can be asked for, and its server decides who is paid "
                    "(if it is a pool: --url stratum+tcp://HOST:PORT)")
    secrets = [*getattr(options, "secret_configs", ()), options.password_file, options.aux_password_file]
    return told + [f"{path} holds a password and can be read by other users: chmod 600 it" for path in secrets
                   if path and readable_by_others(path)]


def _aux_config(options: argparse.Namespace, environ: Mapping[str, str]) -> AuxConfig | None:
    if not options.aux:
        if options.aux_addr or options.aux_user or options.aux_password_file or options.aux_cookie_file:
            raise UsageError("--aux-addr, --aux-userpass, --aux-password-file and --aux-cookie-file belong to "
                             "--aux URL, which is missing")
        return None
    if not options.aux_addr:
        raise UsageError("nobody to pay for blocks of the chain that is mined along: use --aux-addr ADDRESS")
    password = options.aux_password
    if options.aux_cookie_file:
        if options.aux_user or password is not None or options.aux_password_file:
            raise UsageError("--aux-cookie-file takes the place of user and password: leave one of them out")
        return AuxConfig(options.aux, options.aux_addr, cookie_file=options.aux_cookie_file)
    if password is None and options.aux_password_file:
        password = read_secret("--aux-password-file", options.aux_password_file)
    if password is None:
        password = environ.get("MINER_AUX_PASSWORD", "")
    return AuxConfig(options.aux, options.aux_addr, options.aux_user, password)


def _password(options: argparse.Namespace, environ: Mapping[str, str], ask: Callable[[str], str]) -> str:
    """For whom none was given beside the URL."""
    if options.password_file:
        return read_secret("--password-file", options.password_file)
    if options.ask_password:
        try:
            return ask(f"Password for {options.user or 'the pool or node'}: ")
        except EOFError:
            raise UsageError("--ask-password: there is no terminal to ask on") from None
    return environ.get("MINER_PASSWORD", "")


class _Url(argparse.Action):
    """Stores the URL without its credentials, and those as -O would."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any,
                 option_string: str | None = None) -> None:
        url, credentials = value
        if self.dest == "url":
            _next_source(namespace)
        else:
            _only_aux(namespace)
        setattr(namespace, self.dest, url)
        if credentials is not None:
            _set_credentials(namespace, "aux_" if self.dest == "aux" else "", credentials)


def _next_source(namespace: argparse.Namespace) -> None:
    """Put away the URL that was named so far, and the credentials that followed it. A URL on the command line takes the
    place of a config file's, with its credentials, as with minerd; and vice versa."""
    if namespace.url is None:
        namespace.shared = namespace.user, namespace.password
    elif namespace.url_from == namespace.reading:
        namespace.earlier = (*namespace.earlier, (namespace.url, namespace.user, namespace.password))
        namespace.user, namespace.password = namespace.shared
    else:
        namespace.earlier = ()
    namespace.url_from = namespace.reading


def _only_aux(namespace: argparse.Namespace) -> None:
    """As with --url, one of the command line takes the place of a config file's; but there can be no second."""
    if namespace.aux is not None and namespace.aux_from == namespace.reading:
        raise UsageError("--aux is given twice: one chain can be mined along, not several")
    namespace.aux_from = namespace.reading


class _UserPass(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any,
                 option_string: str | None = None) -> None:
        if ":" not in value:
            raise UsageError(f"{'/'.join(self.option_strings)} must be USERNAME:PASSWORD, with a colon between them")
        _set_credentials(namespace, self.dest.removesuffix("userpass"), value)


def _set_credentials(namespace: argparse.Namespace, prefix: str, credentials: str) -> None:
    user, _, password = credentials.partition(":")
    setattr(namespace, f"{prefix}user", user)
    setattr(namespace, f"{prefix}password", password)


def _aux_url(text: str) -> tuple[str, str | None]:
    return _url(text, "--aux", tuple(NODE_SCHEMES))


def _url(text: str, option: str = "-o/--url", schemes: tuple[str, ...] = URL_SCHEMES) -> tuple[str, str | None]:
    """(URL without credentials, USER:PASSWORD or None). Like minerd, takes the credentials as they are, without
    percent-decoding, and a URL without a scheme as http."""
    if not re.fullmatch(r"[!-~]{1,2048}", text):
        raise UsageError(f"{option} must be from 1 to 2048 ASCII characters without spaces")
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", text)
    scheme = match[1].lower() if match else "http"
    if scheme not in schemes:
        raise UsageError(f"URL scheme {scheme!r} is not known: use {', '.join(f'{name}://' for name in schemes)}")
    authority, slash, path = text[match.end() if match else 0:].partition("/")
    credentials, at, host = authority.rpartition("@")
    try:
        parts = urlsplit(f"{scheme}://{host}")
        hostname, port = parts.hostname, parts.port
    except ValueError:  # its text may quote a password that has a slash in it
        raise UsageError(f"{option}: bad host or port") from None
    if not hostname or port == 0:
        raise UsageError(f"{option}: there is no {'port' if hostname else 'host'} in it")
    if port is None and scheme in POOL_SCHEMES:
        raise UsageError(f"-o/--url: a pool's address needs a port, as in {scheme}://{hostname}:3333")
    return f"{scheme}://{host}{slash}{path}", credentials if at else None


def _domain(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|[0-9a-fA-F:]+", text):
        raise argparse.ArgumentTypeError("must be a domain such as pool.example")
    return text.lower()


def _worker_id(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,128}", text):
        raise argparse.ArgumentTypeError("must be 1 to 128 printable ASCII characters without spaces")
    return text


def _user_agent(text: str) -> str:
    if not re.fullmatch(r"[ -~]{0,128}", text):
        raise argparse.ArgumentTypeError("must be up to 128 printable ASCII characters")
    return text


def _coinbase_sig(text: str) -> str:
    if len(text.encode("utf-8", "surrogateescape")) > 80:
        raise argparse.ArgumentTypeError("must be at most 80 bytes: a coinbase script holds 100 in all")
    return text

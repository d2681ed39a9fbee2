"""Makes the settings of a run from options that have been read, and says what a person should know about them."""

import argparse
import getpass
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from miner.config import NODE_SCHEMES, POOL_SCHEMES, AuxConfig, EngineConfig, SourceConfig
from miner.core.errors import UsageError
from miner.core.text import one_line
from miner.front.given import Login, Secret
from miner.front.passwords import from_environment, get_secret, readable_by_others
from miner.front.values import is_loopback

if TYPE_CHECKING:
    from miner.tls import TlsFiles  # which takes asyncio along

_MAX_NAMES = 10  # of a config file that are told


MIN_STATUS_TOKEN = 16  # characters


@dataclass(frozen=True, slots=True)
class StatusSettings:
    """Where and to whom a run is shown by HTTP. `token`: what readers must show, "" for none; `tls`: the files of
    a certificate; None: no TLS."""

    host: str
    port: int
    token: str = field(default="", repr=False)
    tls: "TlsFiles | None" = None


@dataclass(frozen=True, slots=True)
class FaceSettings:
    """How a run is shown besides its lines. `events`: the file for its events as JSON lines; "": none, "-": standard
    output. `live`: by a live screen in place of lines, where that is possible. `status`: on a web page; None: on
    none."""

    events: str = ""
    live: bool = True
    status: StatusSettings | None = None


def source_config(options: argparse.Namespace, environ: Mapping[str, str] = os.environ,
                  ask: Callable[[str], str] = getpass.getpass, *, for_hub: bool = False) -> SourceConfig:
    """The settings from what `miner.front.options.add_source_options` declares. `for_hub`: the work is to be shared
    out, which getwork can't be. Raises UsageError if something is missing or contradicts."""
    logins: tuple[Login, ...] = options.given.source.all()
    _check_cookie(options, logins)
    options.given.source.refuse_two_passwords(options.given.secrets.get("password"))
    if (options.cert or options.tls_fingerprint) and not any(_tls(login) for login in logins):
        raise UsageError("--cert and --tls-fingerprint are for TLS: use stratum+tcps:// or https:// in --url")
    if (any(_lacks_payee(options, login) for login in logins)
            and (for_hub or options.given.aux.current.url or not options.getwork)):
        raise UsageError("nobody to pay for blocks on this node: use --coinbase-addr ADDRESS "
                         "(or, if it is a pool, --url stratum+tcp://HOST:PORT)")
    usernames = [_username(options, login) for login in logins]
    alone = all(login.password is not None or _by_cookie(options, login) for login in logins)
    common = "" if alone else _password(options, environ, ask)
    aux = _aux_config(options, environ)
    primary, *backups = [_one_source(options, login, username, common, aux)
                         for login, username in zip(logins, usernames, strict=True)]
    return replace(primary, backups=tuple(backups))


def engine_config(options: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> EngineConfig:
    """The settings from what `miner.front.options.add_engine_options` declares."""
    return EngineConfig(**_plain(options, EngineConfig)
                        | {"kernel": options.kernel or from_environment(environ, "MINER_KERNEL")})


def face_settings(options: argparse.Namespace) -> FaceSettings:
    """The settings from what `miner.front.options.add_face_options` declares."""
    lines = options.debug or options.protocol_dump or getattr(options, "background", False)
    return FaceSettings(**_plain(options, FaceSettings) | {"live": options.live and not lines,
                                                           "status": _status_settings(options)})


def _status_settings(options: argparse.Namespace) -> StatusSettings | None:
    secret = options.given.secrets.get("status token")
    certificate, key = options.status_tls_cert, options.status_tls_key
    if options.status is None:
        if secret or certificate or key:
            raise UsageError("--status-token-file, --status-tls-cert and --status-tls-key are for --status PORT")
        return None
    if key and not certificate:
        raise UsageError("--status-tls-key: --status-tls-cert FILE is missing")
    host, port = options.status
    token = get_secret(secret) if secret else ""
    if secret and len(token) < MIN_STATUS_TOKEN:
        raise UsageError(f"--status-token-file: the token must have {MIN_STATUS_TOKEN} characters at least; "
                         "`openssl rand -hex 32` makes one")
    if not token and not is_loopback(host):
        raise UsageError(f"--status {host}:{port}: other machines reach that address, so --status-token-file FILE must "
                         "be given; or leave the host out for this machine alone")
    from miner.tls import TlsFiles

    return StatusSettings(host, port, token, TlsFiles(certificate, key) if certificate else None)


def notices(options: argparse.Namespace) -> list[str]:
    """What a person should be told about the options they gave, though the program goes on."""
    told = []
    if any(_lacks_payee(options, login) for login in options.given.source.all()):
        told.append("no --coinbase-addr: only getwork can be asked for, and its server decides who is paid "
                    "(if it is a pool: --url stratum+tcp://HOST:PORT)")
    return told + notices_of_secrets(options)


def notices_of_secrets(options: argparse.Namespace) -> list[str]:
    """What a person should be told about the config files and the files with secrets that the options name."""
    told = list(_passed_over(options.given.passed_over))
    secrets = [*options.given.secret_configs, *(secret.file for secret in options.given.secrets.values())]
    return told + [f"{path} holds a password and can be read by other users: chmod 600 it" for path in secrets
                   if path and readable_by_others(path)]


def _passed_over(names: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """A line for each config file that has names which are no options of this command."""
    for path in dict.fromkeys(path for path, _ in names):
        found = [repr(one_line(name, 40)) for place, name in names if place == path]
        more = f" and {len(found) - _MAX_NAMES} more" if len(found) > _MAX_NAMES else ""
        yield f"{path}: passed over what is no option here: {', '.join(found[:_MAX_NAMES])}{more}"


def _plain(options: argparse.Namespace, settings: type) -> dict[str, Any]:
    """The settings whose value is that of one option, as it is: by the settings' names."""
    return {field.name: getattr(options, field.name) for field in fields(settings) if hasattr(options, field.name)}


def _one_source(options: argparse.Namespace, login: Login, username: str, common_password: str,
                aux: AuxConfig | None) -> SourceConfig:
    pool, cookie = _scheme(login) in POOL_SCHEMES, _by_cookie(options, login)
    return SourceConfig(**_plain(options, SourceConfig) | {
        "url": login.url or "",
        "username": "" if cookie else username,
        "password": "" if cookie else common_password if login.password is None else login.password.text,
        "cookie_file": options.cookie_file if cookie else "",
        "anonymous": pool and not username,
        "aux": None if pool and options.given.source.earlier else aux,
        "gbt": options.gbt and not _lacks_payee(options, login),
    })


def _scheme(login: Login) -> str:
    return urlsplit(login.url or "").scheme


def _tls(login: Login) -> bool:
    return (POOL_SCHEMES | NODE_SCHEMES).get(_scheme(login), False)


def _by_cookie(options: argparse.Namespace, login: Login) -> bool:
    """Whether the login at this URL is the node's cookie (--cookie-file): no user name or password was given for it."""
    return (bool(options.cookie_file) and _scheme(login) in NODE_SCHEMES
            and login.username is None and login.password is None)


def _check_cookie(options: argparse.Namespace, logins: tuple[Login, ...]) -> None:
    if options.cookie_file and "password" in options.given.secrets and len(logins) == 1:
        raise UsageError("--cookie-file takes the place of user and password: leave one of them out")
    if options.cookie_file and not any(_by_cookie(options, login) for login in logins):
        raise UsageError("--cookie-file is for a node without user and password of its own: --url http://HOST:PORT/")


def _lacks_payee(options: argparse.Namespace, login: Login) -> bool:
    """Whether block templates can't be asked for at this URL, since nobody is named to be paid. As with minerd, work
    then comes by getwork."""
    return _scheme(login) in NODE_SCHEMES and options.gbt and not options.coinbase_addr


def _username(options: argparse.Namespace, login: Login) -> str:
    """The user name for this URL; "" for none, with which a pool is logged in at only if that was asked for. Raises
    UsageError where a user name is missing."""
    username = login.username
    if _scheme(login) in POOL_SCHEMES and username is None:
        raise UsageError(f"no user given for the pool {login.url}: -u and -O belong to the URL that they follow, or to "
                         "all if they stand before the first" if options.given.source.earlier else
                         "no user given for the pool: use --user NAME, or -O NAME:PASSWORD (-u '' if it wants none)")
    if options.worker_id:
        if not username:
            raise UsageError("--worker-id is added to a user name: use --user NAME too")
        username = f"{username}.{options.worker_id}"
    return username or ""


def _password(options: argparse.Namespace, environ: Mapping[str, str], ask: Callable[[str], str]) -> str:
    """The password for every URL that has none of its own; "" where none was given."""
    if secret := options.given.secrets.get("password"):
        if options.check:
            ask = _dont_ask
        return get_secret(secret, ask, f"Password for {options.given.source.current.username or 'the pool or node'}: ")
    return from_environment(environ, "MINER_PASSWORD")


def _dont_ask(prompt: str) -> str:
    return "?"  # nobody is logged in


def _aux_config(options: argparse.Namespace, environ: Mapping[str, str]) -> AuxConfig | None:
    login: Login = options.given.aux.current
    secret: Secret | None = options.given.secrets.get("aux_password")
    if not login.url:
        if options.aux_coinbase_addr or login.username or secret or options.aux_cookie_file:
            raise UsageError("--aux-addr, --aux-userpass, --aux-password-file and --aux-cookie-file belong to "
                             "--aux URL, which is missing")
        return None
    if not options.aux_coinbase_addr:
        raise UsageError("nobody to pay for blocks of the chain that is mined along: use --aux-addr ADDRESS")
    options.given.aux.refuse_two_passwords(secret)
    if options.aux_cookie_file:
        if login.username or login.password or secret:
            raise UsageError("--aux-cookie-file takes the place of user and password: leave one of them out")
        return AuxConfig(login.url, options.aux_coinbase_addr, cookie_file=options.aux_cookie_file)
    secret = login.password or secret
    password = get_secret(secret) if secret else from_environment(environ, "MINER_AUX_PASSWORD")
    return AuxConfig(login.url, options.aux_coinbase_addr, login.username or "", password)

"""The hub command's own options, and the settings that they make."""

import argparse
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from miner.core.errors import UsageError
from miner.front.argparser import Parser, Several
from miner.front.login_options import GiveSecret
from miner.front.passwords import from_environment, get_secret, readable_by_others
from miner.front.values import integer, network, positive
from miner.hub import HubConfig, HubThread
from miner.hub.slices import MAX_SLICES
from miner.hub.tokens import Tokens
from miner.tls import TlsFiles

MAX_USERS_FILE = 1 << 20  # characters
_MANY = integer(1, MAX_SLICES)
_LIMITS: dict[str, tuple[Callable[[str], float], str, str]] = {
    "max_miners": (_MANY, "N", "connections at a time"),
    "max_shares_per_second": (positive, "N", "shares of all miners together that their difficulty aims at, at most"),
    "seconds_per_share": (positive, "N", "what each miner's difficulty aims at, while the limit above allows it"),
    "start_difficulty": (positive, "N", "of a miner's first shares (default: what suits a CPU)"),
    "least_difficulty": (positive, "N", "below which no miner's shares ever go (default: none)"),
    "login_seconds": (positive, "N", "hang up on who has not logged in by then"),
    "idle_seconds": (positive, "N", "hang up on who has sent nothing for so long"),
    "session_seconds": (positive, "N", "that a miner may be away and still get its slice, difficulty and row again"),
    "max_strangers": (_MANY, "N", "connections at a time without a login; beyond that the oldest of them goes"),
    "max_strangers_per_address": (_MANY, "N", "of them from one address"),
    "messages_per_second": (positive, "N", "that one miner may send in the long run"),
    "ban_seconds": (positive, "N", "for which the address of a miner that was thrown out for nonsense stays out"),
}


def add_hub_options(parser: Parser) -> None:
    """Where a hub listens, who may join, and its limits. Read back with `hub_config`."""
    add = parser.add_argument_group("hub").add_argument
    add("--listen", default="127.0.0.1:0", metavar="HOST:PORT",
        help="where miners connect to (default: 127.0.0.1:0, this machine only and any free port)")
    add("--token", action=GiveSecret, secret="token", how="text", metavar="TOKEN",
        help="the password that miners must show; better from a file or the environment's MINER_TOKEN "
             "(default: one made at random, unless --users-file has some)")
    add("--token-file", action=GiveSecret, secret="token", how="file", metavar="FILE",
        help="read the token from the first line of FILE")
    add("--users-file", default="", metavar="FILE",
        help="tokens of single users: on each line of FILE a user name and its token, blanks between them. What stands "
             "before the first dot of a miner's name is its user")
    add("--tls", action="store_true",
        help="serve TLS (stratum+tcps://) with a certificate that is made for this run; its SHA-256 is printed, and "
             "miners pin it with --tls-fingerprint (pip install 'sparkminer[hub]')")
    add("--tls-cert", default="", metavar="FILE", help="serve TLS with the certificate in this PEM file")
    add("--tls-key", default="", metavar="FILE", help="its key, where that is not in the same file")
    add("--pass-workers", action="store_true",
        help="have the pool count each miner's shares by themselves, under -u's user with the miner's name behind a "
             "dot: what stands behind the first dot of it, or all of it")
    _add_limits(parser)


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


def hub_config(options: argparse.Namespace, environ: Mapping[str, str]) -> tuple[HubConfig, bool]:
    """The settings from what `add_hub_options` declares, and whether their token is made up. Raises UsageError."""
    host, port = _listen_address(options.listen)
    if options.tls_key and not options.tls_cert:
        raise UsageError("--tls-key is the key of a certificate: name that with --tls-cert FILE")
    tls = TlsFiles(options.tls_cert, options.tls_key) if options.tls_cert else options.tls
    token, users = token_of(options, environ), read_users(options.users_file) if options.users_file else {}
    config = HubConfig(host=host, port=port, token=token, tls=tls, users=users, exempt_networks=options.exempt_networks,
                       pass_workers=options.pass_workers,
                       **{name: getattr(options, name) for name in _LIMITS})
    return config, not (token or users)


def hub_notices(options: argparse.Namespace) -> list[str]:
    """What a person should be told about the files that were named."""
    return [f"{path} holds {what} and can be read by other users: chmod 600 it"
            for path, what in ((options.users_file, "tokens"), (options.tls_key or options.tls_cert, "a key"))
            if path and readable_by_others(path) and (what == "tokens" or _holds_key(path))]


def tokens_again(options: argparse.Namespace, config: HubConfig) -> Tokens:
    """The tokens as they are in their files now; one that was given otherwise, or was made up, stays. Raises
    UsageError."""
    secret = options.given.secrets.get("token")
    return Tokens(get_secret(secret) if secret and secret.file else config.token,
                  read_users(options.users_file) if options.users_file else {})


def token_of(options: argparse.Namespace, environ: Mapping[str, str]) -> str:
    """The token that was given, or ""."""
    if secret := options.given.secrets.get("token"):
        return get_secret(secret)
    return from_environment(environ, "MINER_TOKEN")


def read_users(path: str) -> dict[str, str]:
    """Tokens by user name. Empty lines and those that begin with # are passed over. Raises UsageError, whose words
    repeat no token."""
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            text = file.read(MAX_USERS_FILE + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"--users-file: can't read {path!r}: {reason}") from None
    if len(text) > MAX_USERS_FILE:
        raise UsageError(f"--users-file: {path!r} is larger than {MAX_USERS_FILE} characters")
    users: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or "." in words[0] or words[0] in users:
            raise UsageError(f"--users-file: {path!r}, line {number}: must be a user name, without a dot and given "
                             "once, and its token")
        users[words[0]] = words[1]
    if not users:
        raise UsageError(f"--users-file: no user is in {path!r}")
    return users


def joining_lines(options: argparse.Namespace, hub: HubThread, *, made_up: bool) -> list[str]:
    """The address of a hub that has been started, and a command that joins it. The token is shown only where nobody
    could know it otherwise (`made_up`)."""
    host, port = hub.address
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    url = f"stratum+{'tcps' if hub.fingerprint else 'tcp'}://{f'[{host}]' if ':' in host else host}:{port}"
    lines = [f"Hub listens on {url}"]
    pin = ""
    if hub.fingerprint:
        lines.append(f"The certificate's SHA-256 is {hub.fingerprint}")
        pin = f"--tls-fingerprint {hub.fingerprint} " if hub.config.tls is True else ""
    secret = f"-p {hub.config.token}" if made_up else "--password-file TOKEN_FILE"
    return [*lines, f"A miner joins with: python -m miner -a {options.algorithm} -o {url} --hub {pin}-u NAME {secret}"]


def _holds_key(path: str) -> bool:
    try:
        return b"PRIVATE KEY-----" in Path(path).read_bytes()
    except OSError:
        return False


def _listen_address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise UsageError(f"--listen {text!r}: must be HOST:PORT, e.g. 0.0.0.0:3333, or [::]:3333")
    return host, int(port)

"""The kinds of values that options have. Each function takes an option's text and returns its value. A text that won't
do raises ArgumentTypeError, to which argparse adds the option's name, or UsageError."""

import argparse
import ipaddress
import math
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from miner.config import NODE_SCHEMES, POOL_SCHEMES
from miner.core.errors import UsageError


def integer(low: int, high: int) -> Callable[[str], int]:
    """A function that reads whole numbers from `low` to `high`."""
    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is no whole number") from None
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{number} is not from {low} to {high}")
        return number
    return parse


def threads(text: str) -> int:
    """A number of threads, 1 or more."""
    if text.strip() == "0":
        raise argparse.ArgumentTypeError("0 is not from 1 to 4096: leave it out for one thread on each CPU")
    return integer(1, 4096)(text)


def percentage(text: str) -> float:
    """A part from a percentage above 0, up to 100: 0.5 from "50%" or "50"."""
    try:
        number = float(text.strip().removesuffix("%"))
    except ValueError:
        number = math.nan
    if not 0 < number <= 100:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no percentage above 0%, up to 100%")
    return number / 100


def memory_size(text: str) -> int:
    """Bytes from a size such as "800M", "1.5G" or "1073741824"; K, M and G are powers of 1024."""
    found = re.fullmatch(r"([0-9]{1,20}(?:\.[0-9]{1,20})?) ?(?:([KMG])(?:i?B)?)?", text.strip(), re.IGNORECASE)
    size = int(float(found[1]) * 1024 ** " KMG".index((found[2] or " ").upper())) if found else 0
    if size < 1:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no size such as 800M or 1.5G")
    return size


def positive(text: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number above 0")
    return number


def seconds(text: str) -> float:
    """A duration in seconds, 0 or more."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e9:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number of seconds")
    return number


def some_seconds(text: str) -> float:
    """A duration in seconds, more than 0."""
    if not (number := seconds(text)):
        raise argparse.ArgumentTypeError("it takes a time longer than 0")
    return number


def niceness(text: str) -> int | None:
    """A nice value from 1 to 19, as nice(1) has them; None for 0, which leaves the priority as it is."""
    return integer(0, 19)(text) or None


def source_url(text: str) -> tuple[str, str | None]:
    """The URL of a pool or node, and its credentials: see `_url`."""
    return _url(text, "-o/--url", (*POOL_SCHEMES, *NODE_SCHEMES))


def pool_url(text: str) -> tuple[str, str | None]:
    """The URL of a stratum server, and its credentials: see `_url`."""
    return _url(text, "-o/--url", tuple(POOL_SCHEMES))


def node_url(text: str) -> tuple[str, str | None]:
    """The URL of the node of a chain to mine along, and its credentials: see `_url`."""
    return _url(text, "--aux", tuple(NODE_SCHEMES))


def _url(text: str, option: str, schemes: tuple[str, ...]) -> tuple[str, str | None]:
    """A URL without credentials, and its USER:PASSWORD, or None. As with minerd, credentials are taken as they are,
    without percent-decoding, and a URL without a scheme is http."""
    if not re.fullmatch(r"[!-~]{1,2048}", text):
        raise UsageError(f"{option} must be from 1 to 2048 ASCII characters without spaces")
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", text)
    scheme = match[1].lower() if match else "http"
    if scheme not in schemes:
        raise UsageError(f"URL scheme {scheme!r} is not known: use {', '.join(f'{name}://' for name in schemes)}")
    authority, slash, path = text[match.end() if match else 0:].partition("/")
    credentials, at, host = authority.rpartition("@")
    if at and not credentials.partition(":")[0]:
        raise UsageError(f"{option}: no user name stands before the @: leave both out, or put one there")
    try:
        parts = urlsplit(f"{scheme}://{host}")
        hostname, port = parts.hostname, parts.port
    except ValueError:  # its text may quote a password that has a slash in it
        raise UsageError(f"{option}: bad host or port") from None
    if not hostname or port == 0:
        raise UsageError(f"{option}: there is no {'port' if hostname else 'host'} in it")
    if port is None and scheme in POOL_SCHEMES:
        raise UsageError(f"{option}: a pool's address needs a port, as in {scheme}://{hostname}:3333")
    return f"{scheme}://{host}{slash}{path}", credentials if at else None


def domain(text: str) -> str:
    """A domain or IP address, in lower case."""
    if not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|[0-9a-fA-F:]+", text):
        raise argparse.ArgumentTypeError("must be a domain such as pool.example")
    return text.lower()


def network(text: str) -> str:
    """An IPv4 or IPv6 network in CIDR notation; an address alone is a network of one."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be a network such as 192.0.2.0/24 or 2001:db8::/32: {error}") from None


def status_address(text: str) -> tuple[str, int]:
    """[HOST:]PORT to listen on; the host is 127.0.0.1 unless given, IPv6 in brackets."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if colon else "127.0.0.1"
    if not (host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise argparse.ArgumentTypeError(f"{text[:80]!r} must be [HOST:]PORT, such as 8080, or [::1]:8080")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether a host to listen on is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def worker_id(text: str) -> str:
    """A worker's id, which is added to a user name behind a dot."""
    if not re.fullmatch(r"[!-~]{1,128}", text):
        raise argparse.ArgumentTypeError("must be 1 to 128 printable ASCII characters without spaces")
    return text


def user_agent(text: str) -> str:
    """What a miner calls itself at a pool; may be empty."""
    if not re.fullmatch(r"[ -~]{0,128}", text):
        raise argparse.ArgumentTypeError("must be up to 128 printable ASCII characters")
    return text


def coinbase_sig(text: str) -> str:
    """Text for a coinbase script, at most 80 bytes in UTF-8."""
    if len(text.encode("utf-8", "surrogateescape")) > 80:
        raise argparse.ArgumentTypeError("must be at most 80 bytes: a coinbase script holds 100 in all")
    return text

"""getwork: a header that a server gives to be hashed, and gets back with its nonce. Pure: no socket, no clock.

The server keeps the coinbase to itself, so whom a block pays is its affair. Sources: the getwork API and its HTTP
headers (long polling, rollntime, reject reason, host switching) as Bitcoin's wiki documents them.
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from miner.config import NODE_SCHEMES, POOL_SCHEMES, SourceConfig
from miner.core.algorithm import Algorithm
from miner.core.errors import ProtocolError, SourceError
from miner.core.model import Job, Share
from miner.core.target import nbits_to_target
from miner.core.text import one_line
from miner.node.fields import MAX_TEXT, Fields
from miner.node.longpoll import long_poll_url

EXTENSIONS = "longpoll reject-reason rollntime"

_DATA_SIZE = 128  # the header, padded as SHA-256 would pad it
_MAX_ROLL = 7200  # nodes take no block from further in the future
_DEFAULT_ROLL = 60


@dataclass(frozen=True, slots=True)
class Getwork:
    """A checked answer to getwork: 80 bytes of header in the order that is hashed, the padding that followed them, and
    the target as a number."""

    header: bytes
    padding: bytes
    target: int

    @property
    def prev_hash(self) -> bytes:
        return self.header[4:36]

    def job(self, job_id: str, algorithm: Algorithm, *, clean: bool, max_roll: int) -> Job:
        """The work as a job of `algorithm`. Its nonces are to be tried, and times up to `max_roll` seconds later;
        `clean`: the chain has moved."""
        version, prev_hash, merkle_root, ntime, nbits, _ = struct.unpack("<I32s32sIII", self.header)
        return Job(
            job_id=job_id, algorithm=algorithm, version=version, prev_hash=prev_hash, coinbase1=b"", extranonce1=b"",
            extranonce2_size=0, coinbase2=b"", merkle_branch=(), nbits=nbits, ntime=ntime, clean=clean,
            share_target=self.target, merkle_root=merkle_root, max_roll=max_roll)

    def submission(self, share: Share) -> str:
        """The parameter of getwork that hands in `share`, which is of this work's job: 256 hex digits."""
        return _swap_words(share.header + self.padding).hex()


class StratumOfferedError(SourceError):
    """The server wants to be mined at by stratum, at `url`, and that is permitted."""

    def __init__(self, url: str) -> None:
        super().__init__(f"the server asks to be mined at by stratum: use `url={url}`")
        self.url = url


@dataclass(frozen=True, slots=True)
class Offers:
    """What the HTTP headers around an answer say.

    long_poll      URL; "": none
    stratum        URL where the server speaks stratum; "": none
    max_roll       seconds that a header's time may be put forward
    reject_reason  why a share was refused
    """

    long_poll: str = ""
    stratum: str = ""
    max_roll: int = 0
    reject_reason: str = ""


def parse_getwork(answer: object) -> Getwork:
    """Check a server's answer. Raises ProtocolError that names the field."""
    fields = Fields(answer, "the work")
    data = _swap_words(fields.hexadecimal("data", _DATA_SIZE))
    target = int.from_bytes(fields.hexadecimal("target", 32), "little")
    try:
        nbits_to_target(int.from_bytes(data[72:76], "little"))
    except ValueError as error:
        raise ProtocolError(f"the work's bits are wrong: {error}") from None
    if not target:
        raise ProtocolError("the work's target is 0, which no hash meets")
    return Getwork(data[:80], data[80:], target)


def parse_offers(headers: Mapping[str, str], url: str) -> Offers:
    """Read the headers (names in lower case) of an answer from `url`. What makes no sense is as if it were not there;
    so is a long poll on another host: it would get our credentials."""
    stratum = one_line(headers.get("x-stratum", ""), MAX_TEXT)
    return Offers(long_poll_url(headers.get("x-long-polling", "").strip(), url), stratum,
                  _max_roll(headers.get("x-roll-ntime", "").strip().lower()),
                  one_line(headers.get("x-reject-reason", "")))


def why_not_followed(offered: str, config: SourceConfig) -> str:
    """Why stratum at the URL `offered` is not for us, whom the server of `config` sends there; "" where it is. Our
    credentials go along: so not to another host unless it was allowed, and never from TLS to plain text."""
    if not config.stratum:
        return "`stratum=False`"
    try:
        there, here = urlsplit(offered), urlsplit(config.url)
        host, port = there.hostname or "", there.port
        host.encode("idna")  # as the resolver will want it
    except ValueError:
        return "it does not parse"
    if there.scheme not in POOL_SCHEMES or not (host and port) or "@" in there.netloc or there.path.strip("/"):
        return "it is no stratum+tcp://HOST:PORT"
    if not config.username:
        return "it needs a user, see `username`"
    if NODE_SCHEMES[here.scheme] and not POOL_SCHEMES[there.scheme]:
        return "it has no TLS, and the server has"
    if host != here.hostname and not config.may_be_sent_to(host):
        return "it is on another host: use `redirect_to`, or give it as `url`, if you trust it"
    return ""


def _max_roll(offered: str) -> int:
    """`N`, `Y` or any other word for yes, or `expire=SECONDS`."""
    if offered in ("", "n", "no", "false", "0"):
        return 0
    expire = re.fullmatch(r"expire=(\d{1,9})", offered)
    return min(int(expire[1]), _MAX_ROLL) if expire else _DEFAULT_ROLL


def _swap_words(data: bytes) -> bytes:
    """Each group of four bytes turned round: getwork writes a header as big-endian words."""
    count = len(data) // 4
    return struct.pack(f">{count}I", *struct.unpack(f"<{count}I", data))

"""A port where something else is spoken than its URL says, recognised by the first bytes from there. Does no I/O."""

import enum
import re

from miner.core.errors import ProtocolError


class Speech(enum.Enum):
    """What is spoken on a connection."""

    STRATUM = "stratum"
    HTTP = "HTTP"
    TLS = "TLS"


# A TLS record is a handshake or an alert, of SSL 3.0 to TLS 1.3 (RFC 8446, section 5.1). An HTTP server that takes
# stratum's first line for HTTP/0.9 answers it with a page that has no head.
_TLS = re.compile(rb"[\x15\x16]\x03[\x00-\x04]")
_HTTP = re.compile(rb"(?i)\s*(HTTP/\d|[A-Z]{3,16} \S{1,4096} HTTP/\d|<!DOCTYPE html|<html)")
_STRATUM = re.compile(rb"\s*\{\s*\"")

# An HTTP server's words for a request that came where it speaks TLS: nginx, Apache, Go, Jetty and their like.
_TLS_IN_WORDS = re.compile(rb"(?i)HTTP (request )?(was sent |sent )?to (an? )?(HTTPS|SSL|TLS)")
_STRATUM_IN_WORDS = re.compile(rb"(?i)speaks stratum|stratum\+tcps?://")


class WrongDoorError(ProtocolError):
    """The other end doesn't speak what its URL says. `speech` is what it speaks."""

    def __init__(self, speech: Speech) -> None:
        super().__init__(f"the other end speaks {speech.value}")
        self.speech = speech


def speech_of(first: bytes | bytearray) -> Speech | None:
    """What is spoken where these are the first bytes from the other end; None where that can't be told, perhaps since
    too few have come."""
    if _TLS.match(first):
        return Speech.TLS
    if _HTTP.match(first):
        return Speech.HTTP
    return Speech.STRATUM if _STRATUM.match(first) else None


def speech_in_page(page: bytes | bytearray) -> Speech | None:
    """What an HTTP server's page says is spoken at the server's port in place of HTTP, in words that many servers have
    for it; None where the page says nothing of the kind."""
    if _TLS_IN_WORDS.search(page):
        return Speech.TLS
    return Speech.STRATUM if _STRATUM_IN_WORDS.search(page) else None


def right_url(ours: Speech, spoken: Speech, place: str) -> str:
    """For people: what is spoken at `place` (HOST:PORT), and the URL to use for it, where a URL for `ours` (stratum or
    HTTP) was given and `spoken` was found there."""
    match ours, spoken:
        case Speech.STRATUM, Speech.TLS:
            return f"it speaks TLS: use stratum+tcps://{place}"
        case _, Speech.TLS:
            return f"it speaks TLS: use https://{place}/"
        case _, Speech.STRATUM:
            return f"it speaks stratum, without TLS: use stratum+tcp://{place}"
        case _:
            return f"it speaks HTTP, as nodes do, without TLS: use http://{place}/"

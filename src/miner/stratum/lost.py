"""Connections to a pool that fail, or are no pool's: why, and what to do about it."""

import asyncio

from miner.net import Route, is_no_tls, words_of
from miner.stratum.address import place_text
from miner.wrong_door import Speech, right_url


class LostError(Exception):
    """The connection is gone. `wait`: the seconds that the pool asked us to stay away; None where it didn't ask.
    `had_jobs`: a job came on it. `speech`: what the other end speaks in place of stratum, where it said so. `mute`: it
    hung up without a word. `no_tls`: it answered a TLS handshake with something else."""

    def __init__(self, reason: str, wait: float | None = None, *, speech: Speech | None = None, mute: bool = False,
                 no_tls: bool = False) -> None:
        super().__init__(reason)
        self.wait, self.speech, self.mute, self.no_tls = wait, speech, mute, no_tls
        self.had_jobs = False


async def connect(route: Route, place: tuple[str, int], *, tls: bool,
                  timeout: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream to the pool at `place` (host, port). Raises LostError."""
    try:
        return await route.open(*place, tls=tls, timeout=timeout)
    except TimeoutError:
        raise LostError("no answer to the connection attempt") from None
    except OSError as error:
        raise LostError(words_of(error), no_tls=is_no_tls(error)) from None


async def url_instead(route: Route, place: tuple[str, int], *, tls: bool, lost: LostError) -> str:
    """In words, the URL to use where something else is spoken at `place` than stratum, with `tls` or without; "" where
    nothing tells that. A pool that hangs up without a word, or answers TLS with something else, is asked what it
    speaks, on another connection."""
    speech = lost.speech
    if lost.mute or lost.no_tls:
        speech = await route.speech_at(*place)
    if lost.no_tls:
        speech = speech or Speech.STRATUM
    if speech is None or speech is (Speech.TLS if tls else Speech.STRATUM):
        return ""
    return right_url(Speech.STRATUM, speech, place_text(*place))

"""Bar charts as SVG, written without a library, and what every picture has."""

import contextlib
import errno
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Self

from miner import __version__
from miner.core.errors import MinerError, UsageError

COLOURS = ("#9aa0a6", "#2a78b5", "#7fb5dc")
WIDTH, LEFT, RIGHT = 720, 130, 110  # pixels: the whole picture, room for names, room for figures
BAR, GAP, HEAD, TITLE = 16, 6, 34, 58
_STYLE = ("text{font:12px system-ui,sans-serif;fill:#222} .h{font-size:15px;font-weight:600} .s{fill:#666} "
          ".n{text-anchor:end} .o{text-anchor:end;fill:#666;font-size:11px}")
_ROOM = 1 << 16  # bytes: more than any picture takes


class ChartFile:
    """A file for a picture that is drawn later. Entering the context checks that the file can be written; what it holds
    stays there until `write`. A file that wasn't there before is removed where no picture is written.

    Raises UsageError, on entering, for a name that isn't *.svg, a directory, a place where no file can be written, or a
    disk that is full.
    """

    def __init__(self, name: str) -> None:
        self._path = Path(name)
        self._new = False

    def __enter__(self) -> Self:
        if self._path.suffix.lower() != ".svg":
            raise UsageError(f"--chart: pictures are SVG only, so {str(self._path)!r} must end in .svg")
        self._new = not os.path.lexists(self._path)
        try:
            with self._path.open("ab", buffering=0) as file:
                size = file.tell()
                try:
                    if file.write(bytes(_ROOM)) < _ROOM:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.fsync(file.fileno())
                finally:
                    with contextlib.suppress(OSError):  # a device
                        os.ftruncate(file.fileno(), size)
        except OSError as error:
            self._drop()
            raise UsageError(f"--chart: can't write {str(self._path)!r}: {error.strerror}") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._drop()

    def write(self, picture: str) -> None:
        """Put the picture into the file. Raises MinerError where the system refuses it by now."""
        try:
            self._path.write_text(picture, encoding="utf-8")
        except OSError as error:
            raise MinerError(f"can't write the chart to {str(self._path)!r}: {error.strerror}") from error
        self._new = False

    def _drop(self) -> None:
        if self._new:
            self._path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart. `value` is its length, `text` stands at its end, `colour` is an index into COLOURS. `limit`, if
    not 0, is the length of an outline around it."""

    name: str
    value: float
    text: str
    colour: int = 0
    limit: float = 0.0


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars that share a scale, with a title above them."""

    title: str
    bars: Sequence[Bar]


def draw(title: str, subtitle: str, panels: Sequence[Panel]) -> str:
    """An SVG picture of the panels, one below the other."""
    body = [_text(12, 24, title, "h"), _text(12, 44, subtitle, "s"), _text(WIDTH - 12, 24, origin(), "o")]
    y = TITLE
    for panel in panels:
        body.append(_text(12, y + 22, panel.title, "h"))
        y += HEAD
        longest = max((max(bar.value, bar.limit) for bar in panel.bars), default=0) or 1
        for bar in panel.bars:
            width, limit = (round((WIDTH - LEFT - RIGHT) * value / longest, 1) for value in (bar.value, bar.limit))
            body.append(_text(LEFT - 8, y + 12, bar.name, "n"))
            if limit:
                body.append(f'<rect {_box(y, limit)} fill="none" stroke="{COLOURS[bar.colour]}"/>')
            body += [f'<rect {_box(y, width)} fill="{COLOURS[bar.colour]}"/>',
                     _text(LEFT + max(width, limit) + 6, y + 12, bar.text)]
            y += BAR + GAP
    size = f'width="{WIDTH}" height="{y + 10}"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">',
             f"<style>{_STYLE}</style>", f'<rect {size} fill="#fff"/>', *body, "</svg>"]
    return "\n".join(lines) + "\n"


def origin(now: float | None = None) -> str:
    """What drew a picture, and on what day (UTC): `sparkminer 1.0, 2026-01-31`. `now`: seconds since 1970."""
    return f"sparkminer {__version__}, {time.strftime('%Y-%m-%d', time.gmtime(now))}"


def _box(y: float, width: float) -> str:
    return f'x="{LEFT}" y="{y}" width="{width}" height="{BAR}" rx="2"'


def _text(x: float, y: float, text: str, style: str = "") -> str:
    name = f' class="{style}"' if style else ""
    return f'<text x="{x:g}" y="{y:g}"{name}>{escape(text)}</text>'

"""Curves over time as SVG, written without a library. They can be told apart without colours: each has its own dashes
and marks, and its name stands at its end."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from miner.front.chart import origin
from miner.front.report import hashrate_text

COLOURS = ("#1f6fb2", "#c4622d", "#2e7d4f", "#7a4fa3", "#8a6d00", "#b5403a", "#00757a", "#555555")
_DASHES = ("", "8 3", "2 3", "9 3 2 3", "14 4", "4 4", "1 2", "6 2 2 2 2 2")
_MARKS = ("M-3.5,0a3.5,3.5 0 1,0 7,0a3.5,3.5 0 1,0 -7,0", "M-3,-3h6v6h-6z", "M0,-4l4,7h-8z",
          "M0,-4.5l4,4.5l-4,4.5l-4,-4.5z", "M-4,-3h8l-4,7z", "M-1,-4h2v3h3v2h-3v3h-2v-3h-3v-2h3z",
          "M-4,-1.5h8v3h-8z", "M-1.5,-4h3v8h-3z")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 320, 76, 130, 60, 30  # pixels
_MARKED = 6  # marks on a curve, about
_LINE = 14  # pixels from one name to the next, at least
_NAME = 15  # characters of a name
_STYLE = ("text{font:12px system-ui,sans-serif;fill:#222} .h{font-size:15px;font-weight:600} .s{fill:#666} "
          ".n{text-anchor:end} .o{text-anchor:end;fill:#666;font-size:11px} .m{text-anchor:middle} "
          ".c{fill:none;stroke-width:1.6} .g{stroke:#ddd}")
_NAMES = {-6: "1 µs", -5: "10 µs", -4: "100 µs", -3: "1 ms", -2: "10 ms", -1: "100 ms", 0: "1 s", 1: "10 s", 2: "100 s"}
_ROUND = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve by its points: seconds since the start, and a value, None where there was none."""

    name: str
    points: Sequence[tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class _Scale:
    """What stands at which height: `place` makes a part of the whole height of a value."""

    place: Callable[[float], float]
    grid: Sequence[tuple[float, str]]


def duration_text(power: int) -> str:
    """10**power seconds, for people."""
    return _NAMES.get(power, f"1e{power} s")


def draw_timeline(title: str, subtitle: str, curves: Sequence[Curve],
                  text: Callable[[int], str] = duration_text) -> str:
    """An SVG picture of durations or other figures, on a logarithmic scale: what matters of a latency is its order.
    `text` writes powers of ten of the figures beside the scale."""
    values = [value for curve in curves for _, value in curve.points if value] or [1e-3, 1e-2]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    return _draw(title, subtitle, curves, _Scale(
        lambda value: (math.log10(max(value, 10.0 ** low)) - low) / (high - low),
        [(10.0 ** power, text(power)) for power in range(low, high + 1)]))


def draw_hashrates(title: str, subtitle: str, curves: Sequence[Curve]) -> str:
    """An SVG picture of hashrates in H/s, from 0 on."""
    most = max((value for curve in curves for _, value in curve.points if value), default=0.0) or 1.0
    power = 10.0 ** math.floor(math.log10(most))
    top = power * next(number for number in (*_ROUND, 15) if number * power >= most)
    return _draw(title, subtitle, curves,
                 _Scale(lambda value: value / top, [(top * part, hashrate_text(top * part)) for part in (0, 0.5, 1)]))


def _draw(title: str, subtitle: str, curves: Sequence[Curve], scale: _Scale) -> str:
    end = max((at for curve in curves for at, _ in curve.points), default=0.0) or 1.0

    def x(at: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * at / end, 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * scale.place(value), 1)

    body = [_text(12, 24, title, "h"), _text(12, 44, subtitle, "s"), _text(WIDTH - 12, 24, origin(), "o")]
    for value, words in scale.grid:
        body += [f'<line class="g" x1="{LEFT}" y1="{y(value)}" x2="{WIDTH - RIGHT}" y2="{y(value)}"/>',
                 _text(LEFT - 6, y(value) + 4, words, "n")]
    body += [_text(x(end * part), HEIGHT - 10, f"{end * part:.0f} s", "m") for part in (0, 0.5, 1)]
    placed = [[None if value is None else (x(at), y(value)) for at, value in curve.points] for curve in curves]
    for number, points in enumerate(placed):
        body += _curve(number, points)
    for number, height in _spread({number: found[-1][1] for number, points in enumerate(placed)
                                   if (found := [point for point in points if point])}):
        body += _curve(number, [(WIDTH - RIGHT + 6, height), (WIDTH - RIGHT + 30, height)], WIDTH - RIGHT + 18)
        name = curves[number].name
        body.append(_text(WIDTH - RIGHT + 34, height + 4, name if len(name) <= _NAME else f"{name[:_NAME - 1]}…"))
    size = f'width="{WIDTH}" height="{HEIGHT}"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">',
             f"<style>{_STYLE}</style>", f'<rect {size} fill="#fff"/>', *body, "</svg>"]
    return "\n".join(lines) + "\n"


def _curve(number: int, points: Sequence[tuple[float, float] | None], mark_at: float | None = None) -> list[str]:
    """A curve's lines, one for each run of points, and its marks; those of several curves stand at several places.
    `mark_at`: where there is one mark alone."""
    kind = number % len(COLOURS)
    colour = COLOURS[kind]
    drawn = [f'<polyline class="c" stroke="{colour}" stroke-dasharray="{_DASHES[kind]}" points="'
             + " ".join(f"{x},{y}" for x, y in run) + '"/>'
             for there, group in itertools.groupby(points, lambda point: point is not None) if there
             for run in [[point for point in group if point]]]
    every = max(1, len(points) // _MARKED)
    marked = [point for place, point in enumerate(points) if point and (place + number) % every == 0]
    for x, y in marked if mark_at is None else [(mark_at, points[0][1])] if points and points[0] else ():
        drawn.append(f'<path d="{_MARKS[kind]}" fill="{colour}" transform="translate({x},{y})"/>')
    return drawn


def _spread(heights: dict[int, float]) -> list[tuple[int, float]]:
    """The heights at which names stand: beside their curves' ends, but none above another."""
    placed: list[tuple[int, float]] = []
    for number, height in sorted(heights.items(), key=lambda entry: entry[1]):
        placed.append((number, max(height, placed[-1][1] + _LINE) if placed else height))
    over = max(0.0, placed[-1][1] - (HEIGHT - BOTTOM)) if placed else 0.0
    ceiling = math.inf
    moved = []
    for number, height in reversed(placed):
        ceiling = min(height, HEIGHT - BOTTOM, ceiling - _LINE) if over else height
        moved.append((number, round(ceiling, 1)))
    return moved


def _text(x: float, y: float, text: str, style: str = "") -> str:
    name = f' class="{style}"' if style else ""
    return f'<text x="{x:g}" y="{y:g}"{name}>{escape(text)}</text>'

"""Durations, or other figures, over time as curves in SVG, written without a library. Their scale is logarithmic: what
matters of a latency is its order."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#2a78b5", "#e08a1e", "#b5403a")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 320, 60, 80, 60, 30  # pixels
_STYLE = ("text{font:12px system-ui,sans-serif;fill:#222} .h{font-size:15px;font-weight:600} .s{fill:#666} "
          ".n{text-anchor:end} polyline{fill:none;stroke-width:1.5} line{stroke:#ddd}")
_NAMES = {-6: "1 µs", -5: "10 µs", -4: "100 µs", -3: "1 ms", -2: "10 ms", -1: "100 ms", 0: "1 s", 1: "10 s", 2: "100 s"}


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve by its points: seconds since the start, and a figure, such as a duration in seconds."""

    name: str
    points: Sequence[tuple[float, float]]


def duration_text(power: int) -> str:
    """10**power seconds, for people."""
    return _NAMES.get(power, f"1e{power} s")


def draw_timeline(title: str, subtitle: str, curves: Sequence[Curve],
                  text: Callable[[int], str] = duration_text) -> str:
    """An SVG picture of up to three curves. `text` writes powers of ten of their figures beside the scale."""
    values = [value for curve in curves for _, value in curve.points if value > 0] or [1e-3, 1e-2]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    end = max((at for curve in curves for at, _ in curve.points), default=0.0) or 1.0

    def x(at: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * at / end, 1)

    def y(value: float) -> float:
        part = (math.log10(max(value, 10.0 ** low)) - low) / (high - low)
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part, 1)

    body = [_text(12, 24, title, "h"), _text(12, 44, subtitle, "s")]
    for power in range(low, high + 1):
        height = y(10.0 ** power)
        body += [f'<line x1="{LEFT}" y1="{height}" x2="{WIDTH - RIGHT}" y2="{height}"/>',
                 _text(LEFT - 6, height + 4, text(power), "n")]
    body += [_text(x(end * part), HEIGHT - 10, f"{end * part:.0f} s", "n" if part else "") for part in (0, 0.5, 1)]
    for curve, colour in zip(curves, COLOURS, strict=False):
        line = " ".join(f"{x(at)},{y(value)}" for at, value in curve.points)
        body.append(f'<polyline points="{line}" stroke="{colour}"/>')
        if curve.points:
            body.append(_text(WIDTH - RIGHT + 6, y(curve.points[-1][1]) + 4, curve.name))
    size = f'width="{WIDTH}" height="{HEIGHT}"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">',
             f"<style>{_STYLE}</style>", f'<rect {size} fill="#fff"/>', *body, "</svg>"]
    return "\n".join(lines) + "\n"


def _text(x: float, y: float, text: str, style: str = "") -> str:
    name = f' class="{style}"' if style else ""
    return f'<text x="{x:g}" y="{y:g}"{name}>{escape(text)}</text>'

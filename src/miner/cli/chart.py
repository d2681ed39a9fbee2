"""Bar charts as SVG, small enough to be written by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#9aa0a6", "#2a78b5", "#7fb5dc")
WIDTH, LEFT, RIGHT = 720, 130, 110  # pixels: the whole, room for names, room for figures
BAR, GAP, HEAD, TITLE = 16, 6, 34, 58
_STYLE = ("text{font:12px system-ui,sans-serif;fill:#222} .h{font-size:15px;font-weight:600} .s{fill:#666} "
          ".n{text-anchor:end}")


@dataclass(frozen=True, slots=True)
class Bar:
    """`value` sets its length, `text` stands at its end; `colour` is an index into COLOURS. `limit`, if not 0, is how
    long it could be: an outline."""

    name: str
    value: float
    text: str
    colour: int = 0
    limit: float = 0.0


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars with a scale of their own."""

    title: str
    bars: Sequence[Bar]


def draw(title: str, subtitle: str, panels: Sequence[Panel]) -> str:
    """A picture of the panels, one below the other."""
    body = [_text(12, 24, title, "h"), _text(12, 44, subtitle, "s")]
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


def _box(y: float, width: float) -> str:
    return f'x="{LEFT}" y="{y}" width="{width}" height="{BAR}" rx="2"'


def _text(x: float, y: float, text: str, style: str = "") -> str:
    name = f' class="{style}"' if style else ""
    return f'<text x="{x:g}" y="{y:g}"{name}>{escape(text)}</text>'

"""A picture of a screening, as SVG: each CPU's hashrate beside the median of its model, kernel by kernel over hosts."""

from collections.abc import Iterator, Sequence
from html import escape

from miner.core.screening import CpuScreening, Medians, Screening
from miner.front.chart import origin
from miner.front.report import counted, hashrate_text
from miner.front.screen_report import mismatches_text

WIDTH, LEFT, RIGHT, TITLE, MODEL, ROW, GAP, FOOT = 900, 140, 50, 56, 28, 50, 6, 30  # pixels
LOW, HIGH = 0.7, 1.15  # of the median: the ends of a row's scale; what lies beyond stands at its edge
_SCALE = (1.0, 0.9, 0.8)
_NAMED_HOSTS = 12  # at most: more names than that can't be read side by side
_SOUND, _WRONG, _LINE, _SHADE = "#2a78b5", "#c4302b", "#c8ccd0", "#f4f5f7"
_STYLE = ("text{font:12px system-ui,sans-serif;fill:#222} .h{font-size:15px;font-weight:600} .s{fill:#666} "
          ".n{text-anchor:end} .m{text-anchor:middle;fill:#666} .p{font-size:10px;fill:#666}")


def screen_chart(result: Screening) -> str:
    """The picture: for each CPU model a row for each kernel, with a dot for each CPU, hosts from left to right. A dot
    is red where that kernel had a mismatch on that CPU."""
    medians = Medians(result.cpus)
    hosts = list(dict.fromkeys(cpu.host for cpu in result.cpus))
    body = [_text(12, 24, "Hashrate of each CPU beside the median of its model", "h"),
            _text(12, 44, f"{counted(len(result.cpus), 'CPU')} of {counted(len(hosts), 'host')}, "
                          f"{result.seconds:.0f} s, seed {result.seed}: {result.hashes} hashes compared, "
                          f"{mismatches_text(result.mismatches)}", "s"), _text(WIDTH - 12, 24, origin(), "n")]
    y = TITLE
    for model in dict.fromkeys(cpu.model for cpu in result.cpus):
        body.append(_text(12, y + 20, model, "h"))
        y += MODEL
        for of, algorithm, kernel, _, median in medians.items():
            if of == model:
                body += _row(y, f"{algorithm} {kernel}", hashrate_text(median))
                body += _dots(y, result.cpus, (model, algorithm, kernel), medians)
                y += ROW + GAP
    body += _host_names(y + 12, result.cpus, hosts)
    size = f'width="{WIDTH}" height="{y + FOOT}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="Screening">',
                      f"<style>{_STYLE}</style>", f'<rect {size} fill="#fff"/>', *body, "</svg>"]) + "\n"


def _row(y: int, kernel: str, median: str) -> Iterator[str]:
    yield f'<rect x="{LEFT}" y="{y}" width="{WIDTH - LEFT - RIGHT}" height="{ROW}" fill="{_SHADE}"/>'
    for share in _SCALE:
        at = _height(y, share)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:g}" y2="{at:g}" stroke="{_LINE}"/>'
        yield _text(WIDTH - RIGHT + 4, at + 4, f"{share:.0%}", "p")
    yield _text(LEFT - 8, y + 22, kernel, "n")
    yield _text(LEFT - 8, y + 38, median, "n")


def _dots(y: int, cpus: Sequence[CpuScreening], key: tuple[str, str, str], medians: Medians) -> Iterator[str]:
    shown = [(kernel.mismatches, index, cpu, kernel) for index, cpu in enumerate(cpus) for kernel in cpu.kernels
             if (cpu.model, kernel.algorithm, kernel.kernel) == key and (kernel.hashrate or kernel.mismatches)]
    for mismatches, index, cpu, kernel in sorted(shown, key=lambda dot: dot[:2]):  # red ones above the others
        share = min(HIGH, max(LOW, 1 + (medians.distance(cpu, kernel) or 0.0)))
        colour, radius = (_WRONG, 5) if mismatches else (_SOUND, 3)
        said = f"{cpu.host}, CPU {cpu.cpu}: {hashrate_text(kernel.hashrate)}, {mismatches_text(mismatches)}"
        yield (f'<circle cx="{_across(index, len(cpus)):g}" cy="{_height(y, share):g}" r="{radius}" '
               f'fill="{colour}"><title>{escape(said)}</title></circle>')


def _host_names(y: int, cpus: Sequence[CpuScreening], hosts: Sequence[str]) -> Iterator[str]:
    every = -(-len(hosts) // _NAMED_HOSTS)
    for host in hosts[::every] if hosts else ():
        places = [_across(index, len(cpus)) for index, cpu in enumerate(cpus) if cpu.host == host]
        yield _text(sum(places) / len(places), y, host if len(host) < 20 else f"{host[:18]}…", "m")


def _across(index: int, count: int) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * (index + 0.5) / count, 1)


def _height(y: int, share: float) -> float:
    return round(y + ROW * (HIGH - share) / (HIGH - LOW), 1)


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{style}">{escape(text)}</text>'

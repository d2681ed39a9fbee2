"""What the live screen shows, as rich draws it. Pure: a snapshot and rows go in, a picture of one screen comes out."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from miner.core.text import one_line
from miner.front.report import counted, hashrate_text
from miner.front.snapshot import Message, Snapshot
from miner.hub.events import MinerStats

_BARS = "▁▂▃▄▅▆▇█"
_LEAST_MESSAGES = 3
_FOLDED = 4  # lines, at most
_THREAD_WIDTH = 20
_FURNITURE = 3  # lines: a rule and heads above the rows, a rule above the messages


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that there is room for, the fastest first; how many there are in all, and of miners that have left."""

    shown: tuple[MinerStats, ...] = ()
    count: int = 0
    gone: int = 0


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table: shown on screens that are `least` wide or wider, `width` characters wide (0: what is
    left)."""

    head: str
    least: int
    width: int
    cell: Callable[[MinerStats, float], str]
    right: bool = True


_COLUMNS = (
    _Column("name", 0, 0, lambda row, now: one_line(row.name, 64), right=False),
    _Column("host", 100, 16, lambda row, now: one_line(row.host, 64), right=False),
    _Column("thr", 60, 3, lambda row, now: str(row.threads or "")),
    _Column("kernel", 70, 8, lambda row, now: one_line(row.kernel, 32), right=False),
    _Column("H/s", 0, 5, lambda row, now: short(row.hashrate if row.connected else 0.0)),
    _Column("1 min", 50, 5, lambda row, now: short(row.hashrate_1m)),
    _Column("15min", 60, 5, lambda row, now: short(row.hashrate_15m)),
    _Column("accepted", 110, 9, lambda row, now: f"{row.accepted:,}"),
    _Column("acc", -110, 5, lambda row, now: short(row.accepted)),
    _Column("rej", 40, 4, lambda row, now: short(row.rejected)),
    _Column("stale", 40, 5, lambda row, now: short(row.stale)),
    _Column("last", 70, 4, lambda row, now: ago(now - row.last_share) if row.last_share else "-"),
    _Column("diff", 80, 7, lambda row, now: f"{row.difficulty:.3g}" if row.difficulty else "-"),
    _Column("blocks", 100, 6, lambda row, now: short(row.blocks)),
)


def short(number: float) -> str:
    """A number in at most five characters: `60.1k`."""
    if 0 < number < 0.01:
        return "<0.01"
    for unit, size in (("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9)):
        if number < 999.5 * size:
            return f"{number / size:.3g}{unit}"
    return f"{number / 1e12:.3g}T"


def ago(seconds: float) -> str:
    """How long something is past, in at most four characters: `12s`, `3h`."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds / size)}{unit}"
    return f"{max(0, int(seconds))}s"


def span(seconds: float) -> str:
    """How long something takes, in short: `0.54 s`, `12 min`, `3 years`."""
    for unit, size in (("years", 365.25 * 86400), ("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{short(seconds / size)} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def clock(seconds: float) -> str:
    """A time span as `1:02:03`."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def sparkline(values: Sequence[float], width: int) -> str:
    """The last values as a row of bars, one character each: from 0 to the highest of them."""
    values = values[-width:] if width > 0 else ()
    top = max(values, default=0.0)
    return "".join(_BARS[min(7, int(8 * value / top))] if top else _BARS[0] for value in values)


def frame(now: Snapshot, rows: Rows, width: int, height: int, invitation: str = "") -> RenderableType:
    """The whole screen: figures on top, then the miners, then the newest messages. `invitation` says how miners join,
    and is shown as long as none has."""
    head = [*_head(now, width), *_folded("" if rows.count else invitation, width)]
    threads = list(_threads(now, width))
    room = height - len(head) - len(threads) - _FURNITURE
    messages = max(_LEAST_MESSAGES, room // 4) if room > 2 * _LEAST_MESSAGES else 0
    count = max(1, min(len(rows.shown), room - messages))
    lines = [*head, _rule(_rows_title(now, rows, count)), _table(rows.shown[:count], now.time, width), *threads]
    if room > count:
        lines += [_rule("messages"), *(_message(message) for message in now.messages[count - room:])]
    return Group(*lines[:height])


def _head(now: Snapshot, width: int) -> Iterable[RenderableType]:
    title = Table.grid(expand=True)
    title.add_column(no_wrap=True)
    title.add_column(no_wrap=True, justify="right")
    title.add_row(Text(f"sparkminer {now.version} {now.command}", "bold"), Text(f"up {clock(now.time - now.started)}"))
    yield title
    yield _line(f"{now.algorithm or '…'} from {one_line(now.source) or '…'}")
    yield _line(f"paid to {one_line(now.payee) or '…'}" + (f"; miners connect to {now.address}" if now.address else ""))
    figures = (f"{hashrate_text(now.hashrate)}, 1 min {hashrate_text(now.hashrate_1m)}, "
               f"15 min {hashrate_text(now.hashrate_15m)} ")
    yield _with_chart(figures, [sample.hashrate for sample in now.recent], width, "bold")
    last = f", last {ago(now.time - now.last_share)} ago" if now.last_share else ""
    figures = f"{counted(now.accepted, 'share')} accepted, {now.rejected} rejected, {now.stale} stale{last} "
    yield _with_chart(figures, [sample.accepted for sample in now.recent], width)
    yield _line(_difficulty(now))
    yield _line(_blocks(now))
    if now.goal_blocks:
        yield _progress(now.blocks, now.goal_blocks, f"{now.blocks} of {counted(now.goal_blocks, 'block')}")
    if now.seconds:
        done = min(now.seconds, now.time - now.since) if now.since else 0.0
        yield _progress(done, now.seconds, f"{done / now.seconds:.0%}, {clock(now.seconds - done)} left")
    if trouble := now.trouble or now.ended:
        yield _line(one_line(trouble), "bold red" if now.trouble else "bold")


def _difficulty(now: Snapshot) -> str:
    if not now.share_difficulty:
        return "no job yet"
    share = f"share difficulty {now.share_difficulty:.4g}" + _every(now.share_seconds)
    height = f" at height {now.height}" if now.height is not None else ""
    return f"{share}; block{height} {now.network_difficulty:.4g}{_every(now.block_seconds)}"


def _every(seconds: float | None) -> str:
    return f", every {span(seconds)}" if seconds else ""


def _blocks(now: Snapshot) -> str:
    if not now.found:
        return "no block found"
    newest = now.found[-1]
    aux = f", {counted(now.aux_blocks, 'block')} on the chain mined along" if now.aux_blocks else ""
    return f"{counted(now.blocks, 'block')} found{aux}; {ago(now.time - newest.time)} ago {newest.hash}"


def _progress(done: float, total: float, text: str) -> RenderableType:
    grid = Table.grid(expand=True, padding=(0, 1))
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True)
    grid.add_row(ProgressBar(total=total, completed=min(done, total)), Text(text))
    return grid


def _threads(now: Snapshot, width: int) -> Iterable[Text]:
    """The threads of a miner that runs alone, as many to a line as there is room for."""
    cells = [f"thread {thread.number}" + (f" cpu {thread.cpu}" if thread.cpu is not None else "")
             + f" {short(thread.hashrate)}" for thread in now.threads]
    each = max(1, width // (_THREAD_WIDTH + 2))
    for start in range(0, min(len(cells), 4 * each), each):
        yield _line("  ".join(cell.ljust(_THREAD_WIDTH) for cell in cells[start:start + each]))


def _folded(text: str, width: int) -> Iterable[Text]:
    for start in range(0, min(len(text), _FOLDED * width), width):
        yield _line(text[start:start + width], "bold")


def _rows_title(now: Snapshot, rows: Rows, shown: int) -> str:
    noun = counted(rows.count, "executor" if now.command == "spark" else "miner")
    noun += f", {rows.gone} of them gone" if rows.gone else ""
    return noun + (f"; the {shown} fastest" if rows.count > shown else "")


def _table(rows: Sequence[MinerStats], now: float, width: int) -> Table:
    columns = [column for column in _COLUMNS
               if (width >= column.least if column.least >= 0 else width < -column.least)]
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, expand=True, header_style="bold")
    for column in columns:
        table.add_column(column.head, justify="right" if column.right else "left", no_wrap=True, overflow="ellipsis",
                         ratio=None if column.width else 1, width=column.width or None)
    for row in rows:
        table.add_row(*(Text(column.cell(row, now)) for column in columns), style="" if row.connected else "dim")
    return table


def _with_chart(figures: str, values: Sequence[float], width: int, style: str = "") -> Text:
    return Text.assemble((figures, style), (sparkline(values, width - len(figures)), "cyan"), no_wrap=True,
                         overflow="crop")


def _message(message: Message) -> Text:
    return Text.assemble((time.strftime("%H:%M:%S ", time.localtime(message.time)), "dim"), message.text, no_wrap=True,
                         overflow="ellipsis")


def _line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _rule(title: str) -> Rule:
    return Rule(title, align="left", style="dim", characters="─")

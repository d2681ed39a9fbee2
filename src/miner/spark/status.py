"""How a cluster job does at a moment, as a value that shows itself: as a table in a terminal, and in a notebook as one
that renews itself."""

import html
import importlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from miner.front.hub_report import miner_table
from miner.front.report import counted, hashrate_text
from miner.hub.events import MinerStats

_RENEW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A moment of a job. `executors` has a row for each, whose hashrate is over its whole time of mining (H/s);
    `hashrate` is that of the miners that are at work now. `renewed` gives the job's next moment.

    As the result of a notebook's cell it is a table that is renewed each second until the job ends, by a thread of its
    own: the value itself stays as it is.
    """

    running: bool
    executors: tuple[MinerStats, ...]
    hashes: int
    hashrate: float
    accepted: int
    rejected: int
    stale: int
    blocks: int
    renewed: "Callable[[], JobStatus] | None" = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return "\n".join(miner_table(self.executors, title="executor"))

    def _repr_html_(self) -> str:
        return "".join(_page(self))

    def _ipython_display_(self) -> None:
        display: Any = importlib.import_module("IPython.display").display  # which is there: it has called this
        shown = display(_Moment(self), display_id=True)
        if self.running and self.renewed is not None and shown is not None:
            threading.Thread(target=_renew, args=(shown, self.renewed), name="miner-spark-display", daemon=True).start()


class _Moment:
    """A status that only has its two texts to show: it is put into a display that somebody else renews."""

    def __init__(self, status: JobStatus) -> None:
        self._status = status

    def __repr__(self) -> str:
        return str(self._status)

    def _repr_html_(self) -> str:
        return self._status._repr_html_()


def _renew(shown: Any, renewed: Callable[[], JobStatus]) -> None:
    """Renew a display until the job is over: its last moment stays there."""
    pause, running = threading.Event(), True
    while running:
        pause.wait(_RENEW_SECONDS)
        status = renewed()
        running = status.running
        shown.update(_Moment(status))


def _page(status: JobStatus) -> Iterator[str]:
    state = "Mining" if status.running else "Ended"
    yield (f"<p>{state}: {counted(sum(row.connected for row in status.executors), 'executor')} at work, "
           f"{hashrate_text(status.hashrate)}, {counted(status.blocks, 'block')}</p>")
    yield "<table><thead><tr>"
    for head in ("executor", "host", "kernel", "threads", "hashes", "hashrate", "accepted", "rejected", "stale",
                 "blocks"):
        yield f"<th>{head}</th>"
    yield "</tr></thead><tbody>"
    for row in status.executors:
        yield "<tr>"
        for text in (row.name, row.host, row.kernel):
            yield f'<td style="text-align: left">{html.escape(text)}</td>'
        for number in (row.threads, row.hashes, hashrate_text(row.hashrate), row.accepted, row.rejected, row.stale,
                       row.blocks):
            yield f'<td style="text-align: right">{number}</td>'
        yield "</tr>"
    yield "</tbody></table>"

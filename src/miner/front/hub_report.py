"""A hub's events as lines: minerd's words, as in `miner.front.report`, with the name of the miner behind them."""

import time
from collections.abc import Callable, Iterator, Sequence

from miner.core.model import Job
from miner.core.source import MovedTo, SourceKind
from miner.core.text import one_line
from miner.front.naming import own_words
from miner.front.report import (
    block_line,
    counted,
    hashrate_text,
    rate,
    reason_lines,
    restart_line,
    share_line,
    source_lines,
    table,
)
from miner.hub.events import (
    HubBlock,
    HubEvent,
    HubShare,
    HubStopped,
    HubSummary,
    MinerJoined,
    MinerLeft,
    MinerReported,
    MinerStats,
)

_METER_SECONDS = 5.0


class HubReport:
    """The lines for what a hub and its miners do. `source` and `kind` are the label and kind of its source of work;
    `quiet` leaves out each miner's hashrate, `longpoll` is whether a node is asked to tell of new blocks by itself. A
    miner's hashrate is told at most every few seconds of `clock`. With `brief` there is no line for each share and each
    hashrate, of which many miners make thousands a second; there is one a minute for the whole hub instead."""

    def __init__(self, source: str, kind: SourceKind, quiet: bool = False, longpoll: bool = True,
                 clock: Callable[[], float] = time.monotonic, *, brief: bool = False) -> None:
        self._brief = brief
        self._source, self._kind, self._quiet, self._longpoll, self._clock = source, kind, quiet, longpoll, clock
        self._metered: dict[str, float] = {}
        self._introduced: set[str] = set()

    def wants(self, event: HubEvent) -> bool:
        """Whether there may be lines for an event. May be asked in another thread."""
        match event:
            case HubShare():
                return not self._brief
            case MinerReported(miner):
                return not self._brief or miner.name not in self._introduced
        return True

    def lines(self, event: HubEvent) -> list[str]:
        """The lines for an event, perhaps none; without time stamps."""
        return list(self._lines(event))

    def _lines(self, event: HubEvent) -> Iterator[str]:
        match event:
            case MinerJoined(miner):
                yield f"{_name(miner.name)} joined from {one_line(miner.host, 64)}" + _agent(miner.agent)
                yield from self._introduce(miner)
            case MinerReported(miner):
                yield from self._introduce(miner)
                yield from self._meter(miner)
            case HubSummary():
                if self._brief:
                    yield _summary(event)
            case HubShare():
                if self._brief:
                    return
                submitted = event.accepted + event.rejected + event.stale
                line = share_line(event.status, event.accepted, submitted, event.hashrate)
                yield f"{line} {_name(event.miner)}"
                yield from reason_lines(event.status, event.reason)
            case HubBlock():
                block = block_line(event.result.share.job, event.block_hash, self._source)
                yield f"{block} {_name(event.miner)}"
            case MinerLeft(miner, reason):
                self._introduced.discard(miner.name)
                yield f"{_name(miner.name)} left: {own_words(reason)}"
            case HubStopped():
                yield f"Hub stopped: {own_words(event.reason)}"
            case Job():
                if event.clean:
                    yield restart_line(self._source, self._kind, self._longpoll)
            case _:
                if isinstance(event, MovedTo):
                    self._source, self._kind = event.label, event.kind
                yield from source_lines(event)

    def _introduce(self, miner: MinerStats) -> Iterator[str]:
        """What a miner hashes with, told once it has said so."""
        if miner.kernel and miner.name not in self._introduced:
            self._introduced.add(miner.name)
            yield (f"{_name(miner.name)} on {one_line(miner.host, 64)}: {counted(miner.threads, 'thread')}, "
                   f"kernel '{one_line(miner.kernel, 32)}'")

    def _meter(self, miner: MinerStats) -> Iterator[str]:
        now = self._clock()
        last = self._metered.get(miner.name)
        if not (self._quiet or self._brief) and miner.hashrate > 0 and (last is None or now - last >= _METER_SECONDS):
            self._metered[miner.name] = now
            yield f"{_name(miner.name)}: {miner.hashes} hashes, {rate(miner.hashrate)}"


def miner_table(miners: Sequence[MinerStats], title: str = "miner") -> list[str]:
    """The summary at the end: a row for each miner of a hub, and the sums. Blocks of a chain that was mined along have
    a column where there are any."""
    rows = [[_name(m.name), one_line(m.host, 64), str(m.hashes), hashrate_text(m.hashrate), str(m.accepted),
             str(m.rejected), str(m.stale), str(m.blocks), str(m.aux_blocks)] for m in miners]
    sums = [sum(column) for column in zip(*((m.hashes, m.hashrate, m.accepted, m.rejected, m.stale, m.blocks,
                                             m.aux_blocks) for m in miners), strict=True)] or [0] * 7
    rows.append(["total", "", str(sums[0]), hashrate_text(sums[1]), *(str(number) for number in sums[2:])])
    heads = [title, "host", "hashes", "hashrate", "accepted", "rejected", "stale", "blocks", "aux blocks"]
    shown = len(heads) if sums[-1] else -1
    return table(heads[:shown], [row[:shown] for row in rows])


def _summary(event: HubSummary) -> str:
    submitted = event.accepted + event.rejected + event.stale
    share = 100 * event.accepted / submitted if submitted else 0.0
    return (f"{counted(event.connected, 'miner')}, {rate(event.hashrate)}, "
            f"accepted: {event.accepted}/{submitted} ({share:.2f}%)")


def _name(name: str) -> str:
    return one_line(name, 64)


def _agent(agent: str) -> str:
    return f" ({one_line(agent, 64)})" if agent else ""

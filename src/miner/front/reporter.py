"""What stands between events and whoever reads about them, and which of them a command has."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from miner.core.events import MinerEvent
from miner.core.source import SourceKind
from miner.hub.events import HubEvent

Event = TypeVar("Event", contravariant=True)


class Reporter(Protocol[Event]):
    """Turns events into lines, in one format. It is given the events of one run in their order, from one thread; what
    it shows are figures that events have, and none of its own."""

    def lines(self, event: Event, /) -> Iterable[str]:
        """None, one or more lines, without time stamps or line ends."""


def miner_reporter(*, quiet: bool = False, debug: bool = False, longpoll: bool = True) -> Reporter[MinerEvent]:
    """For a run of `miner.mine()`. `quiet` and `debug` ask for less and more, `longpoll` is the source's setting."""
    from miner.front.report import Report

    return Report(quiet, debug, longpoll)


def hub_reporter(source: str, kind: SourceKind, *, quiet: bool = False, longpoll: bool = True) -> Reporter[HubEvent]:
    """For a hub whose source of work has this label and kind. `quiet` asks for less, `longpoll` is the source's
    setting."""
    from miner.front.hub_report import HubReport

    return HubReport(source, kind, quiet, longpoll)

"""Reporters, which turn events into lines for whoever reads them; and which reporter a command has."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol, TypeVar

from miner.core.events import MinerEvent
from miner.core.source import SourceKind

if TYPE_CHECKING:
    from miner.hub.events import HubEvent

Event = TypeVar("Event", contravariant=True)


class Reporter(Protocol[Event]):
    """Turns events into lines, in one format. A reporter is given the events of one run in their order, from one
    thread. All figures that it shows stand in the events: it computes none."""

    def lines(self, event: Event, /) -> Iterable[str]:
        """The lines for an event, perhaps none; without time stamps or line ends."""


class HubReporter(Reporter["HubEvent"], Protocol):
    """A Reporter for a hub. Of its many events, those without a line are better not kept: `wants` tells them."""

    def wants(self, event: "HubEvent", /) -> bool:
        """Whether there may be lines for an event. May be asked in any thread."""


def miner_reporter(*, quiet: bool = False, debug: bool = False, longpoll: bool = True) -> Reporter[MinerEvent]:
    """The reporter for a run of `miner.mine()`. `quiet` asks for less, `debug` for more; `longpoll` is the source's
    setting of that name."""
    from miner.front.report import Report

    return Report(quiet, debug, longpoll)


def hub_reporter(source: str, kind: SourceKind, *, quiet: bool = False, longpoll: bool = True,
                 brief: bool = False) -> HubReporter:
    """The reporter for a hub whose source of work has this label and kind. `quiet` asks for less, `brief` for one line
    a minute instead of one for each share; `longpoll` is the source's setting of that name."""
    from miner.front.hub_report import HubReport

    return HubReport(source, kind, quiet, longpoll, brief=brief)

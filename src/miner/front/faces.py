"""What shows a run besides its lines: the file of events and whatever stands on the run's facts. Every command opens
them here."""

import contextlib
import importlib.util
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from miner.core.errors import UsageError
from miner.core.events import MinerEvent
from miner.front.console import Console
from miner.front.settings import FaceSettings, StatusSettings

if TYPE_CHECKING:  # few runs have a face, and a lone miner starts sooner without them
    from miner.front.event_file import EventFile
    from miner.front.facts import Facts
    from miner.front.live import LiveScreen
    from miner.hub.events import HubEvent, MinerStats
    from miner.hub.thread import HubThread
    from miner.status.server import StatusServer

# How long a thread may keep Python's lock while another waits for it (Python's own: 5 ms). A hub that waits for a face
# keeps its miners waiting.
_SWITCH_SECONDS = 0.0005


class Faces:
    """The faces of one run, as its command sees them. `facts`: what screen and status page stand on; None without
    either."""

    def __init__(self, facts: "Facts | None", events: "EventFile | None", screen: "LiveScreen | None", *,
                 status: bool = False) -> None:
        self._facts, self._events, self._screen, self._status = facts, events, screen, status

    @property
    def watched(self) -> bool:
        """Somebody is shown what happens, each share included."""
        return self._status or self._events is not None or self._screen is not None

    @property
    def live(self) -> bool:
        """There is a live screen, which shows what each thread and miner hashes, so that lines needn't."""
        return self._screen is not None

    def invite(self, text: str) -> None:
        """Show on the live screen how miners join, until one has. It may hold a token, so no other face is told."""
        if self._screen is not None:
            self._screen.invitation = text

    def take(self, event: "MinerEvent | HubEvent") -> None:
        """Show an event. May be called from any thread; takes microseconds."""
        if self._facts is not None:
            self._facts.take(event)
        if self._events is not None:
            self._events.take(event)

    def tap(self, wanted: "Callable[[HubEvent], bool]" = lambda event: True) -> "Callable[[HubEvent], bool]":
        """A function for HubThread's `wanted`: it shows each event in the hub's thread, where none is lost, and then
        answers as `wanted` does."""
        def take(event: "HubEvent") -> bool:
            self.take(event)
            return wanted(event)
        return take

    def follow(self, hub: "HubThread") -> None:
        """Take rows and sums from a hub that has been started."""
        if self._facts is None:
            return
        source, (host, port) = hub.source, hub.address
        self._facts.works_for(source.label, source.payee, source.kind, str(source.algorithm))
        self._facts.attach(hub, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


@contextlib.contextmanager
def open_faces(settings: FaceSettings, command: str, console: Console, *, seconds: float = 0.0, blocks: int = 0,
               rows: "Callable[[Iterable[MinerStats]], Iterable[MinerStats]]" = lambda rows: rows) -> Iterator[Faces]:
    """The faces of a run for as long as the context lasts. `command`, `seconds`, `blocks` and `rows` are those of
    Facts. Raises UsageError for what can't be had as asked."""
    live, facts, screen = settings.live and live_is_possible(console), None, None
    with contextlib.ExitStack() as stack:
        events = stack.enter_context(_event_file(settings.events, console)) if settings.events else None
        if live or settings.status is not None:
            from miner.front.facts import Facts

            facts = Facts(command, seconds=seconds, blocks=blocks, host=socket.gethostname(), rows=rows)
            stack.enter_context(console.telling(facts.message))
            stack.callback(sys.setswitchinterval, sys.getswitchinterval())
            sys.setswitchinterval(_SWITCH_SECONDS)
            if live:
                from miner.front.live import LiveScreen

                screen = stack.enter_context(LiveScreen(facts, console))
            if settings.status is not None:
                server = stack.enter_context(_status_server(settings.status, facts, console))
                console.message(f"Status page: {server.url}")
        yield Faces(facts, events, screen, status=settings.status is not None)


def live_is_possible(console: Console) -> bool:
    """Whether stderr is a terminal that can show the live screen, and the extra `live` is installed."""
    err = console.err
    return (err is not None and err.isatty() and console.environ.get("TERM", "") not in ("", "dumb")
            and (err.encoding or "").lower().replace("-", "") == "utf8"
            and importlib.util.find_spec("rich") is not None)


def _event_file(path: str, console: Console) -> "EventFile":
    from miner.front.event_file import EventFile  # and a table of every event, which few runs need

    return EventFile(path, console)


def _status_server(settings: StatusSettings, facts: "Facts", console: Console) -> "StatusServer":
    try:
        from miner.status.server import StatusServer
    except ImportError as error:
        raise UsageError(f"--status needs {error.name}, which is not installed here: "
                         "python -m pip install 'sparkminer[status]'") from None
    return StatusServer(settings, facts, console.message)

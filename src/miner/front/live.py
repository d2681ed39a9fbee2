"""The live screen: shows a run's facts in the terminal, once a second, in place of lines."""

import contextlib
import heapq
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from miner.front.console import Console
from miner.front.facts import Facts
from miner.hub.events import MinerStats

if TYPE_CHECKING:
    from miner.front.live_frame import Rows

_FRAME_SECONDS = 1.0  # from one frame to the next, or
_SHARE = 50  # times as long as a frame, or its rows, take to make: each is to cost 2% of a CPU at most
_LOOK_SECONDS = 0.1  # how soon a resize, or the wish to end, is noticed
_START_SECONDS = 0.5  # so that what fails at once is told in a line, and no screen flashes up
_END_SECONDS = 3.0
_STEP = 50  # rows that are made without a pause,
_PAUSE_SECONDS = 0.002  # which leaves Python's time to the hub


class LiveScreen:
    """Draws on the terminal's alternate screen in a thread of its own, for as long as the context lasts or until
    somebody wants the command to end. Meanwhile messages are shown there alone; the newest of them are printed as
    lines when it is over. A terminal that takes no output (Ctrl-S) holds up that thread and nothing else."""

    def __init__(self, facts: Facts, console: Console) -> None:
        self._facts, self._console = facts, console
        self.invitation = ""  # how miners join a hub, shown while none has
        self._over = threading.Event()
        self._suspend = False
        self._thread = threading.Thread(target=self._run, name="live-screen", daemon=True)
        self._rows_due = 0.0

    def __enter__(self) -> Self:
        self._before = _on_suspend(self._note_suspend)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._over.set()
        if self._before is not None:
            signal.signal(signal.SIGTSTP, self._before)
        self._thread.join(_END_SECONDS)
        if self._thread.is_alive() and self._console.err is not None:
            _let_output_go_on(self._console.err.fileno())
            self._thread.join(_END_SECONDS)

    def _note_suspend(self) -> None:
        """Ctrl-Z: the thread leaves the screen, and then stops the process as the terminal asks."""
        self._suspend = True

    def _run(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if self._ended:
                return
            self._over.wait(_LOOK_SECONDS)
        while not self._ended:
            with self._console.screen() as file:
                self._show(file)
            if self._suspend:
                self._suspend = False
                signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # here and now, until SIGCONT

    @property
    def _ended(self) -> bool:
        return self._over.is_set() or self._console.told_to_end

    def _show(self, file: Any) -> None:
        from rich.console import Console as Terminal
        from rich.console import ConsoleDimensions
        from rich.live import Live

        from miner.front.live_frame import Rows, frame

        terminal = Terminal(file=file, force_terminal=True, _environ=dict(self._console.environ), legacy_windows=False)
        live = Live(console=terminal, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        shown, due, rows = None, 0.0, Rows()
        with contextlib.suppress(OSError), live:
            while not (self._ended or self._suspend):
                now, size = time.monotonic(), _size(file)
                if now >= due or size != shown:
                    shown, began = size, time.thread_time()
                    terminal.size = ConsoleDimensions(*size)
                    rows = self._rows(rows, size.lines)
                    live.update(frame(self._facts.snapshot(), rows, *size, self.invitation), refresh=True)
                    due = now + max(_FRAME_SECONDS, _SHARE * (time.thread_time() - began))
                self._over.wait(_LOOK_SECONDS)

    def _rows(self, last: "Rows", lines: int) -> "Rows":
        """The fastest rows, as many as a screen has lines. With thousands of them they are made seldom."""
        from miner.front.live_frame import Rows

        began = time.monotonic()
        if began < self._rows_due:
            return last
        took, count, gone = time.thread_time(), 0, 0
        best: list[MinerStats] = []
        for some in _batched(self._facts.rows(), _STEP):
            count, gone = count + len(some), gone + sum(not row.connected for row in some)
            best = heapq.nlargest(lines, itertools.chain(best, some), key=_rank)
            if len(some) == _STEP:
                time.sleep(_PAUSE_SECONDS)
        self._rows_due = began + _SHARE * (time.thread_time() - took)
        return Rows(tuple(best), count, gone)


def _on_suspend(note: Callable[[], None]) -> Any:
    """Have `note` called in place of the stop that Ctrl-Z is. Returns the handler from before, None where there is no
    such signal, or no handler can be set."""
    if not hasattr(signal, "SIGTSTP") or threading.current_thread() is not threading.main_thread():
        return None
    return signal.signal(signal.SIGTSTP, lambda number, frame: note())


def _rank(row: MinerStats) -> tuple[bool, float]:
    return row.connected, row.hashrate


def _batched(rows: Iterable[MinerStats], count: int) -> Iterator[list[MinerStats]]:
    iterator = iter(rows)
    while some := list(itertools.islice(iterator, count)):
        yield some


def _size(file: Any) -> os.terminal_size:
    size = os.get_terminal_size(file.fileno())
    return size if size.columns and size.lines else os.terminal_size((80, 24))


def _let_output_go_on(descriptor: int) -> None:
    """Undo Ctrl-S at this terminal, so that its screen can be put back: output goes on when IXON is switched off."""
    with contextlib.suppress(ImportError, OSError):
        import termios

        settings = termios.tcgetattr(descriptor)
        without = [settings[0] & ~termios.IXON, *settings[1:]]
        for each in (without, settings):
            termios.tcsetattr(descriptor, termios.TCSANOW, each)

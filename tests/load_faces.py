"""What looking at a hub costs it: `python -m miner hub` under the load of `python -m miner swarm`, with and without
those who look, taking turns.

    make faces                                               # the table of docs/scale.md; about half an hour
    cd tests && ../.venv/bin/python load_faces.py --turns 4 viewers

Each figure is a median, of seconds or of turns, of those with a face and those without. A machine that others use as
well bears this: what they take, they take from both."""

import argparse
import contextlib
import fcntl
import os
import pty
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from load import ramp_of
from load_players import HubProcess, SwarmProcess

_SETTLE_SECONDS = 6.0  # at the beginning of a turn, which are left out: then all viewers have loaded the page


class Seen:
    """What was measured with a face (True) and without (False): p99 of the latency by the second, in seconds, and the
    hub's CPU seconds a second by the turn."""

    def __init__(self) -> None:
        self.p99: dict[bool, list[float]] = {False: [], True: []}
        self.p50: dict[bool, list[float]] = {False: [], True: []}
        self.cpu: dict[bool, list[float]] = {False: [], True: []}

    def measure(self, on: bool, hub: HubProcess, seconds: float) -> tuple[float, float]:
        """Take the hub's CPU for so long. Returns when that began and ended."""
        cpu, began = hub.cpu, time.monotonic()
        time.sleep(seconds)
        ended = time.monotonic()
        self.cpu[on].append((hub.cpu - cpu) / (ended - began))
        return began, ended

    def add(self, on: bool, swarm: SwarmProcess, began: float, ended: float) -> None:
        """Take the latencies of the swarm's seconds between these times. The first call waits for the swarm's end."""
        for point in swarm.figures()["course"]:
            at = swarm.began + point["at"]
            if at >= began and at + point["seconds"] <= ended and point["answers"]:
                self.p50[on].append(point["p50"])
                self.p99[on].append(point["p99"])

    def lines(self, name: str) -> Iterator[str]:
        for words, found, scale, unit in (("median", self.p50, 1e3, "ms"), ("p99", self.p99, 1e3, "ms"),
                                          ("the hub's CPU", self.cpu, 100, "%")):
            without, with_it = (statistics.median(found[on]) * scale for on in (False, True))
            yield f"| {name}: {words} | {without:.2f} {unit} | {with_it:.2f} {unit} | {with_it / without - 1:+.1%} |"


class WatchedHub(HubProcess):
    """A hub with a status page."""

    def __init__(self, miners: int, shares: float) -> None:
        self._lines = tempfile.TemporaryFile("w+")  # noqa: SIM115
        super().__init__(miners, shares, "--status", "0", stderr=self._lines)

    @property
    def page(self) -> str:
        """The page's URL."""
        self._lines.seek(0)
        return self._lines.read().partition("Status page: ")[2].split()[0]


@contextlib.contextmanager
def viewers(url: str, count: int) -> Iterator[None]:
    """So many browsers look at the page, all in one process."""
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("viewers.py")), url, str(count)],
                               start_new_session=True, stdout=subprocess.PIPE, text=True)
    last = [""]

    def read() -> None:
        for line in process.stdout or ():
            last[0] = line

    threading.Thread(target=read, daemon=True).start()
    try:
        yield
        assert process.poll() is None, "the viewers have ended"
    finally:
        process.terminate()
        process.wait()
        print(last[0].strip(), file=sys.stderr)


def page(plan: argparse.Namespace) -> Seen:
    """Viewers come and go while one swarm goes on."""
    seen = Seen()
    turns = [bool(number % 2) for number in range(2 * plan.turns)]
    with WatchedHub(plan.miners, plan.shares) as hub:
        ramp = ramp_of(plan.miners)
        swarm = SwarmProcess(hub.url, plan.miners, plan.shares, ramp, plan.seconds * (len(turns) + 1) + 10)
        swarm.wait_for_all()
        time.sleep(5)
        spans = []
        for on in turns:
            with viewers(hub.page, plan.viewers) if on else contextlib.nullcontext():
                time.sleep(_SETTLE_SECONDS)
                spans.append((on, *seen.measure(on, hub, plan.seconds - _SETTLE_SECONDS)))
        for on, began, ended in spans:
            seen.add(on, swarm, began, ended)
    return seen


def alone(plan: argparse.Namespace, hub_with: Callable[[], "contextlib.AbstractContextManager[HubProcess]"]) -> Seen:
    """A hub of its own for each turn."""
    seen = Seen()
    for number in range(2 * plan.turns):
        on = bool(number % 2)
        with hub_with() if on else HubProcess(plan.miners, plan.shares) as hub:
            swarm = SwarmProcess(hub.url, plan.miners, plan.shares, ramp_of(plan.miners), plan.seconds + 5)
            swarm.wait_for_all()
            time.sleep(3)
            seen.add(on, swarm, *seen.measure(on, hub, plan.seconds))
    return seen


@contextlib.contextmanager
def with_events(plan: argparse.Namespace) -> Iterator[HubProcess]:
    with tempfile.NamedTemporaryFile() as file, HubProcess(plan.miners, plan.shares, "--events", file.name) as hub:
        yield hub


@contextlib.contextmanager
def with_screen(plan: argparse.Namespace) -> Iterator[HubProcess]:
    """A hub on a terminal of 200 by 50 characters, which takes all that is written."""
    ours, its = pty.openpty()
    os.environ["TERM"] = "xterm-256color"
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))

    def read() -> None:
        with contextlib.suppress(OSError):
            while os.read(ours, 1 << 16):
                pass

    threading.Thread(target=read, daemon=True).start()
    try:
        with HubProcess(plan.miners, plan.shares, stderr=its) as hub:
            yield hub
    finally:
        os.close(its)
        os.close(ours)


PARTS: dict[str, Callable[[argparse.Namespace], Seen]] = {
    "viewers": page,
    "events": lambda plan: alone(plan, lambda: with_events(plan)),
    "live": lambda plan: alone(plan, lambda: with_screen(plan)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--miners", type=int, default=10_000, metavar="N")
    parser.add_argument("--shares", type=float, default=1000.0, metavar="N", help="a second")
    parser.add_argument("--viewers", type=int, default=50, metavar="N")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="N", help="of each turn")
    parser.add_argument("--turns", type=int, default=5, metavar="N", help="with each face, and as many without")
    plan = parser.parse_args()
    print(f"| {plan.miners:,} miners, {plan.shares:,.0f} shares/s | without | with | |\n| --- | --- | --- | --- |")
    for part in plan.parts or PARTS:
        seen = PARTS[part](plan)
        print(*seen.lines(part), sep="\n", flush=True)
        print(f"{part}: load {os.getloadavg()[0]:.1f}, {vars(seen)}", file=sys.stderr)


if __name__ == "__main__":
    main()

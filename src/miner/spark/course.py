"""Each executor's hashrate over the time of a run, and a picture of it."""

from miner.core.text import one_line
from miner.front.report import counted, hashrate_text
from miner.front.timeline import Curve, draw_hashrates
from miner.hub.events import HubEvent, MinerJoined, MinerLeft, MinerReported
from miner.spark.summary import executor_of

POINTS = 300  # of a curve, at most; then each second one goes
_STEP_SECONDS = 1.0  # from one point to the next, to begin with
CURVES = 8  # in a picture, at most; beyond that the others are one curve, their mean


class HashrateCourse:
    """Takes a hub's events, each at the moment when it comes (`now`, on a clock that never goes back). An executor has
    POINTS points at most."""

    def __init__(self) -> None:
        self._rates: dict[str, dict[str, float]] = {}  # H/s of the miners that are here, by executor
        self._points: dict[str, list[tuple[float, float | None]]] = {}
        self._step = _STEP_SECONDS
        self._began = self._due = -1.0

    def take(self, event: HubEvent, now: float) -> None:
        """Take an event."""
        if isinstance(event, MinerJoined | MinerReported | MinerLeft):
            if self._began < 0:
                self._began = self._due = now
            executor = executor_of(event.miner.name)
            miners = self._rates.setdefault(executor, {})
            if isinstance(event, MinerLeft):
                miners.pop(event.miner.name, None)
            else:
                miners[event.miner.name] = event.miner.hashrate
        if self._began >= 0 and now >= self._due:
            self._look(now)

    def _look(self, now: float) -> None:
        self._due = now + self._step
        for executor, miners in self._rates.items():
            points = self._points.setdefault(executor, [])
            points.append((now - self._began, sum(miners.values()) if miners else None))
        if max(map(len, self._points.values()), default=0) >= POINTS:
            self._step *= 2
            for executor, points in self._points.items():
                self._points[executor] = list(reversed(points[::-2]))  # from the end, which all have in common

    def curves(self) -> list[Curve]:
        """A curve for each executor, in the order in which they came. Of more than CURVES the first ones, and the mean
        of the others that were here."""
        curves = [Curve(one_line(executor, 64), tuple(points)) for executor, points in self._points.items()]
        if len(curves) <= CURVES:
            return curves
        others: dict[float, list[float]] = {}
        for curve in curves[CURVES - 1:]:
            for at, rate in curve.points:
                others.setdefault(at, []).extend([] if rate is None else [rate])
        mean = tuple((at, sum(rates) / len(rates) if rates else None) for at, rates in sorted(others.items()))
        return [*curves[:CURVES - 1], Curve(f"mean of {len(curves) - CURVES + 1}", mean)]

    def picture(self, algorithm: str, kernels: str, hashrate: float) -> str:
        """The curves as SVG. `kernels`: what was hashed with; `hashrate`: of all together over the run, H/s."""
        executors = counted(len(self._points), "executor")
        return draw_hashrates("Hashrate of each executor over time",
                              f"{algorithm} on {executors}: {kernels or 'no kernel'}; all together "
                              f"{hashrate_text(hashrate)}", self.curves())

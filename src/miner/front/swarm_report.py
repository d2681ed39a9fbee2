"""What `miner swarm` tells: a live line, a table, JSON and a picture."""

from collections.abc import Iterator, Sequence
from typing import Any

from miner.front.report import counted, table
from miner.front.timeline import Curve, draw_timeline
from miner.swarm.book import Book, Point
from miner.swarm.histogram import Histogram
from miner.swarm.plan import Plan

_PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}


def live_line(book: Book, point: Point) -> str:
    """How it goes in this second."""
    latency = point.latency
    trouble = "".join(f", {count} {words}" for count, words in (
        (book.refused, "refused"), (book.hung_up, "hung up"), (book.late, "not made in time")) if count)
    return (f"{book.here} of {book.miners} miners, {point.answers / max(point.span, 0.001):.0f} shares/s answered, "
            f"p50 {_time(latency.percentile(0.5))}, p99 {_time(latency.percentile(0.99))}{trouble}")


def report_lines(plan: Plan, book: Book, cpu: float) -> Iterator[str]:
    """The figures as a table, and below it what was refused or went wrong."""
    heads = ["", "number", *_PERCENTILES, "max"]
    rows = [_row(name, times) for name, times in _times(book).items() if times.total]
    yield from table(heads, rows)
    yield ""
    seconds = max(book.ended - book.began, 0.001)
    opening = max(book.opened_at - book.began, 0.001)
    yield (f"Connections: {min(book.opened, book.miners)} of {book.miners} within {opening:.1f} s "
           f"({min(book.opened, book.miners) / opening:.0f}/s), {book.hung_up} lost")
    yield (f"Shares: {book.sent} handed in by honest miners ({book.sent / seconds:.0f}/s), {book.accepted} accepted, "
           f"{book.refused} refused, {book.unanswered} without an answer")
    if book.late or book.held_back:
        yield (f"Left out: {book.late} shares that could not be searched for in time, {book.held_back} of miners whose "
               "earlier ones wait")
    if book.wrong_sent:
        yield f"Junk: {book.wrong_sent} wrong shares handed in, {book.wrong_accepted} of them accepted"
    if book.storm_seconds is not None:
        yield f"Storm: all were back with a job after {book.storm_seconds:.1f} s"
    elif plan.storm:
        yield "Storm: not all were back by the end"
    for name, counts in (("Refused", book.refusals), ("Error", book.errors)):
        for words, count in counts.most_common():
            yield f"{name}: {words}: {counted(count, 'time')}"
    yield f"Own CPU: {cpu:.0%} of a core"


def figures(plan: Plan, book: Book, cpu: float) -> dict[str, Any]:
    """The figures as JSON has them; times in seconds, rates a second."""
    seconds = max(book.ended - book.began, 0.001)
    return {
        "miners": plan.miners, "shares_per_second": plan.shares, "ramp": plan.ramp, "seconds": plan.seconds,
        "roles": {role.value: count for role, count in plan.roles.items()},
        "connected": min(book.opened, book.miners), "connecting_seconds": book.opened_at - book.began,
        "connections_lost": book.hung_up, "storm_seconds": book.storm_seconds,
        "sent": book.sent, "sent_per_second": book.sent / seconds, "accepted": book.accepted, "refused": book.refused,
        "unanswered": book.unanswered, "late": book.late, "held_back": book.held_back,
        "junk_sent": book.wrong_sent, "junk_accepted": book.wrong_accepted, "blocks": book.blocks,
        "refusals": dict(book.refusals), "errors": dict(book.errors), "own_cpu": cpu,
        "times": {name: {"number": times.total, "max": times.largest}
                  | {head: times.percentile(part) for head, part in _PERCENTILES.items()}
                  for name, times in _times(book).items()},
        "course": [{"at": point.seconds, "seconds": point.span, "answers": point.answers,
                    "p50": point.latency.percentile(0.5), "p99": point.latency.percentile(0.99),
                    "max": point.latency.largest} for point in book.course],
    }


def chart(plan: Plan, book: Book, subtitle: str) -> str:
    """Share latency over time, as SVG."""
    points = [point for point in book.course if point.answers]
    curves = [Curve(name, [(point.seconds, point.latency.percentile(part)) for point in points])
              for name, part in (("median", 0.5), ("p99", 0.99), ("longest", 1.0))]
    return draw_timeline(f"Share latency: {counted(plan.miners, 'miner')}, {plan.shares:g} shares/s", subtitle, curves)


def _times(book: Book) -> dict[str, Histogram]:
    return {"share latency": book.latency, "to connect": book.connecting, "to the first job": book.first_job,
            "own block to first new job": book.job_first, "new job, first to median": book.job_median,
            "new job, first to last": book.job_last, "own delay": book.own_delay}


def _row(name: str, times: Histogram) -> Sequence[str]:
    return [name, str(times.total), *(_time(times.percentile(part)) for part in _PERCENTILES.values()),
            _time(times.largest)]


def _time(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 0.9995 else f"{seconds:.3g} s"

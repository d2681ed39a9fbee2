"""Pictures of what happens over time, and each executor's hashrate in them."""

import dataclasses
from xml.etree import ElementTree

from miner.front.timeline import Curve, draw_hashrates, draw_timeline
from miner.hub.events import HubEvent, MinerJoined, MinerLeft, MinerReported, MinerStats
from miner.spark.course import CURVES, POINTS, HashrateCourse

SVG = "{http://www.w3.org/2000/svg}"
ROW = MinerStats("executor-0.1", "h", "a", "avx2", 1, 0, 0.0, False, 0, 0, 0, 0, 0.0, True)


def row(name: str, hashrate: float = 0.0) -> MinerStats:
    return dataclasses.replace(ROW, name=name, hashrate=hashrate)


def course(*events: tuple[float, HubEvent]) -> HashrateCourse:
    taken = HashrateCourse()
    for at, event in events:
        taken.take(event, at)
    return taken


def test_an_executors_hashrate_is_the_sum_of_its_miners_and_has_gaps_where_it_was_away() -> None:
    curves = course(
        (100, MinerJoined(row("executor-0.1", 5.0))), (101, MinerReported(row("executor-0.2", 7.0))),
        (102, MinerLeft(row("executor-0.1"), "")), (103, MinerLeft(row("executor-0.2"), "")),
        (104, MinerJoined(row("executor-1.1", 9.0)))).curves()
    assert curves == [Curve("executor-0", ((0, 5.0), (1, 12.0), (2, 7.0), (3, None), (4, None))),
                      Curve("executor-1", ((4, 9.0),))]


def test_a_long_run_has_as_many_points_as_a_short_one() -> None:
    taken = course(*((at, MinerReported(row(f"executor-{number}.1", 1.0 + number)))
                     for at in range(5 * POINTS) for number in range(2 + 9 * (at > 10))))
    curves = taken.curves()
    assert all(POINTS / 4 <= len(curve.points) <= POINTS for curve in curves)
    assert len(curves) == CURVES and curves[-1].name == "mean of 4"
    assert {rate for _, rate in curves[-1].points} == {9.5}, "the points of all are of equal times"
    assert curves[0].points[-1][0] > 5 * POINTS - 20


def test_curves_are_told_apart_without_colours() -> None:
    names = [f"executor-{number}" for number in range(CURVES)]
    picture = draw_hashrates("title", "<&>", [
        Curve(name, [(0, 10.0), (1, None), (2, 11.0), (3, 10.0)]) for name in names])
    root = ElementTree.fromstring(picture)
    lines = root.findall(f"{SVG}polyline")
    dashes = [line.get("stroke-dasharray") for line in lines]
    assert len(set(dashes)) == len({mark.get("d") for mark in root.findall(f"{SVG}path")}) == CURVES
    assert len(lines) == CURVES * 3, "two pieces with a gap between them, and the one beside the name"
    heights = sorted(float(text.get("y") or 0) for text in root.findall(f"{SVG}text") if text.text in names)
    assert all(below - above >= 14 for above, below in zip(heights, heights[1:], strict=False))
    assert heights[-1] < float(root.get("height") or 0)


def test_a_picture_of_nothing_is_one() -> None:
    for draw in (draw_hashrates, draw_timeline):
        assert ElementTree.fromstring(draw("title", "", [])).get("aria-label") == "title"
    assert "no kernel" in HashrateCourse().picture("scrypt", "", 0.0)

"""The live screen as a picture of given figures, at every size."""

import dataclasses
import io
import re
from collections.abc import Iterator

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.screen import Screen

from miner.core.source import SourceKind
from miner.front.facts import Facts
from miner.front.live_frame import Rows, ago, clock, frame, short, span, sparkline
from miner.front.snapshot import Block, Message, Sample, Snapshot, Thread
from miner.hub.events import MinerStats


def stats(number: int, **changes: object) -> MinerStats:
    row = MinerStats(f"miner-{number}", f"10.0.{number // 256}.{number % 256}", "agent", "avx512_shani", 2, 10**12,
                     1000.0 * number, False, 123456, 2, 3, 1, 1e9, True, hashrate_1m=999.0 * number,
                     hashrate_15m=990.0 * number, last_share=1e9, difficulty=0.123456)
    return dataclasses.replace(row, **changes)  # type: ignore[arg-type]


def moment(**changes: object) -> Snapshot:
    messages = tuple(Message(number, 1e9 + number, f"message {number}") for number in range(100))
    samples = tuple(Sample(1e9 + number, 100.0 * number, 3, number % 5, 0, 0, 0.1) for number in range(300))
    now = dataclasses.replace(
        Facts("hub", seconds=100.0, clock=lambda: 1e9).snapshot(), algorithm="scrypt", kind=SourceKind.POOL,
        source="stratum+tcp://" + "pool" * 50, payee="pool user u", share_difficulty=1e-6, network_difficulty=3e13,
        share_seconds=0.5, block_seconds=1e15, height=10**6, time=1e9 + 30, messages=messages, recent=samples,
        hashrate=1.5e9, hashrate_1m=1.4e9, hashrate_15m=1.3e9, found=(Block(1e9, "ab" * 32, 7, "miner-1", "p"),),
        blocks=1)
    return dataclasses.replace(now, **changes)  # type: ignore[arg-type]


def drawn(now: Snapshot, rows: Rows, width: int, height: int, invitation: str = "") -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None, force_terminal=True)
    lines = console.render_lines(Screen(frame(now, rows, width, height, invitation)))
    return ["".join(segment.text for segment in line).rstrip() for line in lines]


def sizes() -> Iterator[tuple[int, int]]:
    for width in (20, 40, 69, 80, 109, 200):
        for height in (5, 10, 24, 50):
            yield width, height


@pytest.mark.parametrize("count", [0, 1, 3, 1000])
def test_it_fits_every_size(count: int) -> None:
    fastest = tuple(stats(number) for number in reversed(range(max(0, count - 100), count)))
    for width, height in sizes():
        lines = drawn(moment(), Rows(fastest[:height], count), width, height, "join " * 30)
        assert all(cell_len(line) <= width for line in lines), (width, height)
        assert len(lines) == height, "cut there, as the live screen is"


def test_a_thousand_miners_are_the_fastest_that_fit() -> None:
    rows = Rows(tuple(stats(number) for number in reversed(range(900, 1000))), 1000, 4)
    lines = drawn(moment(), rows, 80, 24)
    shown = [line for line in lines if line.startswith("miner-")]
    assert len(lines) == 24
    assert shown[0].startswith("miner-999") and "999k" in shown[0] and len(shown) >= 5
    assert any(line.startswith(f"1000 miners, 4 of them gone; the {len(shown)} fastest ─") for line in lines)
    assert lines[-1].endswith("message 99"), "the newest is last"


def test_columns_keep_their_widths_whatever_is_in_them() -> None:
    wild = stats(1, name="☃" * 64, host="[bold]x[/bold]" * 9, hashrate=123456789e9, accepted=10**15, rejected=10**9,
                 stale=10**9, last_share=1.0, difficulty=1e60, blocks=10**12, kernel="k" * 99, threads=9999)
    for width, height in sizes():
        assert all(cell_len(line) <= width for line in drawn(moment(), Rows((wild, stats(2)), 2), width, height))
    assert "[bold]" in "".join(drawn(moment(), Rows((wild,), 1), 200, 50)), "names are no markup"


def test_what_is_left_of_a_run_is_a_bar() -> None:
    lines = drawn(moment(since=1e9, blocks=3, goal_blocks=8), Rows(), 80, 24)
    assert any(re.fullmatch("━+╸? +3 of 8 blocks", line) for line in lines)
    assert any(re.fullmatch("━+╸? +30%, 0:01:10 left", line) for line in lines)
    assert any(line.endswith(" 0%, 0:01:40 left") for line in drawn(moment(), Rows(), 80, 24)), "nothing has begun"


def test_threads_of_a_miner_alone_are_there() -> None:
    threads = tuple(Thread(number, None if number else 5, 1000.0) for number in range(64))
    lines = drawn(moment(command="miner", threads=threads), Rows((stats(1),), 1), 80, 24)
    assert any(line.startswith("thread 0 cpu 5 1k") for line in lines) and len(lines) == 24


def test_numbers_are_short() -> None:
    assert [short(number) for number in (0, 7, 12.34, 999, 999.6, 60110, 1.234e6, 5e9, 1e13, 1e-9)] == [
        "0", "7", "12.3", "999", "1k", "60.1k", "1.23M", "5G", "10T", "<0.01"]
    assert [ago(seconds) for seconds in (-1, 0, 59.9, 60, 7200, 1e6)] == ["0s", "0s", "59s", "1m", "2h", "11d"]
    assert [clock(seconds) for seconds in (0, 61, 360000)] == ["0:00:00", "0:01:01", "100:00:00"]
    assert [span(seconds) for seconds in (0.5, 60, 600, 86400, 3e9)] == [
        "0.5 s", "60 s", "10 min", "24 h", "95.1 years"]
    assert sparkline([0, 1, 2, 4, 8], 4) == "▂▃▅█" and sparkline([0.0, 0.0], 9) == "▁▁" and sparkline([1], 0) == ""

"""The live screen: in a pseudo-terminal as people have it, and as a picture of given figures at every size."""

import dataclasses
import io
import os
import pty
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.screen import Screen

import commands
from miner.core.source import SourceKind
from miner.front import console as streams
from miner.front.faces import live_is_possible
from miner.front.facts import Facts
from miner.front.live_frame import Rows, ago, clock, frame, short, span, sparkline
from miner.front.snapshot import Block, Message, Sample, Snapshot, Thread
from miner.hub.events import MinerStats
from terminal import Terminal, miner, terminal

SANDBOX = ("--sandbox", "-a", "scrypt:16", "-t", "1")
COLOURS = rb"\x1b\[(?:[\d;]*;)?(?:3[0-8]|4[0-8]|9[0-7])[;m]"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals like these")


def shows(screen: Terminal, *patterns: str) -> bool:
    return all(re.search(pattern, screen.text, re.MULTILINE) for pattern in patterns)


def test_80_by_24_has_it_all_and_the_terminal_is_clean_afterwards() -> None:
    with terminal(80, 24, *miner(*SANDBOX, "--seconds", "600")) as screen:
        before = screen.settings()
        screen.read_until(lambda: shows(
            screen, r"^sparkminer \S+ miner +up 0:\d\d:\d\d$", r"^scrypt:16 from sandbox chain", r"^paid to nobody",
            r"[1-9][\d.]* kH/s, 1 min [\d.]+ kH/s, 15 min [\d.]+ kH/s +[▁-█]+",
            r"[1-9]\d* shares? accepted, 0 rejected",
            r"share difficulty \S+, every .*; block at height \d+", r"\d+ blocks? found; \d+s ago [0-9a-f]{10}",
            r"\d+%, 0:0\d:\d\d left$", r"^1 miner ─+$",
            r"^name +thr +kernel +H/s +1 min 15min +acc +rej stale +last +diff$",
            r"^\S+ +1 \w+ .* \d+s +\S+$", r"thread 0( cpu \d+)? +\S+", r"^messages ─+$",
            r"^\d\d:\d\d:\d\d accepted: \d+/\d+ \(100\.00%\)"))
        assert "before" not in screen.text
        screen.type(b"\x03")
        assert screen.read_to_end() == 0
        assert screen.clean and screen.settings() == before
        assert shows(screen, r"^\[.*\] Done: \d+ hashes in ")
        assert re.search(COLOURS, screen.raw)


def test_a_hub_at_200_by_50_says_how_to_join_and_has_a_row_for_each_miner() -> None:
    with terminal(200, 50, *miner("hub", "--sandbox", "-a", "scrypt:16")) as hub:
        hub.read_until(lambda: shows(hub, r"miners connect to 127\.0\.0\.1:\d+", r"^A miner joins with: .* -p \S+$",
                                     r"^0 miners ─"))
        found = re.search(r"-o (\S+) --hub -u NAME -p (\S+)", hub.text)
        assert found
        joining = ("-a", "scrypt:16", "-t", "1", "-o", found[1], "--hub", "-p", found[2])
        with commands.running(*joining, "-u", "alice"), commands.running(*joining, "-u", "bob"):
            hub.read_until(lambda: shows(
                hub, r"^2 miners ─+$", r"^name +host +thr kernel .* accepted +rej +stale +last +diff +blocks$",
                r"^alice +\S+ +1 \w+ .* [1-9]\d* +0 +\d+ +\d+[sm] ", r"^bob +\S+ +1 ",
                r"alice joined from 127\.0\.0\.1"))
            assert "A miner joins" not in hub.text
        hub.read_until(lambda: shows(hub, r"2 miners, 2 of them gone"))
        hub.type(b"\x03")
        assert hub.read_to_end() == 0
        assert hub.clean and shows(hub, r"^alice +\S+ +\d+ ", r"^total ")


def test_it_follows_the_size_of_the_terminal_which_a_hang_up_leaves_clean() -> None:
    with terminal(80, 24, *miner(*SANDBOX)) as screen:
        before = screen.settings()
        screen.read_until(lambda: shows(screen, r"^messages ─{71}$"))
        screen.resize(120, 40)
        screen.read_until(lambda: shows(screen, r"^messages ─{111}$", r"^name +host +thr"))
        screen.resize(40, 10)
        screen.read_until(lambda: shows(screen, r"^1 miner ─{32}$"))
        screen.process.send_signal(signal.SIGHUP)
        assert screen.read_to_end() == 0 and screen.clean and screen.settings() == before


def test_a_terminal_that_was_stopped_by_ctrl_s_is_left_clean_too() -> None:
    with terminal(100, 60, *miner(*SANDBOX)) as screen:
        before = screen.settings()
        screen.read_until(lambda: not screen.clean and shows(screen, "accepted,"))
        screen.type(b"\x13")
        screen.process.send_signal(signal.SIGTERM)
        assert screen.read_to_end() == 0
        assert screen.clean and screen.settings() == before and screen.lines[0] == "before"
        assert shows(screen, r"\] Done: ")


def test_what_fails_is_told_in_the_terminal_that_is_left() -> None:
    with terminal(80, 24, *miner("-a", "sha256d", "-o", "stratum+tcp://127.0.0.1:1", "-u", "x", "-r", "1", "-R", "1",
                                 "-t", "1")) as screen:
        assert screen.read_to_end() == 1
        assert screen.clean and shows(screen, "refused|giving up")


def test_ctrl_z_gives_the_terminal_back_until_the_process_goes_on() -> None:
    with terminal(100, 60, *miner(*SANDBOX)) as screen:
        screen.read_until(lambda: not screen.clean and shows(screen, "accepted,"))
        screen.type(b"\x1a")
        screen.read_until(lambda: screen.clean and state(screen.process.pid) == "T")
        assert screen.lines[0] == "before"
        screen.process.send_signal(signal.SIGCONT)
        screen.read_until(lambda: not screen.clean and shows(screen, "accepted,"))
        screen.type(b"\x03")
        assert screen.read_to_end() == 0 and screen.clean


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize(("term", "encoding", "possible"), [
    ("xterm", "utf-8", True), ("dumb", "utf-8", False), ("", "utf-8", False), ("xterm", "ascii", False)])
def test_it_is_there_where_a_terminal_can_show_it(term: str, encoding: str, possible: bool) -> None:
    ours, theirs = pty.openpty()
    try:
        with os.fdopen(theirs, "w", encoding=encoding) as err:
            assert live_is_possible(streams.Console(err=err, environ={"TERM": term})) is possible
    finally:
        os.close(ours)


@pytest.mark.parametrize("option", ["--no-live", "-D", "-P"])
def test_lines_where_they_are_asked_for(option: str) -> None:
    with terminal(80, 24, *miner(*SANDBOX, "--blocks", "1", option)) as screen:
        assert screen.read_to_end() == 0
        assert b"\x1b" not in screen.raw and b"khash/s" in screen.raw


def test_lines_where_the_extra_is_missing() -> None:
    code = "import sys; sys.modules['rich'] = None; from miner.cli import main; sys.exit(main(sys.argv[1:]))"
    with terminal(80, 24, sys.executable, "-c", code, *SANDBOX, "--blocks", "1") as screen:
        assert screen.read_to_end() == 0
        assert b"\x1b" not in screen.raw and b"khash/s" in screen.raw
        assert b"sparkminer[" not in screen.raw, "what isn't asked for isn't missed"


def test_lines_where_stderr_is_no_terminal(tmp_path: Path) -> None:
    path = tmp_path / "err"
    with terminal(80, 24, "sh", "-c", 'exec "$@" 2>"$0"', str(path), *miner(*SANDBOX, "--blocks", "1")) as screen:
        assert screen.read_to_end() == 0 and b"\x1b" not in screen.raw
    assert "accepted: 1/1" in path.read_text()


def test_no_color() -> None:
    with terminal(80, 24, *miner(*SANDBOX), NO_COLOR="1") as screen:
        screen.read_until(lambda: not screen.clean and shows(screen, "accepted,"))
        screen.type(b"\x03")
        assert screen.read_to_end() == 0
        assert not re.search(COLOURS, screen.raw)


# The picture

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

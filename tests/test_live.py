"""The live screen in a pseudo-terminal, as people have it."""

import os
import pty
import re
import signal
import sys
from pathlib import Path

import pytest

import commands
from miner.front import console as streams
from miner.front.faces import live_is_possible
from terminal import Terminal, miner, terminal

SANDBOX = ("--sandbox", "-a", "scrypt:16", "-t", "1", "--cpu-limit", "20%")  # what is drawn takes the rest
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

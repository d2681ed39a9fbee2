"""Locks between processes: one holder at a time, and nobody waits for one without end."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from miner.engine.hostlock import exclusive, try_lock

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="flock is not Windows'")


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A lock that another process holds until its stdin closes."""
    code = ("import sys, pathlib; from miner.engine.hostlock import try_lock\n"
            "print(try_lock(pathlib.Path(sys.argv[1])) is not None, flush=True); sys.stdin.read()")
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        yield path
        other.kill()
        other.wait(10)
    descriptor = try_lock(path)
    assert descriptor is not None  # the dead hold nothing


def test_one_holder_at_a_time(held: Path) -> None:
    assert try_lock(held) is None


def test_who_has_waited_long_enough_goes_on_without(held: Path) -> None:
    with exclusive(held, seconds=0.1):
        assert try_lock(held) is None


def test_who_is_told_to_stop_waits_no_longer(held: Path) -> None:
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    started = time.monotonic()
    with exclusive(held, 300, stop):
        assert time.monotonic() - started < 60


def test_one_follows_the_other(tmp_path: Path) -> None:
    code = ("import sys, pathlib, time; from miner.engine.hostlock import exclusive\n"
            "log = pathlib.Path(sys.argv[1], 'log')\n"
            "with exclusive(pathlib.Path(sys.argv[1], 'lock'), 60), log.open('a') as file:\n"
            "    for word in ('in', 'out'):\n"
            "        print(sys.argv[2], word, file=file, flush=True); time.sleep(0.05)")
    others = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in "abcd"]
    assert [other.wait(60) for other in others] == [0] * 4
    lines = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert [word for _, word in lines] == ["in", "out"] * 4
    assert all(lines[at][0] == lines[at + 1][0] for at in range(0, 8, 2))


def test_where_there_can_be_no_lock_nobody_waits(tmp_path: Path) -> None:
    started = time.monotonic()
    with exclusive(tmp_path / "missing" / "lock", seconds=60):
        pass
    assert time.monotonic() - started < 30

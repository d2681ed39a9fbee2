"""`python -m miner`: real runs on the sandbox chain, in this process and as a process of its own."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import commands
import miner
from commands import STAMP, interrupt, run, run_here, running, wait_for
from counterparts import minerd, require
from miner import session
from miner.cli.mine import parser
from miner.core.events import MinerEvent
from miner.front import reporter
from miner.front.minerd import LONG_OPTIONS
from miner.front.reporter import Reporter

SECRET = "hunter2-is-secret"
MINERD = "build pooler's cpuminer 2.5.1 and set MINERD to the program"
SANDBOX = ("--sandbox", "-a", "scrypt:16", "-t", "1")


@pytest.fixture
def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def matching(pattern: str, lines: list[str]) -> list[str]:
    return [line for line in lines if re.fullmatch(pattern, line)]


def test_a_run_on_the_sandbox_tells_everything_in_minerds_words() -> None:
    done = run_here(*SANDBOX, "--blocks", "1")
    assert done.status == 0
    assert done.out == []
    assert all(STAMP.match(line) for line in done.err)
    assert "1 miner threads started, using 'scrypt:16' algorithm." in done.lines
    assert any("nobody (sandbox chain)" in line for line in done.lines)
    assert matching(r"accepted: \d+/\d+ \(100\.00%\), \d+\.\d\d khash/s \(yay!!!\)", done.lines)
    assert matching(r"thread 0: \d+ hashes, \d+(\.\d\d)? khash/s", done.lines)
    assert matching(r"BLOCK found at height 1, sandbox chain .*", done.lines)
    assert matching(r"Done: \d+ hashes in \d+\.\d s, .* accepted, 0 rejected, \d+ stale; \d+ blocks?", done.lines[-1:])


def test_quiet_leaves_out_threads() -> None:
    lines = run_here(*SANDBOX, "--blocks", "1", "-q").lines
    assert not [line for line in lines if line.startswith("thread 0:")]
    assert [line for line in lines if line.startswith("accepted:")]


def test_debug_tells_jobs() -> None:
    assert [line for line in run_here(*SANDBOX, "--blocks", "1", "-D").lines if line.startswith("DEBUG: job")]


@pytest.mark.parametrize("args", [
    [], ["-t", "2"], ["-a", "scrypt"], ["-o", "stratum+tcp://pool.example:1"], ["--sandbox", "-t", "x"], ["--bogus"],
    ["mine"], ["hub"], ["hub", "--sandbox", "--listen", "x"], ["hub", "--sandbox", "-t", "1"],
    ["bench", "--bogus"], ["bench", "-a", "x11"],
])
def test_wrong_usage_is_one_line_and_status_2(args: list[str]) -> None:
    done = run_here(*args)
    assert done.status == 2
    assert done.out == []
    assert len(done.err) == 1
    assert done.err[0].startswith("miner")


@pytest.mark.parametrize("args", [(*SANDBOX, "--kernel", "bogus"), ("--benchmark", "--kernel", "bogus"),
                                  ("bench", "--kernel", "bogus")])
def test_a_kernel_that_is_not_there_is_named_beside_those_that_are(args: tuple[str, ...]) -> None:
    done = run_here(*args)
    assert done.status == 2
    assert len(done.lines) == 1
    assert "'bogus'" in done.lines[0]
    assert "portable" in done.lines[0]


def test_another_format_takes_the_place_of_lines_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    class Names:
        def lines(self, event: MinerEvent) -> list[str]:
            return [json.dumps({"event": type(event).__name__})]

    def names(**settings: bool) -> Reporter[MinerEvent]:
        return Names()

    monkeypatch.setattr(reporter, "miner_reporter", names)
    told = [json.loads(line)["event"] for line in run_here(*SANDBOX, "--blocks", "1").lines]
    assert {"Started", "NewJob", "ShareDone", "BlockFound"} <= set(told)
    assert told[-1] == "Totals"


def test_giving_up_on_the_network_is_status_1(closed_port: int) -> None:
    done = run_here("-o", f"stratum+tcp://127.0.0.1:{closed_port}", "-u", "a", "-p", SECRET, "-r", "1", "-R", "1",
                    "-a", "scrypt:16", "-t", "1")
    assert done.status == 1
    assert f"Starting Stratum on stratum+tcp://127.0.0.1:{closed_port}" in done.lines
    assert matching(r"\.\.\.retry after \d+ seconds", done.lines)
    assert any("pool user a" in line for line in done.lines)
    assert SECRET not in "".join(done.err)


def test_the_benchmark_is_minerds() -> None:
    done = run_here("-a", "sha256d", "-t", "1", "--benchmark", "--seconds", "1")
    assert done.status == 0
    assert "1 miner threads started, using 'sha256d' algorithm." in done.lines
    assert matching(r"thread 0: \d+ hashes, \d+(\.\d\d)? khash/s", done.lines)
    assert matching(r"Total: \d+(\.\d\d)? khash/s", done.lines)


def test_the_quiet_benchmark_gives_programs_one_number_a_line() -> None:
    """As the Stratum V2 reference implementation's tests read it: the number before ` khash/s`."""
    with running("-a", "sha256d", "-t", "1", "--benchmark", "-q") as process:
        lines = wait_for(process, " khash/s")
        assert float(lines[-1].partition(" khash/s")[0].split()[-1]) > 0
        assert not [line for line in lines if "thread 0:" in line]
        assert interrupt(process, signal.SIGTERM).status == 0


def test_ctrl_c_ends_a_run_with_its_totals() -> None:
    with running(*SANDBOX) as process:
        wait_for(process, "accepted: 1/1")
        done = interrupt(process)
    assert done.status == 0
    assert done.lines[-1].startswith("Done: ")


def test_a_reader_that_goes_away_ends_the_run() -> None:
    with running(*SANDBOX) as process:
        wait_for(process, "accepted: 1/1")
        assert process.stderr is not None
        process.stderr.close()
        assert process.wait(commands.LIMIT) == 1


@pytest.mark.parametrize("args", [("-h",), ("--help",), ("-V",), ("--version",), ("hub", "-h"), ("bench", "--help")])
def test_help_and_version_go_to_stdout(args: tuple[str, ...]) -> None:
    done = run(*args) if args == ("-V",) else run_here(*args)
    assert done.status == 0
    assert done.err == []
    assert done.out
    if "V" in args[0] or "version" in args[0]:
        assert miner.__version__ in done.out[0]


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="the system log is a socket of Unix")
def test_messages_can_go_to_the_system_log(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log"))
        log.settimeout(10)
        done = run_here("-t", "1", "--benchmark", "--seconds", "0.2", "-S", syslog=str(tmp_path / "log"))
        first = log.recv(4096).decode()
    assert (done.status, done.err) == (0, [])
    assert re.match(r"<\d+>miner: Kernel ", first)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_in_the_background_it_goes_on_when_the_command_has_returned(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as stream:
        done = subprocess.run([sys.executable, "-m", "miner", *SANDBOX, "--blocks", "1", "-B"], stderr=stream,
                              stdout=subprocess.PIPE, timeout=commands.LIMIT, check=False)
        # stdout is the child's too, so the pipe has ended with it.
    text = log.read_text()
    assert done.returncode == 0
    assert "Running in the background as process " in text
    assert "Done: " in text


def test_starting_is_light() -> None:
    """Neither the package, which executors import too, nor the command's help loads what only mining needs; and mining
    without a hub or a face nothing of those."""
    code = """if True:
        import sys, miner
        print(*sys.modules)
        from miner.cli.mine import mine, parser
        parser()
        print(*sys.modules)
        from miner.front.console import Console
        mine(["--sandbox", "-a", "scrypt:16", "-t", "1", "--blocks", "1"], Console())
        print(*sys.modules)"""
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, timeout=commands.LIMIT,
                          env={"PYTHONPATH": str(Path(miner.__file__).parents[1])}, check=True)
    package, command, mining = (set(line.split()) for line in done.stdout.splitlines())
    assert not package & {"asyncio", "argparse", "logging", "miner._native", "miner.session", "pyspark", "socket",
                          "urllib.parse"}
    assert not command & {"asyncio", "logging", "miner._native", "pyspark", "socket", "ssl"}
    assert not mining & {"miner.hub", "miner.front.facts", "miner.front.live", "rich"}


def test_the_library_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with miner.mine(sandbox=True, algorithm="scrypt:16", threads=1, blocks=1) as mining:
        assert list(mining)
    assert capfd.readouterr() == ("", "")


@pytest.mark.minerd
def test_every_option_of_minerd_is_known() -> None:
    program = require("minerd", minerd(), MINERD)
    done = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=commands.LIMIT, check=True)
    rows = re.findall(r"^  (?:(-\w), |    )(--[\w-]+)(=)?", done.stdout, re.MULTILINE)
    assert len(rows) > 25
    assert sorted(long for _, long, _ in rows) == sorted(LONG_OPTIONS)
    ours = parser()
    for short, long, takes_value in rows:
        action = ours.option(long)
        assert action is not None, long
        assert not short or ours.option(short) is action, short
        assert (action.nargs is None) == bool(takes_value), long


@pytest.mark.minerd
def test_the_benchmarks_lines_are_minerds() -> None:
    program = require("minerd", minerd(), MINERD)
    args = ("-a", "sha256d", "-t", "1", "--benchmark")
    with commands.child([program, *args], stderr=subprocess.PIPE, text=True) as process:
        theirs = wait_for(process, "Total:")
        process.terminate()
        process.communicate(timeout=commands.LIMIT)
    ours = run_here(*args, "--seconds", "0.7").err

    def shape(line: str) -> str:
        return re.sub(r"\d+(\.\d+)?", "0", line)

    assert {shape(line) for line in theirs} <= {shape(line) for line in ours}


def test_a_thread_that_fails_while_the_engine_opens_is_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    real, failed = session.Engine, threading.Event()

    def failing(*arguments: Any, on_failed: Callable[[BaseException], None], **settings: Any) -> session.Engine:
        on_failed(ValueError("no good"))
        failed.wait(0.5)  # the run has ended by then, or takes the engine for whole
        return real(*arguments, on_failed=on_failed, **settings)

    monkeypatch.setattr(session, "Engine", failing)
    done = run_here(*SANDBOX, "--seconds", "1")
    assert done.status == 1
    assert any("unexpected ValueError" in line and "no good" in line for line in done.err)


def test_a_benchmark_that_is_too_short_for_a_hash_ends_with_its_total() -> None:
    done = run_here("--benchmark", "-a", "scrypt:1048576", "--kernel", "portable", "-t", "1", "--seconds", "0.01")
    assert done.status == 0
    assert matching(r"Total: 0\.00 khash/s, since no thread came to the end of a hash in \d+\.\d s", done.lines)

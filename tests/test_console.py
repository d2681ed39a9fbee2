"""Lines that can't be written, and readers that have stopped or gone: what goes on, what ends, what is said of it."""

import contextlib
import fcntl
import io
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import commands
import miner
from commands import STAMP, run_here
from miner.__main__ import _command
from miner.core.errors import UsageError
from miner.front import console as console_module
from miner.front.console import Console, run_command
from miner.front.syslog import open_syslog
from miner.front.writer import MAX_WAITING, StreamFile, Writer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full, /proc, terminals: as on Linux")

MINER = (sys.executable, "-m", "miner")
SANDBOX = (*MINER, "--sandbox", "-a", "scrypt:16", "-t", "1")
F_SETPIPE_SZ = 1031
BUSY_SECONDS = 0.4  # of CPU time: a run tells several lines meanwhile


@pytest.fixture
def full() -> Iterator[io.FileIO]:
    with Path("/dev/full").open("wb", buffering=0) as file:
        yield file


@pytest.fixture
def full_pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe that takes not one byte more."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
    os.write(writer, b"\n" * 4096)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    assert fields[0] not in "ZX", "it has ended"
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def await_mining(pid: int) -> None:
    """Return when the process has hashed for some time from now on. Fails where it ends or rests."""
    start, deadline = cpu_seconds(pid), time.monotonic() + commands.LIMIT
    while cpu_seconds(pid) - start < BUSY_SECONDS:
        assert time.monotonic() < deadline, "it hashes no more"
        time.sleep(0.05)


def await_end(pid: int) -> None:
    """Return when a process that is not this one's child has ended."""
    deadline = time.monotonic() + commands.LIMIT
    while Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline, "it goes on"
        time.sleep(0.05)


def await_line(path: Path, words: str) -> None:
    deadline = time.monotonic() + commands.LIMIT
    while not path.exists() or words not in path.read_text():
        assert time.monotonic() < deadline, f"{path} never said {words!r}"
        time.sleep(0.05)


class TestFull:
    def test_a_log_that_is_full_stops_nobody(self, full: io.FileIO) -> None:
        done = subprocess.run([*SANDBOX, "--blocks", "1"], stderr=full, stdout=subprocess.PIPE, timeout=commands.LIMIT,
                              check=False)
        assert (done.returncode, done.stdout) == (0, b"")

    def test_a_file_that_may_not_grow_stops_nobody(self, tmp_path: Path) -> None:
        """A full disk, told by the limit on a file's size: the first lines fit."""
        done = subprocess.run(["sh", "-c", 'ulimit -f 1; exec "$@" 2>log', "sh", *SANDBOX, "-D", "--blocks", "1"],
                              cwd=tmp_path, timeout=commands.LIMIT, check=False)
        assert done.returncode == 0
        assert 0 < (tmp_path / "log").stat().st_size <= 1024

    @pytest.mark.parametrize("args", [("hub", "--sandbox", "-a", "scrypt:16", "--seconds", "0.2"), ("--help",),
                                      ("spark", "--script")])
    def test_a_result_that_is_lost_is_status_1(self, args: tuple[str, ...], full: io.FileIO) -> None:
        done = subprocess.run([*MINER, *args], stdout=full, stderr=subprocess.PIPE, text=True, timeout=commands.LIMIT,
                              check=False)
        assert done.returncode == 1
        assert re.fullmatch(r"miner( \w+)?: can't write to standard output: No space left on device",
                            done.stderr.splitlines()[-1])

    @pytest.mark.parametrize("closed", ["<&- 2>&-", ">&- 2>&-"])
    def test_a_stream_that_is_closed_is_not_taken_for_another(self, closed: str) -> None:
        """The next connection would have the number of the closed stream, and lines would be sent there."""
        done = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", *SANDBOX, "--blocks", "1"],
                              stdout=subprocess.PIPE, timeout=commands.LIMIT, check=False)
        assert (done.returncode, done.stdout) == (0, b"")

    def test_a_hub_without_a_stdout_says_so_at_its_end(self) -> None:
        done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *MINER, "hub", "--sandbox", "-a", "scrypt:16",
                               "--seconds", "0.2"], stderr=subprocess.PIPE, text=True, timeout=commands.LIMIT,
                              check=False)
        assert done.returncode == 1
        assert "can't write to standard output" in done.stderr.splitlines()[-1]


class TestStopped:
    """Readers that are there and don't read."""

    def test_a_reader_that_has_stopped_stops_nobody(self, full_pipe: tuple[int, int]) -> None:
        reader, writer = full_pipe
        with commands.child(["cat"], stdin=reader, stdout=subprocess.PIPE) as cat:
            cat.send_signal(signal.SIGSTOP)
            with commands.child([*SANDBOX], stderr=writer) as process:
                await_mining(process.pid)
                cat.send_signal(signal.SIGCONT)
                assert cat.stdout is not None
                said = b""
                while b"accepted: " not in said:
                    said += os.read(cat.stdout.fileno(), 65536)
                cat.send_signal(signal.SIGSTOP)
                process.terminate()
                assert process.wait(commands.LIMIT) == 0
            cat.kill()
        assert b"Work from sandbox chain" in said
        assert b"missing" not in said

    def test_a_run_ends_by_itself_though_nobody_reads(self, full_pipe: tuple[int, int]) -> None:
        assert subprocess.run([*SANDBOX, "--blocks", "1"], stderr=full_pipe[1], timeout=commands.LIMIT,
                              check=False).returncode == 0

    def test_a_hub_ends_when_told_to_though_nobody_reads(self, full_pipe: tuple[int, int], tmp_path: Path) -> None:
        with (tmp_path / "log").open("w") as log, commands.child(
                [*MINER, "hub", "--sandbox", "-a", "scrypt:16"], stdout=full_pipe[1], stderr=log) as process:
            await_line(tmp_path / "log", "New work")
            process.terminate()
            assert process.wait(commands.LIMIT) == 1
        assert (tmp_path / "log").read_text().endswith("can't write to standard output: nobody reads it\n")

    def test_results_wait_for_a_slow_reader(self, full_pipe: tuple[int, int]) -> None:
        """A pager, for instance: what was asked for is not cut short."""
        reader, writer = full_pipe
        with os.fdopen(os.dup(writer), "w") as out, os.fdopen(os.dup(reader), "rb", buffering=0) as read:
            console = Console(out=out, err=io.StringIO())

            def command(args: list[str], console: Console) -> int:
                for number in range(2000):
                    console.result(f"result {number}")
                return 0

            read.read(4096)
            statuses: list[int] = []
            thread = threading.Thread(target=lambda: statuses.append(run_command("x", command, [], console)))
            thread.start()
            said = b""
            while not said.endswith(b"result 1999\n"):
                said += read.read(512)
            thread.join(commands.LIMIT)
        assert statuses == [0]
        assert said.splitlines() == [b"result %d" % number for number in range(2000)]

    def test_ctrl_s_stops_the_terminal_only(self) -> None:
        master, slave = os.openpty()
        try:
            with commands.child([*SANDBOX], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) as process:
                said = b""
                while b"accepted: " not in said:
                    said += os.read(master, 4096)
                os.write(master, b"\x13")
                await_mining(process.pid)
                process.terminate()
                assert process.wait(commands.LIMIT) == 0
        finally:
            os.close(slave)
            os.close(master)

    def test_whoever_has_a_line_to_say_never_waits(self, full_pipe: tuple[int, int]) -> None:
        reader, writer = full_pipe
        count = 10 * MAX_WAITING
        with os.fdopen(os.dup(writer), "w") as err:
            console = Console(out=io.StringIO(), err=err)
            longest = 0.0
            for number in range(count):
                started = time.monotonic()
                console.message(f"line {number}")
                longest = max(longest, time.monotonic() - started)
            lines: list[str] = []
            with os.fdopen(os.dup(reader)) as read:
                while not lines or f"line {count - 1}" not in lines[-1]:
                    lines.append(read.readline().rstrip("\n"))
        assert longest < 5.0
        said = [STAMP.sub("", line) for line in lines if line]
        # One note, or one more where the pipe had room for a line or two when the writing began.
        notes = [(at, int(line.split()[0])) for at, line in enumerate(said) if "missing" in line]
        assert all(said[at] == f"{missing} lines are missing here: they could not be written" for at, missing in notes)
        assert sum(missing for _, missing in notes) + len(said) - len(notes) == count
        at, missing = notes[-1]
        assert missing > 8 * MAX_WAITING
        assert said[at + 1] == f"line {count - len(said) + at + 1}"  # the newest are those that were kept

    def test_a_file_that_somebody_made_non_blocking(self, full_pipe: tuple[int, int]) -> None:
        """Whoever shares a terminal or pipe with us may do so, and a full one then is an error to Python."""
        reader, writer = full_pipe
        os.set_blocking(writer, False)
        with commands.child([*SANDBOX, "-D", "--blocks", "1"], stderr=writer) as process:
            said = b""
            while b"Done: " not in said:
                said += os.read(reader, 256)
            assert process.wait(commands.LIMIT) == 0
        assert said.count(b"Kernel") == 1
        assert b"missing" not in said


class TestGone:
    def test_in_the_background_mining_goes_on_when_the_terminal_has_gone(self, tmp_path: Path) -> None:
        master, slave = os.openpty()
        process = subprocess.Popen([*SANDBOX, "-B"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                   preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        said = b""
        while not (found := re.search(rb"in the background as process (\d+)\r\n", said)) or b"accepted: " not in said:
            said += os.read(master, 4096)
        assert process.wait(commands.LIMIT) == 0
        child = int(found[1])
        os.close(master)
        await_mining(child)
        os.kill(child, signal.SIGHUP)
        await_mining(child)
        os.kill(child, signal.SIGTERM)
        await_end(child)

    def test_in_the_foreground_it_ends_in_order_with_its_terminal(self, tmp_path: Path) -> None:
        master, slave = os.openpty()
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen([*SANDBOX], stdin=slave, stdout=slave, stderr=log, start_new_session=True,
                                       preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        await_line(tmp_path / "log", "accepted: 1/1")
        os.close(master)
        assert process.wait(commands.LIMIT) == 0
        assert STAMP.sub("", (tmp_path / "log").read_text().splitlines()[-1]).startswith("Done: ")

    def test_a_hang_up_opens_the_log_of_the_background_anew(self, tmp_path: Path) -> None:
        log, old = tmp_path / "log", tmp_path / "log.1"
        log.touch(mode=0o600)
        with log.open("a") as stream:
            subprocess.run([*SANDBOX, "-B"], stderr=stream, stdout=stream, timeout=commands.LIMIT, check=True)
        await_line(log, "accepted: 1/1")
        found = re.search(r"in the background as process (\d+)", log.read_text())
        assert found is not None
        child = int(found[1])
        log.rename(old)
        os.kill(child, signal.SIGHUP)
        await_line(log, f"SIGHUP: {log} opened anew")
        await_line(log, "khash/s")
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
        old_text = old.read_text()
        os.kill(child, signal.SIGTERM)
        await_end(child)
        assert STAMP.sub("", log.read_text().splitlines()[-1]).startswith("Done: ")
        assert old.read_text() == old_text

    def test_in_the_background_a_reader_that_has_gone_ends_nothing(self) -> None:
        reader, writer = os.pipe()
        subprocess.run([*SANDBOX, "-B"], stderr=writer, stdout=writer, timeout=commands.LIMIT, check=True)
        os.close(writer)
        said = b""
        while not (found := re.search(rb"in the background as process (\d+)\n", said)) or b"accepted: " not in said:
            said += os.read(reader, 4096)
        os.close(reader)
        await_mining(int(found[1]))
        os.kill(int(found[1]), signal.SIGTERM)
        await_end(int(found[1]))

    def test_systemds_journal_is_no_reader_to_end_with(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ours, journal = socket.socketpair()
        with ours, journal, os.fdopen(os.dup(ours.fileno()), "w") as err:
            status = os.fstat(err.fileno())
            monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
            journal.close()
            console, stopped = Console(out=io.StringIO(), err=err), threading.Event()
            with console.stopping(stopped.set):
                console.message("hello")
                assert console.close("miner", 0) == 0
            assert not stopped.is_set()


class TestSyslog:
    def test_without_one_there_is_a_notice_and_messages_go_to_stderr(self) -> None:
        done = run_here("-t", "1", "-a", "sha256d", "--benchmark", "--seconds", "0.2", "-S", syslog="/nonexistent/log")
        assert done.status == 0
        assert done.lines[0].startswith("-S/--syslog: no system log at /nonexistent/log, so messages go to stderr: ")
        assert any(line.startswith("Total: ") for line in done.lines)

    def test_one_that_reads_nothing_stops_nobody(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its socket holds a few messages; a further one would wait for ever."""
        monkeypatch.setattr(console_module, "_LAST_WORDS_SECONDS", 0.1)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.bind(str(tmp_path / "log"))
            done = run_here("--sandbox", "-a", "scrypt:16", "-t", "1", "-D", "--blocks", "2", "-S",
                            syslog=str(tmp_path / "log"))
        assert (done.status, done.err) == (0, [])

    def test_while_it_is_away_lines_are_lost_and_then_it_is_found_again(self, tmp_path: Path) -> None:
        address = str(tmp_path / "log")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as first:
            first.bind(address)
            writer = Writer(open_syslog(address), missing=lambda count: f"{count} missing")
            writer.put("one")
            assert b"one" in first.recv(4096)
        Path(address).unlink()
        writer.put("two")
        assert writer.drain(commands.LIMIT)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as second:
            second.bind(address)
            writer.put("three")
            second.settimeout(commands.LIMIT)
            assert [second.recv(4096).split(b"miner: ")[1].strip(b"\0") for _ in range(2)] == [b"1 missing", b"three"]


class TestFaults:
    def test_what_nobody_expected_is_one_line_that_names_it_as_our_fault(self) -> None:
        def command(args: list[str], console: Console) -> int:
            raise KeyError("x")

        err = io.StringIO()
        assert run_command("miner", command, [], Console(out=io.StringIO(), err=err)) == 1
        line, = err.getvalue().splitlines()
        place = r"at test_console.py:\d+ in command at console.py:\d+ in run_command"
        assert re.match(rf"miner: unexpected KeyError {place}: 'x'. This is a fault in sparkminer", line)
        err = io.StringIO()
        assert run_command("miner", command, ["-qD"], Console(out=io.StringIO(), err=err)) == 1
        assert "Traceback (most recent call last):" in err.getvalue().splitlines()

    @pytest.mark.parametrize(("args", "words"), [
        (("--sandbox", "-B"), "-B/--background: the system refuses another process: Resource temporarily unavailable"),
        (("--sandbox",), "this system starts no more threads: end something else, or raise its limit on them .*"),
        (("hub", "--sandbox"), r"the system refuses at threading.py:\d+ in start at .*: can't start new thread"),
    ])
    def test_a_system_that_refuses_processes_and_threads_is_named(self, args: tuple[str, ...], words: str) -> None:
        """As where a container's limit on processes is reached. It binds root only without these capabilities."""
        limits = ["prlimit", "--nproc=1"]
        if os.getuid() == 0:
            limits = ["setpriv", "--ruid", "65534", "--bounding-set=-sys_resource,-sys_admin", *limits]
        done = subprocess.run([*limits, *MINER, *args], capture_output=True, text=True, timeout=commands.LIMIT,
                              check=False)
        assert done.returncode == 1
        assert re.fullmatch(rf"miner( hub)?: {words}\n", done.stderr)

    def test_an_installation_without_its_native_module_says_so_in_one_line(self, tmp_path: Path) -> None:
        shutil.copytree(Path(miner.__file__).parent, tmp_path / "miner", ignore=shutil.ignore_patterns("_native*"))
        asked = [["--sandbox"], ["hub", "--sandbox"], ["bench"], ["spark", "--sandbox"]]
        code = (f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from miner.__main__ import _command\n"
                f"print([int(_command(args)) for args in {asked!r}])")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=commands.LIMIT,
                              check=True)
        words = "this installation lacks something, or is for another Python: cannot import name '_native'.*"
        assert done.stdout == "[1, 1, 1, 1]\n"
        for name, line in zip(("miner", "miner hub", "miner bench", "miner spark"), done.stderr.splitlines(),
                              strict=True):
            assert re.fullmatch(f"{name}: {words}", line)

    def test_an_error_for_people_goes_to_the_system_log_too(self, tmp_path: Path) -> None:
        def command(args: list[str], console: Console) -> int:
            console.use_syslog()
            raise UsageError("no good")

        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.bind(str(tmp_path / "log"))
            err = io.StringIO()
            console = Console(out=io.StringIO(), err=err, syslog_address=str(tmp_path / "log"))
            assert run_command("miner", command, [], console) == 2
            assert err.getvalue() == "miner: no good\n"
            assert b"miner: no good" in log.recv(4096)

    def test_a_threads_traceback_waits_for_no_reader_either(self, full_pipe: tuple[int, int],
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
        reader, writer = full_pipe
        monkeypatch.setattr(console_module, "_LAST_WORDS_SECONDS", 0.1)

        def command(args: list[str], console: Console) -> int:
            thread = threading.Thread(target=lambda: print("from a thread", file=sys.stderr))
            thread.start()
            thread.join()
            print("from a library")
            return 0

        out = io.StringIO()
        with os.fdopen(os.dup(writer), "w") as err:
            assert run_command("miner", command, [], Console(out=out, err=err)) == 0
            os.read(reader, 4096)
            assert os.read(reader, 4096) == b"from a thread\n"
        assert out.getvalue() == "from a library\n"

    def test_where_no_thread_can_be_started_lines_are_written_all_the_same(
            self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        err = io.StringIO()
        console = Console(out=io.StringIO(), err=err)
        console.message("hello")
        assert console.close("miner", 0) == 0
        assert err.getvalue().endswith("] hello\n")

    def test_characters_that_the_output_lacks_are_escaped(self, tmp_path: Path) -> None:
        with (tmp_path / "out").open("w", encoding="cp1252") as stream:
            StreamFile(stream).write("☃ …\n")
        assert (tmp_path / "out").read_bytes() == b"\\u2603 \x85\n"


class TestCharactersThatTheOutputLacks:
    @staticmethod
    def run(encoding: str, *args: str) -> "subprocess.CompletedProcess[bytes]":
        """In this process, whose streams have that encoding meanwhile."""
        out, err = (io.TextIOWrapper(io.BytesIO(), *encoding.split(":")) for _ in range(2))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = _command(list(args))
        return subprocess.CompletedProcess(args, status, *(stream.detach().getvalue() for stream in (out, err)))

    @pytest.mark.parametrize("command", [[], ["hub"], ["bench"], ["spark"]])
    @pytest.mark.parametrize("encoding", ["ascii", "cp1252:strict"])
    def test_help_is_shown(self, command: list[str], encoding: str) -> None:
        done = self.run(encoding, *command, "--help")
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.decode(encoding.partition(":")[0]).startswith("usage: python -m miner")

    @pytest.mark.parametrize("args", [
        ("--sandbox", "--kernel", "☃"), ("bench", "--kernel", "☃"), ("--☃",), ("-c", "/nonexistent/☃"),
        ("hub", "--sandbox", "--token-file", "/nonexistent/☃"), ("bench", "--chart", "/nonexistent/☃/x.svg"),
    ])
    def test_an_error_is_one_line(self, args: tuple[str, ...]) -> None:
        done = self.run("ascii", *args)
        line, = done.stderr.decode("ascii").splitlines()
        assert done.returncode == 2
        assert "\\u2603" in line

    @pytest.mark.parametrize("more", [[], ["--json"]])
    def test_a_table_and_json(self, more: list[str], tmp_path: Path) -> None:
        chart = tmp_path / "☃.svg"
        done = self.run("ascii", "bench", "-a", "scrypt:16", "-t", "1", "--kernel", "portable", "--seconds", "0.02",
                        "--rounds", "1", "--chart", str(chart), *more)
        assert done.returncode == 0
        assert b"portable" in done.stdout
        assert b"\\u2603.svg" in done.stderr
        assert chart.read_text(encoding="utf-8").startswith("<svg")

    def test_a_miner_of_any_name_at_a_hub(self) -> None:
        environ = {**os.environ, "PYTHONIOENCODING": "cp1252", "MINER_TOKEN": "token"}
        with commands.child([*MINER, "hub", "--sandbox", "-a", "scrypt:16", "-D"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=environ) as hub:
            assert hub.stdout is not None and hub.stderr is not None
            url = hub.stdout.readline().split()[-1].decode()
            with commands.running("-a", "scrypt:16", "-t", "1", "-o", url, "-u", "☃", "-p", "token"):
                while not re.search(rb"BLOCK found .* \\u2603$", hub.stderr.readline()):
                    assert hub.poll() is None
            hub.send_signal(signal.SIGINT)
            out, err = hub.communicate(timeout=commands.LIMIT)
        assert hub.returncode == 0
        assert b"Traceback" not in err
        assert any(line.startswith(b"\\u2603 ") for line in out.splitlines())

    def test_bytes_that_are_no_utf_8_reach_the_system_log(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.bind(str(tmp_path / "log"))
            log.settimeout(commands.LIMIT)
            open_syslog(str(tmp_path / "log"))("no kernel '\udcff'")
            assert b"no kernel '\\udcff'" in log.recv(4096)

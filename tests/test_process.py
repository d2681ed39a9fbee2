"""Passwords off the process list, and ending when told to."""

import asyncio
import contextlib
import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from commands import child, interrupt, wait_for
from miner.front.process import ONE_WISH_SECONDS, hide_secrets, secret_spans, stopping_on_signals
from stratum_pool import Miner, Pool, within_limit
from stratum_samples import REGTEST_JOB

SECRET = "hunter2-is-secret"


@pytest.mark.parametrize("args", [
    ["-p", SECRET], ["-p" + SECRET], ["-qDp" + SECRET], ["-qp", SECRET], ["--pass", SECRET], ["--pass=" + SECRET],
    ["--password=" + SECRET], ["--password", SECRET], ["-O", "alice:" + SECRET], ["-Oalice:" + SECRET],
    ["--userpass=alice:" + SECRET], ["-o", f"stratum+tcp://alice:{SECRET}@h:1"], ["-o", f"alice:{SECRET}@h:1"],
    ["-x", f"socks5://alice:{SECRET}@h:1"], [f"--proxy=alice:{SECRET}@h"], ["-Px", f"alice:{SECRET}@h"],
    [f"--url=http://alice:{SECRET}@h:1/x"], ["--token", SECRET], ["hub", "--token=" + SECRET, "-p", SECRET],
    ["-p", "x", "-p", SECRET], ["--pas", SECRET], [f"--userp=alice:{SECRET}"],
    ["--ur", f"alice:{SECRET}@h"], [f"--prox=alice:{SECRET}@h"], ["-o", f"http://alice:{SECRET}@x@h/"],
])
def test_every_way_to_give_a_password_is_found(args: list[str]) -> None:
    masked = list(args)
    for index, start, end in secret_spans(args):
        masked[index] = masked[index][:start] + "x" * (end - start) + masked[index][end:]
    assert masked != args
    assert SECRET not in " ".join(masked)
    assert "alice" in " ".join(masked) or "alice" not in " ".join(args)


@pytest.mark.parametrize("args", [
    ["-u", "alice"], ["-o", "stratum+tcp://h:1"], ["-o", "stratum+tcp://alice@h:1"], ["-p"], ["-O", "alice"],
    ["--pass="], [], ["-t", "2", "--password-file", "f"], ["-o", "http://h:1/a:b"],
])
def test_nothing_else_is_masked(args: list[str]) -> None:
    assert list(secret_spans(args)) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process change its arguments")
def test_ps_shows_no_password() -> None:
    code = ("import sys; from miner.front.process import hide_secrets; print(hide_secrets(sys.argv[1:]), flush=True); "
            "sys.stdin.read()")
    args = ["-u", "alice", "-p", SECRET, "--userpass=älice:" + SECRET, "-q"]
    command = [sys.executable, "-c", code, *args]
    with child(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
        process.communicate(timeout=30)
    assert SECRET not in shown
    masked = "x" * len(SECRET)
    assert shown.endswith(f"\0-u\0alice\0-p\0{masked}\0--userpass=älice:{masked}\0-q\0")


def test_arguments_that_are_not_the_processs_own_are_left_alone() -> None:
    before = Path("/proc/self/cmdline").read_bytes() if sys.platform == "linux" else b""
    assert hide_secrets(["-p", SECRET]) is False
    assert not before or Path("/proc/self/cmdline").read_bytes() == before


def test_where_there_is_no_proc_it_says_so(tmp_path: Path) -> None:
    assert hide_secrets(["-p", SECRET], proc=tmp_path) is False


SIGNALLED = """
import os, signal, sys, threading, time
from miner.front.process import stopping_on_signals
stopped = threading.Event()
with stopping_on_signals(stopped.set):
    os.kill(os.getpid(), signal.{first})
    stopped.wait(30)
    print("stopping", flush=True)
    for pause in {more}:
        time.sleep(pause)
        os.kill(os.getpid(), signal.SIGINT)
os.kill(os.getpid(), signal.{first})
print("ended", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
@pytest.mark.parametrize("first", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_that_come_at_once_are_one_wish_until_the_process_has_ended(first: str) -> None:
    done = subprocess.run([sys.executable, "-c", SIGNALLED.format(first=first, more=[0, 0])], timeout=60,
                          capture_output=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, [b"stopping", b"ended"])


@pytest.mark.skipif(os.name != "posix", reason="a signal's exit status is POSIX")
def test_a_second_one_ends_at_once() -> None:
    more = [ONE_WISH_SECONDS + 0.1]
    done = subprocess.run([sys.executable, "-c", SIGNALLED.format(first="SIGINT", more=more)], timeout=60,
                          capture_output=True, check=False)
    assert (done.returncode, done.stdout.split()) == (-2, [b"stopping"])


def test_in_another_thread_signals_are_left_to_their_owner() -> None:
    ran = threading.Event()

    def run() -> None:
        with stopping_on_signals(lambda: None):
            ran.set()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert ran.is_set()


NOHUP = """
import os, signal
from miner.front.process import stopping_on_signals
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with stopping_on_signals(lambda: print("stopping", flush=True)):
    os.kill(os.getpid(), signal.SIGHUP)
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGHUP")
def test_under_nohup_a_hang_up_is_no_wish_to_end() -> None:
    done = subprocess.run([sys.executable, "-c", NOHUP], timeout=60, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("args", "words", "number", "closing"), [
    (("--sandbox", "-a", "scrypt:16", "-t", "1"), "accepted: 1/1", "SIGTERM", "Done: .*"),
    (("--benchmark", "-a", "sha256d", "-t", "1", "--cpu-limit", "20%"), "Total: ", "SIGTERM", ""),
    (("hub", "--sandbox", "-a", "scrypt:16"), "New work from", "SIGTERM", "total .*"),
    (("bench", "-a", "sha256d", "-t", "1", "--seconds", "0.05", "--rounds", "1000"), "Round 1 of", "SIGTERM",
     "sha256d +hashlib .*"),
    (("bench", "-a", "sha256d", "-t", "1", "--switches", "10000"), "switches: ", "SIGINT", "Stopped after 0 of .*"),
])
def test_timeout_signals_twice_and_the_end_is_in_order(args: tuple[str, ...], words: str, number: str,
                                                       closing: str) -> None:
    """`timeout` passes a signal on to its command and then to its process group: the command has it twice at once."""
    program = shutil.which("timeout")
    if program is None:
        pytest.skip("needs the program timeout (coreutils)")
    with child([program, "600", sys.executable, "-m", "miner", *args], stdout=subprocess.PIPE,
               stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        wait_for(process, words)
        done = interrupt(process, signal.Signals[number])
    assert done.status == (130 if "--switches" in args else 0)
    assert not closing or [line for line in done.out + done.lines if re.fullmatch(closing, line)], (done.out, done.err)
    assert not [line for line in done.err if "Traceback" in line or "KeyboardInterrupt" in line]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@within_limit
async def test_verdicts_that_are_out_when_signals_come_are_waited_for() -> None:
    """A pool that answers nothing before the miner was told to end, twice at once."""
    job, answered = dataclasses.replace(REGTEST_JOB, nbits=0x1D00FFFF), 0

    async def script(miner: Miner) -> None:
        nonlocal answered
        await miner.let_in(job, difficulty=0.05)
        share = await miner.next_share()
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(EOFError):
            while True:
                miner.protocol.accept(share)
                answered += 1
                share = await miner.next_share()

    async with Pool(script) as pool:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "miner", "-a", "scrypt", "-t", "1", "-o", pool.url, "-u", "a", stderr=subprocess.PIPE)
        _, said = await process.communicate()
    assert process.returncode == 0
    assert answered > 0
    assert f" {answered} share{'s' * (answered > 1)} accepted, 0 rejected, 0 stale" in said.decode().splitlines()[-1]

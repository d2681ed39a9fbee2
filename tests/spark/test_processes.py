"""Sessions of processes are ended whole, and a worker whose parent is gone ends itself."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from miner.spark.processes import child_sessions, end_session, executor_id, session_members

TREE = """
import os, subprocess, sys, time
code = "import os, time; os.setpgid(0, 0); print(os.getpid(), flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", code])
time.sleep(600)
"""


def test_a_session_is_ended_with_all_its_process_groups() -> None:
    with subprocess.Popen([sys.executable, "-c", TREE], stdout=subprocess.PIPE, text=True,
                          start_new_session=True) as leader:
        assert leader.stdout is not None
        grandchild = int(leader.stdout.readline())
        assert leader.pid in child_sessions()
        assert {leader.pid, grandchild} <= set(session_members(leader.pid))
        assert os.getpgid(grandchild) != leader.pid
        end_session(leader.pid, 0.0)
        assert not session_members(leader.pid)


def test_a_session_that_ends_by_itself_is_waited_for(tmp_path: Path) -> None:
    code = f"import pathlib, time; time.sleep(0.3); pathlib.Path({str(tmp_path / 'done')!r}).touch()"
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as leader:
        end_session(leader.pid, 30.0)
    assert (tmp_path / "done").exists()


def test_executor_id_of_the_jvm_above() -> None:
    assert executor_id() == ""
    inner = "from miner.spark.processes import executor_id; print(executor_id())"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], check=True)"
    said = subprocess.run([sys.executable, "-c", outer, "--executor-id", "17", "--hostname", "x"], timeout=150,
                          capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "17"


def test_a_worker_without_parent_ends_itself(tmp_path: Path) -> None:
    """As when an executor is killed that had no Python daemon: nobody tells the worker."""
    worker = textwrap.dedent("""
        import time
        from miner.spark.partition import watchdog
        with watchdog():
            print("watched", flush=True)
            time.sleep(600)
    """)
    parent = f"""
import subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-c", {worker!r}], start_new_session=True, stdout=subprocess.PIPE, text=True)
worker.stdout.readline()
print(worker.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert session_members(pid) == [pid]
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while session_members(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)

"""The race beside other miners: what it reads from them, and that none has an advantage by its priority."""

import os
import sys
from pathlib import Path

import pytest

from race import METER, ours, peer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a race reads /proc")

PEER = """\
import os, time
os.nice(5)
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
for line in range(1000):
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass
    leveled = os.getpriority(os.PRIO_PROCESS, 0) == {nice} and os.sched_getscheduler(0) == {policy}
    print(f"[2026-11-27 18:36:17] thread 0: 80 hashes, {{4.0 if leveled else 9000.0:.2f}} khash/s", flush=True)
"""


@pytest.mark.parametrize(("line", "figure"), [
    ("[2026-11-27 17:26:16] thread 0: 4096 hashes, 2.84 khash/s", ("2.84", "k")),
    ("[2026-11-27 18:37:10] Thread 0, CPU 0: 3300.33 h/s", ("3300.33", "")),
    ("[2026-11-27 18:37:10] Thread 0, CPU 0: 17.20 Mh/s", ("17.20", "M")),
    ("[2026-11-27 18:37:10] Total: 7.33 H/s, Temp: 0C", None),
])
def test_lines_of_minerd_and_cpuminer_opt_are_read(line: str, figure: tuple[str, str] | None) -> None:
    found = METER.search(line)
    assert (found and found.groups()) == figure


def test_a_peer_that_steps_back_is_given_this_process_priority(tmp_path: Path) -> None:
    """A rate that it tells while it has another priority counts as a thousand times as much here. A busy machine takes
    wall time from it, for which its rate is counted as well: so there is no upper bound but that."""
    program = tmp_path / "peer.py"
    program.write_text(PEER.format(nice=os.getpriority(os.PRIO_PROCESS, 0), policy=os.sched_getscheduler(0)))
    assert 3.9e3 < peer([sys.executable, str(program)], 0.2) < 1e6


def test_a_peer_that_tells_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="told no hashrates"):
        peer([sys.executable, "-c", "print('Usage: minerd [OPTIONS]')"], 0.2)


def test_our_own_kernels_are_measured_by_cpu_time() -> None:
    assert ours("sha256d", "portable", 0.05) > 1e4

"""Where the programs are that `install` gets, and how machine.py and node.py start them."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from ssl import SSLContext

HOME = Path(os.environ.get("MINER_KUBERNETES_DIR") or Path.home() / ".cache/sparkminer-tests/kubernetes")
PARTS = HOME / "bin" / "parts"
ROOT = HOME / "root"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
START_SECONDS = 240.0       # each part, on a machine that is busy with other things

CONTROL = "10.10.0.1"       # the control plane's address on the fabric; node N's is 10.10.0.1N
SERVICES = "10.96.0.0/24"
API_SERVER = f"https://{CONTROL}:6443"


def environment() -> dict[str, str]:
    """For programs that were unpacked, not installed."""
    return os.environ | {
        "PATH": f"{ROOT}/usr/bin:{ROOT}/usr/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LD_LIBRARY_PATH": f"{ROOT}{LIBRARIES}", "XTABLES_LIBDIR": f"{ROOT}{LIBRARIES}/xtables"}


def run(*command: object) -> None:
    """Run a command to its end. Raises CalledProcessError if it fails."""
    subprocess.run([str(word) for word in command], check=True, env=environment(), stdin=subprocess.DEVNULL)


def start(log: Path, *command: object) -> "subprocess.Popen[bytes]":
    """Start a command that goes on, with its output in a file."""
    with log.open("wb") as output:
        return subprocess.Popen([str(word) for word in command], env=environment(), stdin=subprocess.DEVNULL,
                                stdout=output, stderr=subprocess.STDOUT)


def answers(url: str, trusted: SSLContext | None = None) -> bool:
    """Whether an HTTP server says 200."""
    try:
        with urllib.request.urlopen(url, timeout=5, context=trusted) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def wait(what: str, ready: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until `ready()` is true. Exits, with the log's end, where the process ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{what} does not run:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.2)

"""The hub as a service: what systemd is told, log files, the background, and SIGHUP, by which no miner is lost."""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trustme

from commands import LIMIT, interrupt, run_here, running
from miner.front.daemon import Systemd

EXAMPLES = Path(__file__).parents[1] / "examples"
HUB = ("hub", "--sandbox", "-a", "sha256d")


class Guest:
    """A socket that speaks stratum, and waits for each answer."""

    def __init__(self, line: str) -> None:
        host, _, port = line.split()[-1].rpartition("/")[2].rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=LIMIT)
        self._lines = self._socket.makefile("rb")

    def call(self, method: str, *params: str) -> Any:
        self._socket.sendall(json.dumps({"id": 7, "method": method, "params": params}).encode() + b"\n")
        for line in self._lines:
            if (message := json.loads(line))["id"] == 7:
                return message["result"]
        return "hung up"

    def close(self) -> None:
        self._socket.close()


def wait_until(path: Path, words: str, count: int = 1) -> str:
    """Wait until a file has these words."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if path.exists() and (text := path.read_text()).count(words) >= count:
            return text
        time.sleep(0.02)
    raise AssertionError(f"no {words!r} in {path}: {path.read_text() if path.exists() else 'no such file'}")


def test_tokens_are_read_again_and_log_files_opened_anew_without_a_miner_lost(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users, log, config = tmp_path / "users", tmp_path / "hub.log", tmp_path / "hub.json"
    config.write_text('{"sandbox": true}')
    users.write_text("alice token-of-alice\n")
    users.chmod(0o600)
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(tmp_path / "notify"))
    told.settimeout(LIMIT)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with running("hub", "-a", "sha256d", "-c", str(config), "--users-file", str(users), "--log-file", str(log)) as hub:
        assert hub.stdout is not None
        address = hub.stdout.readline()
        assert told.recv(4096) == b"READY=1"
        alice = Guest(address)
        assert alice.call("mining.authorize", "alice", "token-of-alice") is True
        wait_until(log, "alice joined")
        log.rename(tmp_path / "old.log")
        users.write_text("bob token-of-bob\n")
        hub.send_signal(signal.SIGHUP)
        assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", told.recv(4096))
        assert told.recv(4096) == b"READY=1"
        wait_until(log, "tokens and certificate are read again")
        bob, mallory = Guest(address), Guest(address)
        assert bob.call("mining.authorize", "bob", "token-of-bob") is True
        assert mallory.call("mining.authorize", "alice", "token-of-alice") is None
        assert alice.call("mining.ping") == "pong", "who is here stays"
        users.write_text("bob\n")
        hub.send_signal(signal.SIGHUP)
        wait_until(log, "nothing is changed: --users-file:")
        assert bob.call("mining.ping") == "pong"
        users.write_text("bob token-of-bob\n")
        config.write_text('{"url": "stratum+tcp://127.0.0.1:1", "user": "x"}')
        hub.send_signal(signal.SIGHUP)
        wait_until(log, "stratum+tcp://127.0.0.1:1 takes the source's place when it has work")
        assert bob.call("mining.ping") == "pong"
        done = interrupt(hub, signal.SIGTERM)
        for guest in (alice, bob, mallory):
            guest.close()
    assert done.status == 0 and done.err == [], "all messages are in the file"
    assert "alice left" in log.read_text() and "alice left" not in (tmp_path / "old.log").read_text()
    lines = [told.recv(4096) for _ in range(5)]
    assert lines[-1] == b"STOPPING=1"
    told.close()


def test_in_the_background(tmp_path: Path) -> None:
    log = tmp_path / "hub.log"
    args = (*HUB, "-B", "--log-file", str(log), "--token", "a-token-of-the-tests")
    subprocess.run([sys.executable, "-m", "miner", *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=LIMIT, check=True)
    pid = int(re.findall(r"in the background as process (\d+)", wait_until(log, "Running in the background"))[0])
    try:
        wait_until(log, "Work from")
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(log, "Hub stopped")


def test_a_certificate_is_renewed(tmp_path: Path) -> None:
    cert, log = tmp_path / "cert.pem", tmp_path / "hub.log"

    def issue() -> None:
        trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(cert)

    issue()
    with running(*HUB, "--tls-cert", str(cert), "--log-file", str(log), "--token", "a-token-of-the-tests") as hub:
        assert hub.stdout is not None
        host, _, port = hub.stdout.readline().split()[-1].rpartition("/")[2].rpartition(":")
        before = ssl_certificate(host, int(port))
        assert before == ssl_certificate(host, int(port))
        wait_until(log, "Work from")
        issue()
        hub.send_signal(signal.SIGHUP)
        wait_until(log, "tokens and certificate are read again")
        assert ssl_certificate(host, int(port)) != before
        cert.write_text("nonsense")
        hub.send_signal(signal.SIGHUP)
        wait_until(log, "nothing is changed: TLS:")
        ssl_certificate(host, int(port))
        assert interrupt(hub).status == 0


def ssl_certificate(host: str, port: int) -> str:
    return ssl.get_server_certificate((host, port), timeout=LIMIT)


@pytest.mark.parametrize("address", ["", "nonsense", "/nonexistent/socket", "@nobody-listens-here"])
def test_where_systemd_does_not_listen_nothing_happens(address: str) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": address} if address else {})
    systemd.ready("fine")
    systemd.status("fine")


def test_the_unit_and_its_config_are_sound(tmp_path: Path) -> None:
    """What the unit starts is a command that this program takes, and systemd takes the unit."""
    unit = (EXAMPLES / "sparkminer-hub.service").read_text()
    command = re.findall(r"^ExecStart=\S+ ((?:.*\\\n)*.*)$", unit, re.MULTILINE)[0].replace("\\\n", " ")
    for name in ("token", "pool-password"):
        (tmp_path / name).write_text("a-secret-of-the-tests\n")
    args = [word.replace("/etc/sparkminer/hub.json", str(EXAMPLES / "hub.json"))
            .replace("${CREDENTIALS_DIRECTORY}", str(tmp_path)) for word in command.split()]
    done = run_here(*args, "--check")
    assert done.status == 0 and "Serving sha256d on 0.0.0.0, port 3333" in done.out[0], done.err
    if shutil.which("systemd-analyze"):
        (tmp_path / "hub.service").write_text(unit.replace("/opt/sparkminer/bin/sparkminer", "/bin/true"))
        checked = subprocess.run(["systemd-analyze", "verify", str(tmp_path / "hub.service")], capture_output=True,
                                 text=True, timeout=LIMIT, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")

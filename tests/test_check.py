"""`--check`: what would be done and who would be paid is said, nobody is connected to, what won't do is an error."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import Done, run_here
from miner.cli import bench, hub, mine, screen, swarm
from miner.front.argparser import Parser
from miner.front.console import Console, run_command
from miner.spark import job
from miner.spark import settings as spark_settings

SECRET = "hunter2-is-secret"


@pytest.fixture
def pool() -> Iterator[socket.socket]:
    """A port that a pool or node might listen on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def url(server: socket.socket, scheme: str = "stratum+tcp") -> str:
    return f"{scheme}://127.0.0.1:{server.getsockname()[1]}"


def checked(*args: str) -> Done:
    """`miner ARGS --check`, and no secret in what it says."""
    done = run_here(*args, "--check")
    assert SECRET not in "".join(done.out + done.err)
    return done


@pytest.mark.parametrize("scheme", ["stratum+tcp", "stratum+tcps", "http"])
def test_nobody_is_connected_to(pool: socket.socket, scheme: str) -> None:
    done = checked("-a", "sha256d", "-o", url(pool, scheme), "-O", f"alice:{SECRET}", "--coinbase-addr", "anaddress",
                   "-t", "1")
    assert done.status == 0, done.err
    with pytest.raises(BlockingIOError):
        pool.accept()
    assert done.out[-1] == "Checked only: nothing was connected to, nobody was logged in"


def test_who_is_paid_and_by_what_way_is_said(pool: socket.socket, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"algo": "sha256d", "threads": 1, "pools": [
        {"url": url(pool), "user": "alice", "pass": SECRET}, {"url": "stratum+tcps://b.example:443", "user": "bob"}]}))
    config.chmod(0o600)
    done = checked("-c", str(config), "--kernel", "portable", "--seconds", "60", "--events", "run.jsonl")
    assert done.status == 0 and not done.err
    assert done.out == [
        "Hashing sha256d on 1 of this machine's CPUs with kernel portable",
        f"Work from {url(pool)}, paid to pool user alice",
        "  logging in as alice, with a password; not encrypted: who is on the way can read and change all of it",
        "While all before give no work: from stratum+tcps://b.example:443, paid to pool user bob",
        "  logging in as bob, without a password; TLS, trusting the authorities that this system trusts",
        "Until 60 seconds have passed",
        "Events go to run.jsonl",
        "Checked only: nothing was connected to, nobody was logged in",
    ]
    assert not Path("run.jsonl").exists()


def test_a_chain_that_is_mined_along_pays_too(pool: socket.socket) -> None:
    done = checked("-a", "scrypt:16", "-o", url(pool, "http"), "--coinbase-addr", "first", "--aux", url(pool, "http"),
                   "--aux-addr", "second", "--cookie-file", "/tmp/.cookie")
    assert done.status == 0
    assert any(line.startswith("Work from") and "address first and address second" in line for line in done.out)
    assert any("with the cookie in /tmp/.cookie" in line for line in done.out)


def test_no_password_is_asked_for(pool: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda prompt: pytest.fail("asked"))
    done = checked("-a", "sha256d", "-o", url(pool), "-u", "alice", "--ask-password")
    assert done.status == 0 and any("logging in as alice, with a password" in line for line in done.out)


def test_a_hub_says_where_it_would_listen(pool: socket.socket) -> None:
    done = checked("hub", "-o", url(pool), "-O", f"alice:{SECRET}", "--listen", f"127.0.0.1:{pool.getsockname()[1]}",
                   "--token", SECRET)
    assert done.status == 0
    assert re.match(r"Serving scrypt on 127\.0\.0\.1, port \d+, to at most \d+ miners that show the token", done.out[0])
    assert any("paid to pool user alice" in line for line in done.out)
    assert "made up at each start" in checked("hub", "--sandbox").out[0]


def test_a_spark_job_says_where_it_would_run(capsys: pytest.CaptureFixture[str]) -> None:
    status = run_command("miner spark", job.spark, ["--sandbox", "--check", "--master", "spark://host.example:7077",
                                                    "--conf", f"spark.some.password={SECRET}"], Console())
    out, err = capsys.readouterr()
    assert status == 0, err
    assert "Spark, spark://host.example:7077: each task with a thread for each of its CPUs" in out
    assert "spark.some.password is set" in out and SECRET not in out + err and "paid to nobody" in out


@pytest.mark.parametrize("args", [
    [], ["-o", "stratum+tcp://pool.example:1"], ["--sandbox", "--kernel", "bogus"], ["-c", "/nonexistent"],
    ["-o", "stratum+tcps://h.example:1", "-u", "a", "--cert", "/nonexistent"],
    ["-o", "http://h.example", "--password-file", "/nonexistent", "--coinbase-addr", "a"],
    ["hub", "--sandbox", "--listen", "x"],
])
def test_what_wont_do_is_found(args: list[str]) -> None:
    done = checked(*args)
    assert done.status == 2 and len(done.err) == 1 and not done.out


@pytest.mark.parametrize("declared", [mine.parser, hub.parser, bench.parser, screen.parser, swarm.parser,
                                      spark_settings.parser],
                         ids=lambda declared: declared.__module__)
def test_each_commands_help_names_its_exit_statuses(declared: "type[Parser]") -> None:
    text = declared().format_help()
    table = text[text.index("exit status:"):]
    assert {"0", "1", "2", "130"} <= set(re.findall(r"^  (\d+) ", table, re.MULTILINE))

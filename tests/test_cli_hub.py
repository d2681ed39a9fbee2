"""`python -m miner hub`, joined by `python -m miner`: the sandbox chain's work through a hub in another process."""

import re
import socket
from pathlib import Path

import pytest

from commands import interrupt, run_here, running

SECRET = "hunter2-is-secret"
HUB = ("hub", "--sandbox", "-a", "scrypt:16")
MINER = ("-a", "scrypt:16", "-t", "1", "-r", "0")


def test_the_line_it_prints_is_one_that_joins() -> None:
    with running(*HUB, "-D") as hub:
        assert hub.stdout is not None
        assert hub.stdout.readline().startswith("Hub listens on stratum+tcp://127.0.0.1:")
        command = hub.stdout.readline().rpartition("python -m miner ")[2].split()
        miner = run_here(*[word.replace("NAME", "alice") for word in command], "-t", "1", "--blocks", "1", "-r", "0")
        done = interrupt(hub)
    token = command[command.index("-p") + 1]
    assert miner.status == 0
    assert any(re.match(r"accepted: (\d+)/\1 \(100.00%\)", line) for line in miner.lines)
    assert done.status == 0
    assert any(line.startswith("alice joined from 127.0.0.1") for line in done.lines)
    assert any(line.startswith("alice on ") and "1 thread, kernel" in line for line in done.lines)
    assert any(line.endswith("(yay!!!) alice") for line in done.lines)
    assert any(line.startswith("BLOCK found at height 1, sandbox chain") for line in done.lines)
    assert done.out[0].split() == ["miner", "host", "hashes", "hashrate", "accepted", "rejected", "stale", "blocks"]
    assert done.out[2].startswith("alice")
    assert token not in "".join(done.err + miner.err)


def test_a_miner_with_another_token_is_refused_and_no_token_shown() -> None:
    with running(*HUB, "--token", SECRET) as hub:
        assert hub.stdout is not None
        url = hub.stdout.readline().split()[-1]
        assert SECRET not in hub.stdout.readline()
        miner = run_here(*MINER, "-o", url, "-u", "mallory", "-p", "guess-by-mallory", "--seconds", "20")
        done = interrupt(hub)
    assert miner.status == 1
    assert any("token" in line for line in miner.lines)
    assert "guess-by-mallory" not in "".join(miner.err + done.err)
    assert SECRET not in "".join(miner.err + done.err + done.out)


def test_getwork_can_not_be_shared_out() -> None:
    done = run_here("hub", "-o", "http://127.0.0.1:1/", "-O", "a:b")
    assert (done.status, "use --coinbase-addr ADDRESS" in done.err[0]) == (2, True)


def test_a_miner_that_is_told_so_ends_with_its_hub() -> None:
    with running(*HUB, "--token", SECRET) as hub:
        assert hub.stdout is not None
        url = hub.stdout.readline().split()[-1]
        with running(*MINER, "-o", url, "-u", "alice", "-p", SECRET, "--hub") as miner:
            assert miner.stderr is not None
            while "accepted: 1/" not in miner.stderr.readline():
                assert miner.poll() is None
            done = interrupt(hub)
            assert done.status == 0
            assert any(line.startswith("alice joined") for line in done.lines)
            assert not any("yay" in line for line in done.lines), "a share is a line only with -D"
            _, err = miner.communicate(timeout=30)
    assert miner.returncode == 0
    assert "No more work: the hub was stopped" in err


def test_blocks_end_a_hub_and_its_miners() -> None:
    with running(*HUB, "--token", SECRET, "--blocks", "2") as hub:
        assert hub.stdout is not None
        url = hub.stdout.readline().split()[-1]
        miner = run_here(*MINER, "-o", url, "-u", "alice", "-p", SECRET, "--hub")
        out, err = hub.communicate(timeout=30)
    assert (miner.status, hub.returncode) == (0, 0)
    found = len(re.findall("BLOCK found at height", err))
    assert found >= 2, "and what came in before the miner heard of the end"
    assert out.splitlines()[-1].split()[-1] == str(found)


@pytest.mark.parametrize(("args", "words"), [
    (["--listen", "nowhere"], "--listen"), (["--listen", "127.0.0.1:x"], "--listen"), (["--listen", ":1"], "--listen"),
    (["--listen", "203.0.113.1:1"], "can't listen"), (["--token-file", "/nonexistent"], "--token-file"),
    (["--token", "zwölf"], "ASCII"), (["--token", ""], "--token: it is given, but empty"), (["--token-file="], "empty"),
    (["--token", "x", "--token-file", "/nonexistent"], "--token and --token-file both give the token"),
    (["-o", "stratum+tcp://p:1", "-u", "a"], "--sandbox"),
    (["--max-miners", "0"], "--max-miners"), (["--max-miners", "70000"], "--max-miners"),
    (["--seconds-per-share", "0"], "--seconds-per-share"), (["--ban-seconds", "x"], "--ban-seconds"),
    (["--exempt-networks", "10.0.0.1/8"], "--exempt-networks"),
])
def test_wrong_usage(args: list[str], words: str) -> None:
    done = run_here(*HUB, *args)
    assert done.status == 2
    assert words in done.err[-1]


def test_a_token_from_the_environment_is_not_empty() -> None:
    done = run_here(*HUB, environ={"MINER_TOKEN": ""})
    assert (done.status, "MINER_TOKEN is set, but empty" in done.err[0]) == (2, True)


def test_the_time_can_be_limited() -> None:
    done = run_here(*HUB, "--seconds", "0.5", environ={"MINER_TOKEN": SECRET})
    assert done.status == 0
    assert SECRET not in "".join(done.out + done.err)
    assert done.out[-1].startswith("total")


def test_limits_are_options_and_settings_of_a_config_file(tmp_path: Path) -> None:
    path = tmp_path / "hub.json"
    path.write_text('{"max-miners": 1, "login-seconds": 90}')
    with running(*HUB, "--token", SECRET, "-c", str(path)) as hub:
        assert hub.stdout is not None
        host, _, port = hub.stdout.readline().split()[-1].rpartition("/")[2].rpartition(":")
        with socket.create_connection((host, int(port))) as first:
            first.sendall(b'{"id": 1, "method": "mining.authorize", "params": ["a", "%s"]}\n' % SECRET.encode())
            assert b"true" in first.recv(4096)
            with socket.create_connection((host, int(port))) as second:
                second.settimeout(30)
                assert second.recv(1) == b"", "one miner is all that it takes"
        done = interrupt(hub)
    assert any("the hub is full: 1 miners are here" in line for line in done.lines)

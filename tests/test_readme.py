"""The README's commands and code, run against real counterparts; those that start Spark are tested in tests/spark."""

import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from counterparts import require
from node.litecoind import Litecoind
from pool.pool import Pool
from readme import BLOCKS, README, ROOT, Block, environment, running, scripts


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.kind == "run"],
                         ids=lambda block: block.text.splitlines()[0])
def test_runs_as_it_stands(block: Block) -> None:
    command = [sys.executable, "-c"] if block.language == "python" else ["bash", "-ec"]
    done = subprocess.run([*command, block.text], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150,
                          env=environment(), cwd=ROOT.parent)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "H/s" in done.stdout or "hash/s" in done.stderr


def test_pool(tmp_path: Path) -> None:
    with Litecoind() as node, Pool(node) as pool:
        [script] = scripts("pool", **{"stratum+tcp://pool.example:3333": pool.url, "alice.1": pool.username,
                                      "password": pool.password})
        with running(script, tmp_path / "log") as wait_for:
            pool.wait_for_blocks(3)
            assert "2 miner threads started" in wait_for("yay!!!")
        assert node.height >= 3


def test_node(tmp_path: Path) -> None:
    with Litecoind() as node:
        [script] = scripts("node", **{"http://127.0.0.1:9332/": node.url, "rpcuser": node.username,
                                      "rpcpassword": node.password, "ADDRESS": node.address})
        with running(script, tmp_path / "log") as wait_for:
            wait_for(r"(?s)(yay!!!.*){3}")
        assert node.height >= 3
        assert node.address in node.block(2)["tx"][0]["vout"][0]["scriptPubKey"]["addresses"]


def test_hub(tmp_path: Path) -> None:
    """A free port in the place of the example's."""
    with ExitStack() as stack:
        serve, _ = scripts("hub", **{"127.0.0.1:3334": "127.0.0.1:0"})
        hub = stack.enter_context(running(serve, tmp_path / "hub"))
        listens = re.search(r"Hub listens on stratum\+tcp://(\S+)", hub("Hub listens on .*\n"))
        assert listens
        _, join = scripts("hub", **{"127.0.0.1:3334": listens[1]})
        miner = stack.enter_context(running(join, tmp_path / "miner"))
        miner("yay!!!")
        hub(r"BLOCK found at height 1, .* me\n")


def test_screen(tmp_path: Path) -> None:
    """For longer and before other programs, since this machine may be busy; Ctrl-C when it has been round once."""
    [script] = scripts("screen", **{"--seconds 10": "--seconds 600 --nice 0"})
    with running(script, tmp_path / "log") as wait_for:
        wait_for("round of all kernels on each CPU: [1-9][0-9]* hashes compared, no mismatch")
    assert re.search("[1-9][0-9]* hashes compared, no mismatch\n$", (tmp_path / "log").read_text())


def test_make_knows_the_commands() -> None:
    """`make demo` and `make test` would run this very test again; that CI runs them is their test."""
    named = {line.split()[1] for block in BLOCKS if block.language == "sh"
             for line in block.text.splitlines() if line.startswith("make ")} | set(re.findall(r"`make (\w+)", README))
    assert {"demo", "test", "counterparts"} <= named
    for target in sorted(named):
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True, timeout=60)


def test_what_it_says_to_install_is_what_an_error_says() -> None:
    line = re.search(r"apt-get install (gcc [^`]+)`", README)
    assert line
    needed = set(line[1].split())
    assert {"gcc", "libc6-dev", "make", "python3-dev", "python3-venv"} == needed
    assert f"apt-get install {line[1]}\n" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "apt-get install python3-venv" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_command_sparkminer_is_the_module() -> None:
    command = Path(sys.executable).with_name("sparkminer")
    require("the command sparkminer", command.exists(), "pip install --editable .")
    said = [subprocess.run([*words, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
            for words in ([sys.executable, "-m", "miner"], [command])]
    assert said[0] == said[1] != ""


@pytest.mark.parametrize("page", [path.relative_to(ROOT).as_posix() for path in sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("wheels/*.md")])])
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    links = re.findall(r"\]\((?!http)([^)#]+)", path.read_text(encoding="utf-8"))
    assert not [link for link in links if not (path.parent / link).exists()]


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    assert not [path.name for path in ROOT.glob("docs/[!R]*.md") if f"({path.name})" not in index]

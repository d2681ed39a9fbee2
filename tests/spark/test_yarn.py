"""The job on a real YARN: its ResourceManager, two NodeManagers, and containers that have nothing of ours. What takes
longer is in yarn_endings.py, for `make yarn`."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.find_spark_home import _find_spark_home

from miner.spark.settings import script
from miner.spark.ship import write_bundle
from node.litecoind import Litecoind
from spark.running import job, re_lines, summary
from spark.yarn_cluster import YarnCluster, on, yarn_cluster

pytestmark = pytest.mark.timeout(600)

JOINED = r"^(executor-\d+)\.(\d+) joined from "
TOLD = r"^(executor-\d+)\.\d+ on \S+: 1 thread, kernel '\w+'$"
LOG_SECONDS = 120.0
LOGGED = r"INFO sparkminer: (executor-\d)\.\d+ at stratum\+tcp://\S+: scrypt, kernel '\w+', 1 threads"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[YarnCluster]:
    with yarn_cluster(tmp_path_factory.mktemp("yarn")) as cluster:
        yield cluster


def spark_submit(cluster: YarnCluster, mode: str) -> list[str]:
    conf = (word for name, value in cluster.settings().items() for word in ("--conf", f"{name}={value}"))
    return [f"{_find_spark_home()}/bin/spark-submit", "--master", "yarn", "--deploy-mode", mode, *conf]


def check_summary(lines: list[str]) -> dict[str, list[str]]:
    """The table, whose sums say that blocks were found. On a busy machine an executor may have come too late for it."""
    table = summary(lines)
    assert len(table) >= 2, "an executor and the total"
    assert int(table["total"][0]) > 0, "no hashes"
    assert int(table["total"][-3]) == 0, "rejected shares"
    assert int(table["total"][-1]) > 0, "no blocks"
    return table


def wait_for_logs(executors: set[str], read: Callable[[], str], pattern: str = LOGGED) -> str:
    """What the cluster's logs say once they have a line of each: NodeManagers bring them together after a job."""
    deadline = time.monotonic() + LOG_SECONDS
    while True:
        said = read()
        if {name for name, in re_lines(pattern, said.splitlines())} >= executors:
            return said
        assert time.monotonic() < deadline, said[-5000:]
        time.sleep(0.5)


def test_client_mode(cluster: YarnCluster) -> None:
    """The plain command, the driver here. Nothing secret is seen in the cluster, and nothing is left there."""
    token = "hub-token-93ac"
    launcher = ("import secrets, sys; secrets.token_urlsafe = lambda *_: sys.argv[1]\n"
                "from miner.spark import main; sys.exit(main(sys.argv[2:]))")
    with Litecoind(mweb=False) as node:
        environ = cluster.environment | {"MINER_PASSWORD": node.password}
        with job(token, *on(cluster), "--executors", "2", "-o", node.url, "-u", node.username, "--seconds", "0",
                 "--coinbase-addr", node.new_address(), environ=environ,
                 command=[sys.executable, "-c", launcher]) as running:
            told = {running.wait_for(TOLD, 480)[1], running.wait_for(TOLD)[1]}
            assert told == {"executor-1", "executor-2"}
            running.wait_for("^BLOCK found")
            seen = list(cluster.shown())
            assert any("launch_container.sh" in name for name, _ in seen)
            assert any(name.startswith("environment") for name, _ in seen)
            running.interrupt()
            assert running.finish() == 0, running.lines
        assert int(check_summary(running.out)["total"][-1]) == node.height
    assert cluster.applications()[0]["finalStatus"] == "SUCCEEDED"
    cluster.wait_until_clean()
    wait_for_logs(told, cluster.aggregated)
    for secret in (token, node.password):
        assert not [name for name, text in (*seen, *cluster.shown()) if secret.encode() in text]


def test_cluster_mode(cluster: YarnCluster, tmp_path: Path) -> None:
    """The driver in a container as well, which gets the package as --py-files and the password as --files. `yarn logs`
    shows what it printed."""
    bundle, program, secret = tmp_path / "bundle.zip", tmp_path / "mine.py", tmp_path / "node.txt"
    write_bundle(bundle)
    program.write_bytes(script().read_bytes())
    with Litecoind(mweb=False) as node:
        secret.write_text(node.password)
        secret.chmod(0o600)
        command = [*spark_submit(cluster, "cluster"), "--num-executors", "2", "--py-files", str(bundle),
                   "--files", str(secret), str(program)]
        with job("-o", node.url, "-u", node.username, "--password-file", secret.name, "--seconds", "8",
                 "--coinbase-addr", node.new_address(), environ=cluster.environment, command=command) as running:
            assert running.finish(400) == 0, running.lines
        cluster.wait_until_clean()
        application = cluster.applications()[0]
        assert application["finalStatus"] == "SUCCEEDED"
        said = wait_for_logs({"total"}, lambda: cluster.client("LogsCLI", "-applicationId", application["id"]),
                             "^(total) ")
        table = check_summary(said.splitlines())
        assert int(table["total"][-1]) == node.height
        wait_for_logs(set(table) - {"total"}, cluster.aggregated)
    # NodeManagers keep what --files brought in their cache of this user, who alone can read it.
    kept = [Path(name) for name, text in cluster.shown() if node.password.encode() in text]
    assert {path.name for path in kept} <= {secret.name}
    assert not [path for path in kept if path.stat().st_mode & 0o077]

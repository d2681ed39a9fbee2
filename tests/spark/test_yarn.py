"""The job on YARN: Spark's own client, application master and executors, on a stand-in for the cluster below them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.find_spark_home import _find_spark_home

from miner.spark.settings import script
from miner.spark.ship import write_bundle
from node.litecoind import Litecoind
from spark.cluster import LIGHT_JAVA
from spark.running import job, summary
from spark.yarn_cluster import YarnCluster, yarn_cluster

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[YarnCluster]:
    with yarn_cluster(tmp_path) as cluster:
        yield cluster


def spark_submit(cluster: YarnCluster, mode: str) -> list[str]:
    home = _find_spark_home()
    conf = {"spark.pyspark.python": cluster.python, "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false",
            "spark.driver.extraJavaOptions": LIGHT_JAVA, "spark.executor.extraJavaOptions": LIGHT_JAVA,
            "spark.yarn.am.extraJavaOptions": LIGHT_JAVA, "spark.yarn.jars": f"local:{home}/jars/*",
            "spark.yarn.stagingDir": cluster.containers.as_uri()}
    return [f"{home}/bin/spark-submit", "--master", "yarn", "--deploy-mode", mode, "--num-executors", "2",
            "--executor-memory", "512m", "--driver-memory", "512m",
            *(word for name, value in conf.items() for word in ("--conf", f"{name}={value}"))]


def check_summary(lines: list[str]) -> dict[str, list[str]]:
    table = summary(lines)
    assert len(table) == 3, "two executors and the total"
    assert all(int(row[-7]) > 0 for row in table.values()), "no hashes"
    assert int(table["total"][-3]) == 0, "rejected shares"
    assert int(table["total"][-1]) > 0, "no blocks"
    return table


def test_client_mode(cluster: YarnCluster) -> None:
    """The driver here, and two containers on a Python that has nothing of ours."""
    command = [*spark_submit(cluster, "client"), str(script())]
    with job("--sandbox", "--seconds", "8", environ=cluster.environment, command=command) as running:
        assert running.finish(240) == 0, running.lines
    check_summary(running.out)


def test_cluster_mode(cluster: YarnCluster, tmp_path: Path) -> None:
    """The driver in a container as well, which gets the package as --py-files and the password as --files."""
    bundle, program, secret = tmp_path / "bundle.zip", tmp_path / "mine.py", tmp_path / "node.txt"
    write_bundle(bundle)
    program.write_bytes(script().read_bytes())
    with Litecoind(mweb=False) as node:
        secret.write_text(node.password)
        secret.chmod(0o600)
        command = [*spark_submit(cluster, "cluster"), "--py-files", str(bundle), "--files", str(secret), str(program)]
        with job("-o", node.url, "-u", node.username, "--password-file", secret.name, "--seconds", "8",
                 "--coinbase-addr", node.new_address(), environ=cluster.environment, command=command) as running:
            assert running.finish(240) == 0, running.lines
        said = next(text for path in cluster.containers.glob("*/stdout") if "accepted" in (text := path.read_text()))
        table = check_summary(said.splitlines())
        assert int(table["total"][-1]) == node.height
    shown = [path for path in cluster.containers.glob("*/*") if path.is_file() and path.name != secret.name
             and node.password.encode() in path.read_bytes()]
    assert not shown, "the password is where it shouldn't be"

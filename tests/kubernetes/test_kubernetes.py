"""The job on a real Kubernetes: API server, scheduler, controllers, kubelets, containerd and crun, with what is in
examples/kubernetes. The pods' image has Spark and a Python and nothing of ours; they run as a user that /etc/passwd
doesn't know, on a root file system that is read-only."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubernetes.cluster import EXAMPLES, PATIENCE, Kubernetes
from kubernetes.daemons import HOME
from miner.spark.settings import script
from miner.spark.ship import write_bundle
from spark.running import job, re_lines, summary

pytestmark = pytest.mark.timeout(900)

JOINED = r"joined"
PASSWORD = "correct-horse-battery"


@pytest.fixture(autouse=True)
def nothing_is_left(kubernetes: Kubernetes) -> Iterator[None]:
    """After every ending no pod of the job is there, and no service or config map of Spark's."""
    yield
    kubernetes.kubectl("delete", "pods", "--selector=spark-role=driver", "--wait")
    kubernetes.wait("pods are left behind", lambda: not kubernetes.pods())
    kubernetes.wait("services or config maps are left behind", lambda: not kubernetes.kubectl(
        "get", "services,configmaps", "--selector=spark-app-selector", "--output=name"))


def check_summary(lines: list[str], executors: int) -> dict[str, list[str]]:
    table = summary(lines)
    assert len(table) == executors + 1, "the executors and the total"
    assert all(int(row[-7]) > 0 for row in table.values()), "no hashes"
    assert int(table["total"][-3]) == 0, "rejected shares"
    return table


def test_client_mode(kubernetes: Kubernetes) -> None:
    """The driver outside, two executors as pods."""
    command = [*kubernetes.submit("client"), str(script())]
    with job("--sandbox", "--seconds", "10", environ=kubernetes.environment, command=command) as running:
        assert running.finish(600) == 0, running.lines
    assert int(check_summary(running.out, 2)["total"][-1]) > 0, "no blocks"


def test_cluster_mode(kubernetes: Kubernetes, tmp_path: Path) -> None:
    """The driver in a pod as well: the package and the script from a config map, the password from a secret."""
    write_bundle(tmp_path / "bundle.zip")
    (tmp_path / "mine.py").write_bytes(script().read_bytes())
    (tmp_path / "pool.txt").write_text(PASSWORD)
    kubernetes.kubectl("create", "configmap", "sparkminer", f"--from-file={tmp_path}/bundle.zip",
                       f"--from-file={tmp_path}/mine.py")
    kubernetes.kubectl("create", "secret", "generic", "sparkminer", f"--from-file={tmp_path}/pool.txt")
    command = [*kubernetes.submit("cluster"), "--py-files", "local:///opt/sparkminer/bundle.zip",
               "local:///opt/sparkminer/mine.py"]
    with job("--sandbox", "--seconds", "10", "--password-file", "/opt/password/pool.txt",
             environ=kubernetes.environment, command=command) as running:
        assert running.finish(600) == 0, running.lines
    driver, = kubernetes.pods("spark-role=driver")
    said = kubernetes.kubectl("logs", driver)
    check_summary(said.splitlines(), 2)
    assert "can be read by other users" not in said
    assert PASSWORD not in said
    assert PASSWORD not in json.dumps(kubernetes.pods())
    assert PASSWORD not in kubernetes.kubectl("get", "configmaps", "--output=json")


def test_pod_deleted(kubernetes: Kubernetes) -> None:
    """Spark starts another executor, and the job goes on."""
    command = [*kubernetes.submit("client"), str(script())]
    with job("--sandbox", "--no-live", environ=kubernetes.environment, command=command) as running:
        running.wait_for(JOINED, PATIENCE)
        running.wait_for(JOINED, PATIENCE)
        gone = next(iter(kubernetes.executors()))
        kubernetes.kubectl("delete", "pod", gone, "--wait=false")
        running.wait_for(JOINED, PATIENCE)
        assert gone not in kubernetes.executors()
        running.interrupt(signal.SIGINT)
        assert running.finish(120) == 0, running.lines
    check_summary(running.out, 3)


def test_node_drained(kubernetes: Kubernetes) -> None:
    """Its pods get SIGTERM and 30 seconds; what they did moves to the other node."""
    command = [*kubernetes.submit("client"), str(script())]
    with job("--sandbox", "--no-live", environ=kubernetes.environment, command=command) as running:
        running.wait_for(JOINED, PATIENCE)
        running.wait_for(JOINED, PATIENCE)
        drained = next(iter(kubernetes.executors().values()))["spec"]["nodeName"]
        try:
            kubernetes.kubectl("drain", drained, "--ignore-daemonsets", "--delete-emptydir-data", "--force",
                               "--grace-period=30", "--timeout=200s")
            kubernetes.wait("two executors on the other node", lambda: [
                pod["spec"]["nodeName"] != drained for pod in kubernetes.executors().values()] == [True, True])
            running.wait_for(JOINED, PATIENCE)
        finally:
            kubernetes.kubectl("uncordon", drained)
        running.interrupt(signal.SIGTERM)
        assert running.finish(120) == 0, running.lines


@pytest.mark.parametrize(("limit", "cores", "threads"), [("900m", 1, 1), ("1", 1, 1), ("1", 2, 1), ("2", 2, 2)])
def test_cpu_limits(kubernetes: Kubernetes, limit: str, cores: int, threads: int) -> None:
    """A task has no more threads than its pod has CPU time for, whatever Spark calls its cores."""
    settings = {"spark.kubernetes.executor.limit.cores": limit, "spark.executor.cores": str(cores),
                "spark.executor.instances": "1"}
    command = [*kubernetes.submit("client", **settings), str(script())]
    with job("--sandbox", "--seconds", "5", environ=kubernetes.environment, command=command) as running:
        assert running.finish(600) == 0, running.lines
    assert re_lines(r": (\d+) threads?, kernel", running.lines)[0] == (str(threads),)


def test_driver_deleted(kubernetes: Kubernetes, tmp_path: Path) -> None:
    """The driver's pod is deleted: it ends in order, and the executors go with it."""
    if "sparkminer" not in kubernetes.kubectl("get", "configmaps", "--output=name"):
        pytest.fail("runs after test_cluster_mode")
    command = [*kubernetes.submit("cluster", **{"spark.kubernetes.submission.waitAppCompletion": "false"}),
               "--py-files", "local:///opt/sparkminer/bundle.zip", "local:///opt/sparkminer/mine.py"]
    with job("--sandbox", environ=kubernetes.environment, command=command) as running:
        assert running.finish(300) == 0, running.lines
    driver, = kubernetes.pods("spark-role=driver")
    kubernetes.wait("both executors mine", lambda: kubernetes.kubectl("logs", driver).count("joined") >= 2)
    kubernetes.kubectl("delete", "pod", driver, "--wait=false")
    kubernetes.wait("pods are left behind", lambda: not kubernetes.pods())


def test_spark_operator(kubernetes: Kubernetes) -> None:
    """The API server takes the example for the Spark operator by the operator's own schema, and no unknown field."""
    kubernetes.kubectl("apply", "--server-side", "--filename", HOME / "sparkapplications.yaml")
    kubernetes.kubectl("wait", "--for=condition=Established", "crd/sparkapplications.sparkoperator.k8s.io")
    example = (EXAMPLES / "spark-application.yaml").read_text()
    check = ("apply", "--dry-run=server", "--validate=strict", "--filename=-")
    assert "sparkminer" in kubernetes.kubectl(*check, stdin=example)
    with pytest.raises(AssertionError, match="unknown field"):
        kubernetes.kubectl(*check, stdin=example.replace("coreLimit", "coresLimit"))


def test_manifests(kubernetes: Kubernetes) -> None:
    """The API server takes those that no other test uses."""
    kubernetes.kubectl("apply", "--dry-run=server", "--validate=strict", "--filename", EXAMPLES / "client.yaml")

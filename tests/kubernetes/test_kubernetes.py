"""The job on a real Kubernetes: API server, scheduler, controllers, kubelets, containerd and crun, with what is in
examples/kubernetes. The pods' image has Spark and a Python and nothing of ours; they run as a user that /etc/passwd
doesn't know, on a root file system that is read-only."""

import json
import signal
from collections.abc import Iterator

import pytest

from kubernetes.cluster import EXAMPLES, IMAGE, PATIENCE, Kubernetes
from kubernetes.daemons import HOME, ROOT
from miner.spark.settings import script
from miner.spark.ship import write_bundle
from spark.running import job, re_lines, summary

pytestmark = pytest.mark.timeout(900)

JOINED = r"joined"
PASSWORD = "correct-horse-battery"
DRIVER, PORTS = "sparkminer-driver", "7078,7079,3334"      # of examples/kubernetes/client.yaml


@pytest.fixture(autouse=True)
def nothing_is_left(kubernetes: Kubernetes) -> Iterator[None]:
    """After every ending no pod of the job is there, and no service or config map of Spark's; on the nodes, no process
    and no folder."""
    yield
    kubernetes.kubectl("delete", "pods", "--selector=spark-role!=executor", "--wait")
    kubernetes.wait("pods are left behind", lambda: not kubernetes.pods())
    kubernetes.wait("services or config maps are left behind", lambda: not kubernetes.kubectl(
        "get", "services,configmaps", "--selector=spark-app-selector", "--output=name"))
    kubernetes.wait(f"left on the nodes: {kubernetes.left()}", lambda: not kubernetes.left())


@pytest.fixture(scope="module")
def shipped(kubernetes: Kubernetes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The config map and the secret that pods mount."""
    folder = tmp_path_factory.mktemp("shipped")
    write_bundle(folder / "bundle.zip")
    (folder / "mine.py").write_bytes(script().read_bytes())
    (folder / "pool.txt").write_text(PASSWORD)
    kubernetes.kubectl("create", "configmap", "sparkminer", f"--from-file={folder}/bundle.zip",
                       f"--from-file={folder}/mine.py", f"--from-file={EXAMPLES}/executor.yaml")
    kubernetes.kubectl("create", "secret", "generic", "sparkminer", f"--from-file={folder}/pool.txt")


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


@pytest.mark.usefixtures("shipped")
def test_cluster_mode(kubernetes: Kubernetes) -> None:
    """The driver in a pod as well: the package and the script from a config map, the password from a secret."""
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


@pytest.mark.usefixtures("shipped")
def test_client_mode_in_a_pod(kubernetes: Kubernetes) -> None:
    """Executors find the driver by its service's name, and need no ports of it but the service's."""
    kubernetes.kubectl("apply", "--filename", EXAMPLES / "client.yaml")
    pod = (EXAMPLES / "client-pod.yaml").read_text().replace("IMAGE", IMAGE)
    pool = "        - --url=stratum+tcp://pool.example:3333\n"
    assert pool in pod
    kubernetes.kubectl("apply", "--filename=-",
                       stdin=pod.replace(pool, "        - --sandbox\n        - --seconds=10\n"))
    kubernetes.wait("the driver has an address", lambda: "podIP" in kubernetes.pods()[DRIVER]["status"])
    driver = kubernetes.pods()[DRIVER]["status"]["podIP"]
    ports = ("-d", driver, "-p", "tcp", "--syn", "-m", "multiport")
    iptables = (ROOT / "usr/sbin/iptables", "-w")
    for node in (1, 2):
        kubernetes.on_node(node, *iptables, "-I", "FORWARD", *ports, "!", "--dports", PORTS, "-j", "REJECT")
        kubernetes.on_node(node, *iptables, "-I", "FORWARD", *ports, "--dports", PORTS, "-j", "ACCEPT")
    kubernetes.wait("the driver ends", lambda: kubernetes.phase(DRIVER) in ("Succeeded", "Failed"))
    said = kubernetes.kubectl("logs", DRIVER)
    assert kubernetes.phase(DRIVER) == "Succeeded", said
    check_summary(said.splitlines(), 2)
    counted = [line.split() for node in (1, 2)
               for line in kubernetes.on_node(node, *iptables, "-L", "FORWARD", "-n", "-v", "-x").splitlines()]
    packets = {kind: sum(int(words[0]) for words in counted if words[2:3] == [kind]) for kind in ("ACCEPT", "REJECT")}
    assert packets["REJECT"] == 0
    assert packets["ACCEPT"] > 0
    kubernetes.kubectl("delete", "--filename", EXAMPLES / "client.yaml")


def test_pod_deleted(kubernetes: Kubernetes) -> None:
    """Spark starts another executor, and the job goes on."""
    command = [*kubernetes.submit("client"), str(script())]
    with job("--sandbox", "--seconds", "0", "--no-live", environ=kubernetes.environment, command=command) as running:
        running.wait_for(JOINED, PATIENCE)
        running.wait_for(JOINED, PATIENCE)
        gone = next(iter(kubernetes.executors()))
        running.wait_for(hashed(gone), PATIENCE)
        kubernetes.kubectl("delete", "pod", gone, "--wait=false")
        running.wait_for(JOINED, PATIENCE)
        assert gone not in kubernetes.executors()
        running.interrupt(signal.SIGINT)
        running.finish(PATIENCE)    # whose exit status is spark-submit's: 130
    check_summary(running.out, 3)


def test_node_drained(kubernetes: Kubernetes) -> None:
    """Its executors are decommissioned: their leases end and what they did is reported, within their 30 seconds; others
    start on the other node and mine on."""
    command = [*kubernetes.submit("client", **{"spark.decommission.enabled": "true"}), str(script())]
    with job("--sandbox", "--seconds", "0", "--no-live", environ=kubernetes.environment, command=command) as running:
        running.wait_for(JOINED, PATIENCE)
        running.wait_for(JOINED, PATIENCE)
        before = kubernetes.executors()
        for pod in before:
            running.wait_for(hashed(pod), PATIENCE)
        drained = next(iter(before.values()))["spec"]["nodeName"]
        try:
            kubernetes.kubectl("drain", drained, "--ignore-daemonsets", "--delete-emptydir-data", "--force",
                               "--grace-period=30", "--timeout=200s")
            kubernetes.wait("two executors on the other node", lambda: [
                pod["spec"]["nodeName"] != drained for pod in kubernetes.executors().values()] == [True, True])
            for pod, described in before.items():
                if described["spec"]["nodeName"] == drained:
                    name = f"executor-{pod.rpartition('-')[2]}"
                    assert re_lines(rf"^{name} is about to leave the cluster", running.lines)
                    assert re_lines(rf"^{name}\.\d+ left: the miner closed the connection", running.lines)
            after = kubernetes.executors()
            for pod in after.keys() - before.keys():
                running.wait_for(hashed(pod), PATIENCE)
        finally:
            kubernetes.kubectl("uncordon", drained)
        running.interrupt(signal.SIGTERM)
        running.finish(PATIENCE)    # whose exit status is spark-submit's: 143
    check_summary(running.out, len(before | after))


def hashed(pod: str) -> str:
    """A pattern for the line with what this pod's executor has hashed."""
    return rf"^executor-{pod.rpartition('-')[2]}\.\d+: \d+ hashes"


@pytest.mark.parametrize(("limit", "cores", "threads"), [("900m", 1, 1), ("1", 1, 1), ("1", 2, 1), ("2", 2, 2)])
def test_cpu_limits(kubernetes: Kubernetes, limit: str, cores: int, threads: int) -> None:
    """A task has no more threads than its pod has CPU time for, whatever Spark calls its cores."""
    settings = {"spark.kubernetes.executor.limit.cores": limit, "spark.executor.cores": str(cores),
                "spark.executor.instances": "1"}
    command = [*kubernetes.submit("client", **settings), str(script())]
    with job("--sandbox", "--seconds", "5", environ=kubernetes.environment, command=command) as running:
        assert running.finish(600) == 0, running.lines
    assert re_lines(r": (\d+) threads?, kernel", running.lines)[0] == (str(threads),)


@pytest.mark.usefixtures("shipped")
def test_driver_deleted(kubernetes: Kubernetes) -> None:
    """The driver's pod is deleted: it ends in order, and the executors go with it."""
    command = [*kubernetes.submit("cluster", **{"spark.kubernetes.submission.waitAppCompletion": "false"}),
               "--py-files", "local:///opt/sparkminer/bundle.zip", "local:///opt/sparkminer/mine.py"]
    with job("--sandbox", "--seconds", "0", environ=kubernetes.environment, command=command) as running:
        assert running.finish(300) == 0, running.lines
    driver, = kubernetes.pods("spark-role=driver")
    kubernetes.wait("the driver runs", lambda: kubernetes.phase(driver) == "Running")
    kubernetes.wait("both executors mine", lambda: kubernetes.kubectl("logs", driver).count("joined") >= 2)
    kubernetes.kubectl("delete", "pod", driver, "--wait=false")
    kubernetes.wait("pods are left behind", lambda: not kubernetes.pods())


def test_spark_operator(kubernetes: Kubernetes) -> None:
    """The API server takes the example for the Spark operator by the operator's own schema, and no unknown field."""
    kubernetes.kubectl("apply", "--server-side", "--filename", HOME / "sparkapplications.yaml")
    kubernetes.wait("the schema holds", lambda: "Established=True" in kubernetes.kubectl(
        "get", "crd", "sparkapplications.sparkoperator.k8s.io",
        "--output=jsonpath={range .status.conditions[*]}{.type}={.status} {end}"))
    example = (EXAMPLES / "spark-application.yaml").read_text()
    check = ("apply", "--dry-run=server", "--validate=strict", "--filename=-")
    assert "sparkminer" in kubernetes.kubectl(*check, stdin=example)
    with pytest.raises(AssertionError, match="unknown field"):
        kubernetes.kubectl(*check, stdin=example.replace("coreLimit", "coresLimit"))

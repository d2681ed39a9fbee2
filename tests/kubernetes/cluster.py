"""A Kubernetes cluster of two nodes for the tests, in namespaces of its own (machine.py), and how to ask it."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.find_spark_home import _find_spark_home

from counterparts import require
from kubernetes.daemons import API_SERVER, CONTROL, HOME, PARTS, environment
from spark.cluster import java_environment
from spark.quick_java import LIGHT_JAVA

EXAMPLES = Path(__file__).parents[2] / "examples" / "kubernetes"
CGROUPS = Path("/sys/fs/cgroup")
IMAGE = "sparkminer.test/spark:1"
PATIENCE = 240.0        # seconds for what the cluster does, on a machine that is busy with other things
CPU = "100m"            # what each pod asks for: two CPUs hold the whole cluster


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """A running cluster: `pid` is a process in its control plane's network, `environment` for programs that talk to
    it."""

    state: Path
    pid: int
    environment: dict[str, str]

    def within(self, *command: object) -> list[str]:
        """A command that runs in the network of the control plane, which no other network reaches."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", *map(str, command)]

    def on_node(self, number: int, *command: object) -> str:
        """What a command prints that runs in the node's network and sees its files."""
        ours = f"kubernetes.node\0{self.state}\0{number}\0".encode()
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        node, = (pid for pid in children if ours in Path(f"/proc/{pid}/cmdline").read_bytes())
        return subprocess.run(["nsenter", f"--target={node}", "--net", "--mount", *map(str, command)],
                              env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=True).stdout

    def left(self) -> list[str]:
        """Processes of containers, and folders of pods, on the nodes."""
        groups = (CGROUPS / "memory" / self.state.name).glob("node*/kubepods/**/cgroup.procs")
        return [*(f"process {pid} in {group}" for group in groups for pid in group.read_text().split()),
                *map(str, self.state.glob("node*/_var_lib/kubelet/pods/*"))]

    def kubectl(self, *arguments: object, stdin: str | None = None) -> str:
        """What kubectl prints. Raises AssertionError where it fails."""
        done = subprocess.run(self.within(PARTS, "kubectl", *arguments), env=self.environment, input=stdin, text=True,
                              capture_output=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, f"kubectl {arguments}: {done.stderr}"
        return done.stdout

    def pods(self, selector: str = "") -> dict[str, dict[str, Any]]:
        """The pods that there are by their names, terminating ones too."""
        found = json.loads(self.kubectl("get", "pods", "--output=json", f"--selector={selector}"))
        return {pod["metadata"]["name"]: pod for pod in found["items"]}

    def executors(self) -> dict[str, dict[str, Any]]:
        """The pods of executors that run and are not being deleted."""
        return {name: pod for name, pod in self.pods("spark-role=executor").items()
                if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]}

    def phase(self, pod: str) -> str:
        """What has become of it: Pending, Running, Succeeded or Failed."""
        return self.kubectl("get", "pod", pod, "--output=jsonpath={.status.phase}")

    def submit(self, mode: str, **settings: str) -> list[str]:
        """spark-submit's command as far as the script, with the pod templates of the examples."""
        home = _find_spark_home()
        conf = {"spark.kubernetes.container.image": IMAGE,
                "spark.kubernetes.authenticate.driver.serviceAccountName": "sparkminer",
                "spark.kubernetes.driver.podTemplateFile": EXAMPLES / "driver.yaml",
                "spark.kubernetes.executor.podTemplateFile": EXAMPLES / "executor.yaml",
                "spark.kubernetes.driver.request.cores": CPU, "spark.kubernetes.executor.request.cores": CPU,
                "spark.driver.extraJavaOptions": LIGHT_JAVA, "spark.executor.extraJavaOptions": LIGHT_JAVA,
                "spark.ui.enabled": "false", "spark.executor.instances": "2"}
        if mode == "client":
            conf |= {"spark.driver.host": CONTROL, "spark.driver.bindAddress": CONTROL,
                     "spark.pyspark.driver.python": sys.executable, "spark.pyspark.python": "python3"}
        return self.within(f"{home}/bin/spark-submit", "--master", f"k8s://{API_SERVER}", "--deploy-mode", mode,
                           "--executor-memory", "512m", "--driver-memory", "512m", *(
                               word for name, value in (conf | settings).items()
                               for word in ("--conf", f"{name}={value}")))

    def wait(self, what: str, true: Callable[[], object]) -> None:
        """Wait until `true()` is."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > deadline:
                said = [self.kubectl("logs", "--tail=30", pod) for pod in self.pods("spark-role!=executor")]
                raise AssertionError("\n".join([what, self.kubectl("describe", "pods")[-6000:], *said]))
            time.sleep(0.5)


@contextlib.contextmanager
def kubernetes_cluster() -> Iterator[Kubernetes]:
    """A cluster of two nodes, for as long as the with block lasts. Nothing is left of it but what `install` got."""
    require("Kubernetes", PARTS.exists() and (HOME / "containerd").exists(), "tests/kubernetes/install")
    state = Path(tempfile.mkdtemp(prefix="sparkminer-test-", dir=HOME))
    outside = java_environment(state)
    process = subprocess.Popen(
        ["unshare", "--fork", "--pid", "--mount", "--mount-proc", "--kill-child", "--net", "--uts", sys.executable,
         "-m", "kubernetes.machine", str(state), "2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])})
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", "the cluster does not start"
        pid = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        cluster = Kubernetes(state, pid, outside | {
            "KUBECONFIG": str(state / "admin.kubeconfig"), "KUBECACHEDIR": str(state / "kubectl")})
        for number in (1, 2):
            for what in ("create", "condition=Ready"):
                cluster.kubectl("wait", f"--for={what}", f"node/node{number}", "--timeout=200s")
        yield cluster
    finally:
        process.communicate()
        _clean(state)


def _clean(state: Path) -> None:
    """Remove what outlives a cluster's processes: its control groups and its folder."""
    deadline = time.monotonic() + 60
    for top in CGROUPS.glob(f"*/{state.name}"):
        for group, _, _ in os.walk(top, topdown=False):
            while Path(group).exists():
                with contextlib.suppress(OSError):      # busy, as long as its last process is on its way out
                    Path(group).rmdir()
                    break
                assert time.monotonic() < deadline, f"processes are left in {group}"
                time.sleep(0.1)
    shutil.rmtree(state)

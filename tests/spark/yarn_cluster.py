"""A real YARN cluster on this machine: a ResourceManager and NodeManagers, each a process with a folder of its own.

Containers are processes that the NodeManagers start, on a Python that has nothing of ours.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from pyspark.find_spark_home import _find_spark_home

from counterparts import require
from miner.spark.processes import end_session
from spark.cluster import bare_venv, free_port, java_environment
from spark.quick_java import LIGHT_JAVA
from spark.running import PROC

START_SECONDS = 240.0
TIDY_SECONDS = 120.0
NODE_LOST_SECONDS = 30
HEARTBEAT_MS = "200"
_SERVERS = "org.apache.hadoop.yarn.server"
_CLIENT = "org.apache.hadoop.yarn.client.cli"
_LOG = """log4j.rootLogger=INFO, stderr
log4j.appender.stderr=org.apache.log4j.ConsoleAppender
log4j.appender.stderr.target=System.err
log4j.appender.stderr.layout=org.apache.log4j.PatternLayout
log4j.appender.stderr.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n
"""
_HERE = Path(__file__).with_name("yarn")


@dataclass(frozen=True, slots=True)
class YarnCluster:
    """`folder` holds everything that the cluster writes, `web` is the ResourceManager's address for HTTP, `python` has
    no package at all, `nodes` are the NodeManagers."""

    folder: Path
    web: str
    python: Path
    environment: dict[str, str]
    jars: str
    nodes: "list[subprocess.Popen[bytes]]"

    @property
    def staging(self) -> Path:
        """Where Spark's client puts what containers fetch."""
        return self.folder / "staging"

    def settings(self) -> dict[str, str]:
        """Spark's settings for this cluster."""
        return {"spark.pyspark.python": str(self.python), "spark.driver.host": "127.0.0.1",
                "spark.driver.bindAddress": "127.0.0.1", "spark.yarn.appMasterEnv.SPARK_LOCAL_IP": "127.0.0.1",
                "spark.driver.extraJavaOptions": LIGHT_JAVA, "spark.executor.extraJavaOptions": LIGHT_JAVA,
                "spark.yarn.am.extraJavaOptions": LIGHT_JAVA, "spark.driver.memory": "512m",
                "spark.executor.memory": "512m", "spark.yarn.jars": f"local:{_find_spark_home()}/jars/*",
                "spark.yarn.stagingDir": self.staging.as_uri()}

    def get(self, path: str) -> Any:
        """What the ResourceManager's REST API says."""
        with urllib.request.urlopen(f"{self.web}/ws/v1/cluster/{path}", timeout=30) as answer:
            return json.load(answer)

    def applications(self) -> list[dict[str, Any]]:
        """All that there have been, the newest first."""
        apps = (self.get("apps")["apps"] or {}).get("app", [])
        return sorted(apps, key=lambda app: -int(app["id"].rpartition("_")[2]))

    def client(self, name: str, *arguments: str) -> str:
        """What the command `yarn` prints, whose classes these are: `LogsCLI` is `yarn logs`, `ApplicationCLI`
        `yarn application`."""
        done = subprocess.run([*_java(self.environment, self.folder / "client", self.jars), f"{_CLIENT}.{name}",
                               *arguments],
                              env=self.environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def drain(self, host: str, seconds: int) -> None:
        """Have the ResourceManager decommission a host's NodeManager, which gets this time for its containers."""
        (self.folder / "excluded").write_text(f"{host}\n")
        self.client("RMAdminCLI", "-refreshNodes", "-g", str(seconds), "-server")

    def containers(self) -> dict[int, str]:
        """The processes of all containers, by process number: their command lines, with spaces."""
        found = {}
        for entry in PROC.iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(self.folder / "nodes"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return {pid: command for pid, command in found.items() if pid not in {node.pid for node in self.nodes}}

    def shown(self) -> Iterator[tuple[str, bytes]]:
        """All that others may see: command lines and environments of containers, and every file that the cluster has
        written (launch scripts, what containers fetch, servers' logs, aggregated logs), each with its name."""
        for pid, command in self.containers().items():
            yield f"command line of {pid}", command.encode()
            with contextlib.suppress(OSError):
                yield f"environment of {pid}", (PROC / str(pid) / "environ").read_bytes()
        for part in ("nodes", "manager", "logs", "staging", "client"):
            for path in (self.folder / part).rglob("*"):
                with contextlib.suppress(OSError):
                    if path.is_file():
                        yield str(path), path.read_bytes()

    def aggregated(self) -> str:
        """The aggregated logs of all applications, as they lie in YARN's files."""
        return "".join(path.read_text(errors="replace") for path in (self.folder / "logs").rglob("127.0.0.*"))

    def wait_until_clean(self) -> None:
        """Until no process and no folder of an application is left: NodeManagers tidy up once its logs are
        aggregated."""
        deadline = time.monotonic() + TIDY_SECONDS
        while left := [*self.containers().values(), *self.folder.glob("nodes/*/local/usercache/*/appcache/*"),
                       *self.staging.glob("*/.sparkStaging/*")]:
            assert time.monotonic() < deadline, left
            time.sleep(0.2)


def on(cluster: YarnCluster) -> list[str]:
    """The options of `python -m miner spark` that lead there."""
    return ["--master", "yarn", *(f"--conf={name}={value}" for name, value in cluster.settings().items())]


@contextlib.contextmanager
def yarn_cluster(directory: Path, nodes: int = 2) -> Iterator[YarnCluster]:
    """As long as the with block lasts. It ends with this process, too, however that ends."""
    folder = Path(os.environ.get("MINER_YARN_DIR", _HERE / "jars"))
    require("YARN", (folder / ".installed").exists(), "ci/install-yarn")
    require("setpriv", shutil.which("setpriv"), "apt-get install util-linux")
    environment = java_environment(directory)
    environment.pop("PYTHONPATH", None)
    client = directory / "client"
    environment |= {"HADOOP_CONF_DIR": str(client), "YARN_CONF_DIR": str(client)}
    jars = f"{folder}/*"
    shared = _addresses()
    web = f"http://{shared['yarn.resourcemanager.webapp.address']}"
    shared |= {"yarn.application.classpath": "", "yarn.log-aggregation-enable": "true",
               "yarn.nodemanager.remote-app-log-dir": str(directory / "logs")}
    _configure(client, directory, shared)
    (directory / "excluded").touch()
    _configure(directory / "manager", directory, shared | _manager(directory / "excluded"))
    (directory / "staging").mkdir()
    with contextlib.ExitStack() as stack:
        manager = stack.enter_context(
            _server(directory / "manager", environment, jars, "resourcemanager.ResourceManager"))
        managers = []
        for number in range(nodes):
            home = directory / "nodes" / str(number)
            _configure(home, directory, shared | _node(home, f"127.0.0.{2 + number}"))
            managers.append(stack.enter_context(_server(home, environment, jars, "nodemanager.NodeManager")))
        cluster = YarnCluster(directory, web, bare_venv(directory / "python"), environment, jars, managers)
        stack.callback(_kill_containers, cluster)
        _wait_for_nodes(cluster, manager)
        yield cluster


def _addresses() -> dict[str, str]:
    names = ("address", "scheduler.address", "resource-tracker.address", "admin.address", "webapp.address")
    return {"yarn.resourcemanager.hostname": "127.0.0.1",
            **{f"yarn.resourcemanager.{name}": f"127.0.0.1:{free_port()}" for name in names}}


def _manager(excluded: Path) -> dict[str, str]:
    return {"yarn.resourcemanager.nodemanagers.heartbeat-interval-ms": HEARTBEAT_MS,
            "yarn.scheduler.minimum-allocation-mb": "128",
            "yarn.nm.liveness-monitor.expiry-interval-ms": str(NODE_LOST_SECONDS * 1000),
            "yarn.resourcemanager.nodes.exclude-path": str(excluded),
            "yarn.scheduler.capacity.root.queues": "default", "yarn.scheduler.capacity.root.default.capacity": "100",
            "yarn.scheduler.capacity.maximum-am-resource-percent": "1"}


def _node(home: Path, host: str) -> dict[str, str]:
    places = {f"yarn.nodemanager.{name}": f"{host}:0"
              for name in ("address", "localizer.address", "webapp.address", "collector-service.address")}
    return {**places, "yarn.nodemanager.hostname": host,
            "yarn.nodemanager.local-dirs": str(home / "local"), "yarn.nodemanager.log-dirs": str(home / "logs"),
            "yarn.nodemanager.resource.memory-mb": "4096", "yarn.nodemanager.resource.cpu-vcores": "4",
            # True, the default, leaves memory to control groups, which this NodeManager's executor doesn't have: nobody
            # would look at it.
            "yarn.nodemanager.resource.memory.enforced": "false",
            # A java whose child has many threads looks twice as large for a moment.
            "yarn.nodemanager.vmem-check-enabled": "false",
            "yarn.nodemanager.container-monitor.interval-ms": "1000",
            "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": "100",
            "yarn.nodemanager.env-whitelist": "JAVA_HOME,MINER_TEST_RUN",
            "yarn.resourcemanager.connect.retry-interval.ms": "500",
            "yarn.resourcemanager.connect.max-wait.ms": "120000"}


def _configure(home: Path, directory: Path, properties: Mapping[str, str]) -> None:
    home.mkdir(parents=True)
    _write(home / "core-site.xml", {"fs.defaultFS": "file:///", "hadoop.tmp.dir": str(directory / "tmp"),
                                    "hadoop.service.shutdown.timeout": "5s"})
    _write(home / "yarn-site.xml", properties)
    (home / "log4j.properties").write_text(_LOG)


def _write(path: Path, properties: Mapping[str, str]) -> None:
    lines = (f"<property><name>{name}</name><value>{escape(value)}</value></property>\n"
             for name, value in properties.items())
    path.write_text(f"<configuration>\n{''.join(lines)}</configuration>\n")


def _java(environment: Mapping[str, str], home: Path, jars: str) -> list[str]:
    return [f"{environment['JAVA_HOME']}/bin/java", *LIGHT_JAVA.split(), f"-Djava.io.tmpdir={home}", "-cp",
            f"{home}{os.pathsep}{jars}"]


@contextlib.contextmanager
def _server(home: Path, environment: Mapping[str, str], jars: str, name: str) -> "Iterator[subprocess.Popen[bytes]]":
    """A server, which hears SIGTERM when the thread that called this is gone."""
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *_java(environment, home, jars),
                                    f"{_SERVERS}.{name}"], cwd=home, env=dict(environment), stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        end_session(process.pid, 15.0)
        process.wait()


def _wait_for_nodes(cluster: YarnCluster, manager: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError):
            found = (cluster.get("nodes?states=RUNNING")["nodes"] or {}).get("node", [])
            if len(found) == len(cluster.nodes):
                return
        if time.monotonic() > deadline or any(server.poll() is not None for server in (manager, *cluster.nodes)):
            logs = sorted(cluster.folder.rglob("server.log"))
            raise TimeoutError("\n".join(f"{log}:\n{log.read_text(errors='replace')[-2000:]}" for log in logs))
        time.sleep(0.2)


def _kill_containers(cluster: YarnCluster) -> None:
    """What a NodeManager that was killed has left."""
    for pid in cluster.containers():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

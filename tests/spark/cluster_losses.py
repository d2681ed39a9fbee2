"""What is lost of a cluster while the job runs, and what becomes of the job and of its processes: `make clusters`.

Each of these takes a minute or more, since Spark itself notices a loss so late.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterparts import require
from spark.cluster import Cluster, described_cluster, standalone_cluster
from spark.running import SparkRun, alive, all_processes, command_line, job, wait_until

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]

JOINED = r"^(executor-\d+)\.(\d+) joined from "
SPACE, OUTER, INNER = "sparkminer-test", "10.219.77.1", "10.219.77.2"  # a network of its own, for one Worker


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with standalone_cluster(tmp_path_factory.mktemp("cluster"), cores=(1,)) as cluster:
        yield cluster


@contextlib.contextmanager
def mining(cluster: Cluster, *args: str) -> Iterator[SparkRun]:
    """The job, on all of the cluster until it is told to end."""
    conf = {"spark.pyspark.python": cluster.python, "spark.executor.memory": "512m"}
    with job("--master", cluster.url, *(f"--conf={name}={value}" for name, value in conf.items()), "--sandbox",
             "--seconds", "0", *args, environ=cluster.environment) as running:
        yield running


def end(running: SparkRun) -> None:
    running.interrupt()
    assert running.finish() == 0, running.lines


def executor_of(worker: int) -> int:
    """The process id of the executor whose Python worker this is."""
    while "CoarseGrainedExecutorBackend" not in command_line(worker):
        worker = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    return worker


@pytest.mark.parametrize("what", ["Python", "JVM"])
def test_a_killed_driver_takes_everything_with_it(cluster: Cluster, what: str) -> None:
    with mining(cluster) as running:
        worker = int(running.wait_for(JOINED)[2])
        processes = running.processes() | {worker, executor_of(worker)}
        victim = running.process.pid if what == "Python" else next(
            pid for pid in running.processes() if "org.apache.spark.deploy.SparkSubmit" in command_line(pid))
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: not alive(processes - {running.process.pid}))
        if what == "JVM":
            assert running.finish() == 1, running.lines


def test_without_sparks_daemon_no_worker_outlives_its_executor(cluster: Cluster) -> None:
    with mining(cluster, "--conf", "spark.python.use.daemon=false") as running:
        worker = int(running.wait_for(JOINED)[2])
        os.kill(executor_of(worker), signal.SIGKILL)
        wait_until(lambda: not alive({worker}))
        running.wait_for(JOINED)
        end(running)


def test_a_worker_that_is_lost_and_comes_back(cluster: Cluster) -> None:
    with mining(cluster) as running:
        running.wait_for(JOINED)
        with cluster.worker(1, 1) as lost:
            executor, worker = running.wait_for(JOINED).groups()
            os.kill(lost, signal.SIGKILL)
            running.wait_for(rf"^{executor}\.{worker} left: ")
            wait_until(lambda: not alive({int(worker)}))
        with cluster.worker(1, 1):
            assert running.wait_for(JOINED)[1] != executor
            end(running)


def test_a_master_that_is_lost_and_comes_back(tmp_path: Path) -> None:
    """Nothing of the mining depends on it. Back again, Spark 4.3's starts the executors of before once more, under
    their old numbers, at which both end; the job goes on with those that it is given then."""
    cluster = described_cluster(tmp_path)
    with contextlib.ExitStack() as stack:
        with cluster.master() as master:
            stack.enter_context(cluster.worker(0, 1))
            running = stack.enter_context(mining(cluster, "--debug"))
            executor, worker = running.wait_for(JOINED).groups()
            os.kill(master, signal.SIGKILL)
            wait_until(lambda: master not in all_processes() or not command_line(master))
            running.wait_for(rf"^BLOCK found .* {executor}\.{worker}$")
            running.wait_for(rf"^BLOCK found .* {executor}\.{worker}$")
        stack.enter_context(cluster.master())
        stack.enter_context(cluster.worker(1, 1))
        assert running.wait_for(JOINED)[1] != executor
        end(running)
        assert not alive({int(worker)})


def test_a_network_that_is_cut_and_whole_again(tmp_path: Path) -> None:
    """Packets vanish. The executor behind the cut ends its lease and hashes nothing; it mines again afterwards."""
    made = os.geteuid() == 0 and _ip("netns", "add", SPACE) == 0
    require("ip netns, as root", made or None, "apt-get install iproute2")
    try:
        for command in ("link add miner-outer type veth peer name miner-inner", f"link set miner-inner netns {SPACE}",
                        f"addr add {OUTER}/30 dev miner-outer", "link set miner-outer up",
                        f"-n {SPACE} addr add {INNER}/30 dev miner-inner", f"-n {SPACE} link set miner-inner up",
                        f"-n {SPACE} link set lo up"):
            assert _ip(*command.split()) == 0, command
        cluster = described_cluster(tmp_path, OUTER)
        inside = ("ip", "netns", "exec", SPACE)
        with (cluster.master(), cluster.worker(0, 1, INNER, inside),
              mining(cluster, "--conf", f"spark.driver.host={OUTER}", "--orphan-timeout", "5") as running):
            executor, worker = running.wait_for(JOINED).groups()
            assert _ip("-n", SPACE, "link", "set", "miner-inner", "down") == 0
            log = tmp_path / "work0"
            wait_until(lambda: any("the hub has been out of reach for too long" in path.read_text(errors="replace")
                                   for path in log.rglob("stderr")))
            assert _ip("-n", SPACE, "link", "set", "miner-inner", "up") == 0
            assert running.wait_for(JOINED)[1].startswith("executor-")
            end(running)
        assert not alive({int(worker)})
    finally:
        _ip("netns", "del", SPACE)  # and with it both ends of the link


def _ip(*words: str) -> int:
    try:
        return subprocess.run(["ip", *words], capture_output=True, timeout=30, check=False).returncode
    except OSError:
        return 1

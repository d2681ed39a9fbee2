"""What happens to the job on a real YARN: other ways in, executors that come, are killed or lost, and every ending.
Takes minutes: `make yarn` runs it, `make test` doesn't."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from miner.spark.settings import script
from miner.spark.ship import write_bundle
from spark.running import job, re_lines, summary
from spark.test_yarn import JOINED, TOLD, check_summary, spark_submit
from spark.yarn_cluster import YarnCluster, on, yarn_cluster

pytestmark = pytest.mark.timeout(1800)

START = 600.0  # seconds, on a machine that is busy with other things


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[YarnCluster]:
    with yarn_cluster(tmp_path_factory.mktemp("yarn")) as cluster:
        yield cluster


def test_archives(cluster: YarnCluster, tmp_path: Path) -> None:
    """The package as an unpacked archive on the executors' path, and nothing else said."""
    bundle = tmp_path / "bundle.zip"
    write_bundle(bundle)
    command = [*spark_submit(cluster, "client"), "--archives", f"{bundle}#pkg",
               "--conf", "spark.executorEnv.PYTHONPATH=pkg", str(script())]
    with job("--sandbox", "--seconds", "8", environ=cluster.environment, command=command) as running:
        assert running.finish(START) == 0, running.lines
    check_summary(running.out)
    cluster.wait_until_clean()


def test_dynamic_allocation(cluster: YarnCluster) -> None:
    """It grows up to the maximum, since tasks always wait for room."""
    grow = ("--conf=spark.dynamicAllocation.enabled=true", "--conf=spark.dynamicAllocation.maxExecutors=3")
    with job(*on(cluster), *grow, "--sandbox", "--seconds", "0", environ=cluster.environment) as running:
        seen = {running.wait_for(TOLD, START)[1] for _ in range(3)}
        assert len(seen) == 3
        executors = [command for command in cluster.containers().values() if "--executor-id" in command]
        assert len({re.search(r"--executor-id (\d+)", command)[0] for command in executors}) == 3
        running.interrupt()
        assert running.finish() == 0, running.lines
    assert set(summary(running.out)) == seen | {"total"}
    cluster.wait_until_clean()


def test_killed_by_its_command(cluster: YarnCluster) -> None:
    """`yarn application -kill`."""
    with job(*on(cluster), "--executors", "2", "--sandbox", "--seconds", "0", environ=cluster.environment) as running:
        running.wait_for(TOLD, START)
        running.wait_for(TOLD)
        cluster.client("ApplicationCLI", "application", "-kill", cluster.applications()[0]["id"])
        assert running.finish() == 1, running.lines
    assert re.search("^miner spark: the cluster ended the job: .* killed by user", running.lines[-1])
    assert set(summary(running.out)) == {"executor-1", "executor-2", "total"}
    cluster.wait_until_clean()


def test_ctrl_c(cluster: YarnCluster) -> None:
    with job(*on(cluster), "--executors", "2", "--sandbox", "--seconds", "0", environ=cluster.environment) as running:
        running.wait_for(TOLD, START)
        running.wait_for(TOLD)
        running.interrupt()
        assert running.finish() == 0, running.lines
    check_summary(running.out)
    assert cluster.applications()[0]["state"] == "FINISHED"
    cluster.wait_until_clean()


def test_executors_killed_for_memory(cluster: YarnCluster) -> None:
    """A large N in small containers: their NodeManagers kill them, and those that come in their place. The job says
    why each time, and gives up."""
    many = "--conf=spark.executor.maxNumFailures=100"  # of which YARN ends the job by itself
    with job(*on(cluster), many, "--executors", "2", "--sandbox", "-a", "scrypt:1048576", "--seconds", "0",
             environ=cluster.environment) as running:
        assert running.finish(START) == 1, running.lines
    killed = re_lines(r"^a task failed on \S+, Spark starts it again: YARN killed executor-(\d+) for its memory, which "
                      r"took ([\d.]+ [MG]B) where 896 MB are allowed: .*memoryOverhead=….*--memory-limit",
                      running.lines)
    assert len({executor for executor, _ in killed}) >= 2, running.lines
    assert running.lines[-1] == "miner spark: no executor can mine: see the failures above"
    cluster.wait_until_clean()


def test_driver_killed(cluster: YarnCluster) -> None:
    """Its application master notices, and all containers go."""
    with job(*on(cluster), "--executors", "1", "--sandbox", "--seconds", "0", environ=cluster.environment) as running:
        running.wait_for(TOLD, START)
        os.killpg(running.process.pid, signal.SIGKILL)
        running.finish()
        deadline = time.monotonic() + START
        while cluster.containers():
            assert time.monotonic() < deadline, cluster.containers()
            time.sleep(0.2)


def test_a_node_lost(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A machine that is gone from one moment to the next: the other executor goes on, and another one takes the place.
    Each NodeManager has room for one of them."""
    with yarn_cluster(tmp_path_factory.mktemp("yarn"), nodes=3) as cluster, \
            job(*on(cluster), "--executors", "2", "--conf=spark.executor.memory=2100m", "--sandbox", "--seconds", "0",
                environ=cluster.environment) as running:
        found = {running.wait_for(JOINED, START)[1], running.wait_for(JOINED)[1]}
        lost = next(node for node in cluster.nodes
                    if _containers_of(cluster, node) and not _hosts_master(cluster, node))
        _kill_machine(cluster, lost)
        running.wait_for(r"^executor-\d+\.\d+ left: ")
        assert running.wait_for(JOINED, START)[1] not in found
        assert len(cluster.get("nodes?states=LOST")["nodes"]["node"]) == 1
        running.interrupt()
        assert running.finish() == 0, running.lines


def test_a_node_drained(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Preempted with notice: the leases on a NodeManager that is decommissioned end at once, with nothing lost, and the
    other NodeManager gets an executor in their place."""
    with yarn_cluster(tmp_path_factory.mktemp("yarn")) as cluster, \
            job(*on(cluster), "--executors", "1", "--conf=spark.decommission.enabled=true", "--lease-seconds", "600",
                "--sandbox", "--seconds", "0", environ=cluster.environment) as running:
        executor = running.wait_for(JOINED, START)[1]
        running.wait_for(rf"^{executor}\.\d+: [1-9]\d* hashes")
        command = next(command for command in cluster.containers().values() if "--executor-id" in command)
        host = re.search(r"--hostname (\S+)", command)
        assert host
        cluster.drain(host[1], 300)
        running.wait_for(rf"^{executor} is about to leave the cluster: its leases end$")
        running.wait_for(rf"^{executor}\.\d+ left: ")
        other = running.wait_for(JOINED, START)[1]
        assert other != executor
        running.wait_for(rf"^{other}\.\d+: [1-9]\d* hashes")
        running.interrupt()
        assert running.finish() == 0, running.lines
    table = summary(running.out)
    assert set(table) == {executor, other, "total"}
    assert int(table["total"][0]) == int(table[executor][1]) + int(table[other][1])


def _folder(node: "subprocess.Popen[bytes]") -> Path:
    return Path(f"/proc/{node.pid}/cwd").readlink()


def _hosts_master(cluster: YarnCluster, node: "subprocess.Popen[bytes]") -> bool:
    return any("ExecutorLauncher" in command for command in _containers_of(cluster, node).values())


def _containers_of(cluster: YarnCluster, node: "subprocess.Popen[bytes]") -> dict[int, str]:
    folder = _folder(node)
    return {pid: command for pid, command in cluster.containers().items()
            if Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder)}


def _kill_machine(cluster: YarnCluster, node: "subprocess.Popen[bytes]") -> None:
    containers = _containers_of(cluster, node)
    for pid in (node.pid, *containers):
        os.kill(pid, signal.SIGKILL)

"""Every core of every executor that is there mines: of whatever size, early or late, beside ones that can't."""

import json
import os
import re
import signal
import time

import pytest

from spark.cluster import Cluster, free_port, on
from spark.running import SparkRun, all_processes, command_line, job, summary, wait_until
from spark.web import fetch, ui_port

pytestmark = pytest.mark.timeout(600)

JOINED = r"^(executor-\d+)\.\d+ joined from "


def wait_for_miners(running: SparkRun, count: int) -> list[str]:
    """The executors of the next `count` miners that join."""
    return sorted(running.wait_for(JOINED)[1] for _ in range(count))


def test_executors_of_all_sizes_early_and_late(cluster: Cluster) -> None:
    """Workers of one core and two; one of two more that comes when the others mine, and is decommissioned: its leases,
    of five minutes, end at once, and so does it."""
    with cluster.worker(2, 2), \
            job(*on(cluster), "-a", "scrypt:16", "--sandbox", "--seconds", "0", "--quiet",
                "--conf=spark.decommission.enabled=true", environ=cluster.environment) as running:
        by_executor = wait_for_miners(running, 4)
        assert sorted(by_executor.count(executor) for executor in set(by_executor)) == [1, 1, 2]
        with cluster.worker(3, 2) as worker:
            late = wait_for_miners(running, 2)
            assert len(set(late)) == 1, "both cores of the new one"
            assert not set(late) & set(by_executor)
            running.wait_for(rf"^{late[0]}\.\d+ on \S+: 1 thread, kernel")
            os.kill(worker, signal.SIGPWR)
            running.wait_for(rf"^{late[0]} is about to leave the cluster: its leases end$")
            running.wait_for(rf"^{late[0]}\.\d+ left: ")
            running.wait_for(rf"^{late[0]}\.\d+ left: ")
            wait_until(lambda: not executors_on(cluster, 3))
        running.interrupt()
        assert running.finish() == 0, running.lines
    rows = summary(running.out)
    assert set(rows) == {*by_executor, *late, "total"}
    assert all(int(rows[executor][1]) > 0 for executor in by_executor)


def executors_on(cluster: Cluster, worker: int) -> list[int]:
    """The processes of a worker's executors."""
    return [pid for pid in all_processes() if "CoarseGrainedExecutorBackend" in command_line(pid)
            and f"@127.0.0.{1 + worker}:" in command_line(pid)]


def test_a_bad_node_does_not_end_a_good_clusters_job(cluster: Cluster) -> None:
    """The first worker alone has the Python that executors are told to use: a path below each worker's own folder."""
    (cluster.work / "work0" / "python").symlink_to(cluster.python.parent.parent)
    with job(*on(cluster, spark_pyspark_python="../../python/bin/python"), "--sandbox", "--seconds", "0",
             environ=cluster.environment) as running:
        running.wait_for(JOINED)
        running.wait_for(r"^executor-\d+\.\d+: [1-9]\d* hashes")
        wait_until(lambda: any(line.startswith("a task failed") for line in running.lines))
        running.interrupt()
        assert running.finish() == 0, running.lines
    failures = [line for line in running.lines if line.startswith("a task failed")]
    assert failures, running.lines
    assert all(re.match(r'a task failed on 127\.0\.0\.2, .*Cannot run program "\.\./\.\./python/bin/python"', line)
               for line in failures)
    assert len(failures) <= 2, "told once, and then the tenth time"
    assert len(summary(running.out)) == 2, "one executor, and the sums"


def test_what_fails_everywhere_ends_the_job(cluster: Cluster) -> None:
    with job(*on(cluster, spark_pyspark_python="/nonexistent/python"), "--sandbox",
             environ=cluster.environment) as running:
        assert running.finish() == 1
    assert running.lines[-1] == "miner spark: no executor can mine: see the failures above"
    assert any('Cannot run program "/nonexistent/python"' in line for line in running.lines)


def test_a_cluster_that_grows_by_demand(cluster: Cluster) -> None:
    """Dynamic allocation, from none to two; and what Spark's UI says of the job."""
    port = free_port()
    with job(*on(cluster, spark_dynamicAllocation_enabled="true", spark_dynamicAllocation_minExecutors=0,
                    spark_dynamicAllocation_maxExecutors=2, spark_executor_cores=1, spark_executor_memory="256m",
                    spark_dynamicAllocation_shuffleTracking_enabled="true", spark_ui_enabled="true",
                    spark_ui_port=port, spark_testing_reservedMemory="1000000"),
                "--sandbox", "--seconds", "0", "--quiet", environ=cluster.environment) as running:
        assert len(set(wait_for_miners(running, 2))) == 2
        base = f"http://127.0.0.1:{ui_port(running.lines)}/api/v1/applications"
        application = json.loads(fetch(base))[0]
        assert application["name"] == "sparkminer"
        jobs = json.loads(fetch(f"{base}/{application['id']}/jobs"))
        assert jobs
        assert {one["description"].partition("(")[0].strip() for one in jobs} == {"mining scrypt on sandbox chain"}
        assert {one["name"] for one in jobs} == {"mining"}
        before = time.monotonic()
        running.interrupt()
        assert running.finish() == 0, running.lines
        assert time.monotonic() - before < 60
    assert len(summary(running.out)) == 3

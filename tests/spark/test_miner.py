"""Mining from a program that has a Spark session, which stays as it was."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from miner.core.errors import UsageError
from miner.spark import SparkMiner
from spark.cluster import java_environment

PROGRAM = """
import json, os, signal, sys, threading, time
from pyspark.sql import SparkSession
from miner.core.errors import UsageError
from miner.hub.events import HubBlock, MinerJoined, MinerLeft
from miner.spark import SparkMiner, main

spark = (SparkSession.builder.master("local[2,4]").appName("theirs").config("spark.ui.enabled", "false")
         .config("spark.scheduler.mode", "FAIR").getOrCreate())
spark.range(1).count()  # Spark SQL sets a place for its tables at its first use
before = dict(spark.sparkContext.getConf().getAll())
with SparkMiner(spark, sandbox=True, algorithm="scrypt:16", pin=False, lease_seconds=1,
                write_to=sys.argv[1]) as job:
    seen = set()
    for event in job.events():
        seen.add(type(event))
        if {HubBlock, MinerLeft} <= seen and job.status().hashes > 0:
            break
    live = job.status()
    shown = job.executors().collect()
    table, page = str(live), live._repr_html_()
    try:
        job.screen()
    except UsageError as error:
        busy = str(error)
    threading.Timer(0.1, job.stop).start()
    assert job.wait(60)
left = [row for row in job.leases().collect()]
shares = job.shares().collect()
after = dict(spark.sparkContext.getConf().getAll())
again = SparkMiner(spark, sandbox=True, algorithm="scrypt:16", pin=False, blocks=1, write_to=sys.argv[1])
with again:
    assert again.wait(120)
screened = again.screen(["sha256d"], 0.5, nice=None)
settings = dict(sandbox=True, algorithm="scrypt:16", pin=False)
tracker = spark.sparkContext.statusTracker()

def failed():  # ids of Spark jobs
    return {job for job in range(200) if (info := tracker.getJobInfo(job)) and info.status == "FAILED"}

failed_before = failed()
with SparkMiner(spark, **settings, lease_seconds=3) as beside:
    joined = (event.miner for event in beside.events() if isinstance(event, MinerJoined))
    next(joined)
    counted = spark.sparkContext.parallelize(range(100), 4).count()  # another job of the session
    killed = []  # four times the same task, and Spark gives its job up
    for miner in joined:
        if failed() - failed_before:
            break
        if miner.name not in killed:
            killed.append(miner.name)
            os.kill(int(miner.name.partition(".")[2]), signal.SIGKILL)
    there = beside.status().hashes
    while beside.status().hashes == there:
        time.sleep(0.1)
interrupted = SparkMiner(spark, **settings)
try:
    with interrupted:
        next(event for event in interrupted.events() if isinstance(event, MinerJoined))
        signal.raise_signal(signal.SIGINT)  # what a notebook's interrupt is
except KeyboardInterrupt:
    caught = True
refused = main(["--sandbox", "--master", "local[1]", "--seconds", "1"])
deadline = time.monotonic() + 60
while (behind := [t.name for t in threading.enumerate() if t.name.startswith("miner-")]
       + list(tracker.getActiveJobsIds())) and time.monotonic() < deadline:
    time.sleep(0.1)
kept = {name: spark.read.parquet(f"{sys.argv[1]}/{name}") for name in ("leases", "shares")}
runs = [job, again]
print(json.dumps({
    "running": live.running, "executors": [row.name for row in shown], "executor_hashes": sum(r.hashes for r in shown),
    "table": table, "page": page, "status": job.status().hashes, "leases": sum(row.hashes for row in left),
    "lease_count": len(left), "ended": all(row.ended for row in left),
    "headers": [[row.job, row.extranonce2, row.nonce, row.miner] for row in shares if row.nonce >= 0],
    "unit": job.hashrates().schema["hashrate"].metadata, "rates": len(job.hashrates().collect()),
    "changed": sorted(dict(before.items() ^ after.items())), "count": spark.range(5).count(),
    "pool": spark.sparkContext.getLocalProperty("spark.scheduler.pool"),
    "counted": counted, "killed": len(killed), "caught": caught, "behind": behind,
    "refused": refused, "stopped": not interrupted.status().running, "busy": busy,
    "screened": [row.mismatches for row in screened.collect()],
    "kept": {name: sorted(row["count"] for row in kept[name].groupBy("run").count().collect()) for name in kept},
    "told": {"leases": sorted(one.leases().count() for one in runs),
             "shares": sorted(one.shares().count() for one in runs)},
    "kept_hashes": kept["leases"].selectExpr("sum(hashes)").first()[0],
    "hashes": sum(one.status().hashes for one in runs), "kept_unit": kept["leases"].schema["seconds"].metadata,
    "again": again.status().blocks >= 1}))
"""


@pytest.mark.timeout(600)
def test_a_session_mines_in_the_background_and_stays_as_it_was(tmp_path: Path) -> None:
    environ = java_environment(tmp_path) | {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    ran = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path / "rows")], env=environ, cwd=tmp_path, text=True,
                         capture_output=True, timeout=550, check=False)
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout.splitlines()[-1])
    assert said["running"]
    assert said["executors"] == ["worker"]
    assert said["executor_hashes"] > 0
    assert "worker" in said["table"]
    assert "<td style=\"text-align: left\">worker</td>" in said["page"]
    assert said["leases"] == said["status"] > 0, "the sum of the leases' hashes is the hub's"
    assert said["ended"]
    assert said["lease_count"] >= 2
    headers = [tuple(header[:3]) for header in said["headers"]]
    assert len(headers) == len(set(headers)) > 0, "no header was hashed twice"
    assert said["unit"] == {"unit": "hash per second"}
    assert said["rates"] > 0
    assert said["changed"] == []
    assert said["count"] == 5
    assert said["pool"] is None
    assert said["again"]
    assert said["counted"] == 100, "beside the miners"
    assert said["killed"] >= 4, "Spark gave a job up, and they went on"
    assert said["caught"]
    assert said["stopped"]
    assert said["refused"] == 1, "the command"
    [line] = [line for line in ran.stderr.splitlines() if line.startswith("miner spark: ")]
    assert "has a Spark session already (theirs), which stays as it is" in line
    assert "Traceback" not in ran.stderr
    assert said["behind"] == [], "threads and Spark jobs after an interrupt"
    assert said["kept"] == said["told"], "each run has added its rows"
    assert said["kept_hashes"] == said["hashes"]
    assert said["kept_unit"] == {"unit": "second"}
    assert said["busy"].startswith("screen() has the CPUs for itself")
    assert said["screened"]
    assert not any(said["screened"])


@pytest.mark.parametrize(("settings", "words"), [
    ({}, "no pool or node given"), ({"sandbox": True, "colour": 1}, "no setting is called colour"),
    ({"sandbox": True, "lease_seconds": 0}, "lease_seconds must be"),
    ({"url": "stratum+tcp://pool.example:1", "username": "a", "password_file": "/nonexistent"}, "`password_file`"),
])
def test_settings_that_make_no_sense(settings: dict[str, object], words: str) -> None:
    class Session:
        _jsc = None

    with pytest.raises(UsageError, match=words):
        SparkMiner(Session(), **settings)  # type: ignore[arg-type]


def test_spark_connect_is_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match="Spark Connect has no driver here .*: use one that has") as caught:
        SparkMiner(object(), sandbox=True)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)

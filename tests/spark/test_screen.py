"""Screening a cluster's CPUs, on real Spark."""

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ccore import ROOT
from miner import _native
from miner.engine.cpus import allowed_cpus
from outside import built_with
from schemas import figures
from spark.running import SparkRun, job

pytestmark = pytest.mark.timeout(600)

FAULTY_CPU = allowed_cpus()[-1]
COMMAND = (sys.executable, "-m", "miner", "spark", "screen")


def told(running: SparkRun, kind: str) -> list[dict[str, Any]]:
    return [fact for line in running.out if (fact := figures([line])[0])["type"] == kind]


def test_a_planted_fault_is_found_on_its_cpu(environ: Mapping[str, str], tmp_path: Path) -> None:
    """Executors get the package, with the kernel that errs once in a million hashes, from the driver."""
    package = built_with(ROOT / "tests/faulty", tmp_path)
    with job("-a", "sha256d", "--seconds", "600", "--json", "--nice", "0", "--master", "local-cluster[2,1,1024]",
             "--conf", f"spark.executorEnv.MINER_FAULTY_CPU={FAULTY_CPU}", "--chart", str(tmp_path / "chart.svg"),
             command=COMMAND, environ={**environ, "PYTHONPATH": str(package)}) as running:
        running.wait_for('"type": "screen_mismatch"', 400.0)
        running.interrupt(signal.SIGINT)
        assert running.finish() == 3, running.lines
    [started] = told(running, "screen_cluster_started")
    assert (started["executors"], started["cores"], started["hosts"]) == (2, 2, 1)
    assert {(found["cpu"], found["kernel"]) for found in told(running, "screen_mismatch")} == {(FAULTY_CPU, "portable")}
    cpus = told(running, "screen_cpu")
    assert [cpu["cpu"] for cpu in cpus] == list(allowed_cpus())
    assert [cpu["cpu"] for cpu in cpus if cpu["mismatches"]] == [FAULTY_CPU]
    assert "circle" in (tmp_path / "chart.svg").read_text()


IN_A_SESSION = """
import json, sys
from pyspark.sql import SparkSession
from miner.core.screening import ScreenProgress
from miner.spark import screen

spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
done = []
for _ in range(2):
    frame = screen(spark, ["sha256d"], seconds=float(sys.argv[2]), seed=4, nice=None, write_to=sys.argv[1],
                   on_event=lambda event: done.append(event) if isinstance(event, ScreenProgress) else None)
units = {field.name: field.metadata.get("unit") for field in frame.schema}
print(json.dumps({
    "rows": [json.loads(row) for row in frame.toJSON().collect()], "units": units, "told": len(done),
    "kept": spark.read.parquet(sys.argv[1]).selectExpr("explode(kernels) k", "cpu").groupBy("cpu").count().collect(),
    "alive": spark.range(5).count()}))
"""


def test_from_a_session_that_is_there(environ: Mapping[str, str], tmp_path: Path) -> None:
    """Rows come as a DataFrame and are appended as Parquet, run after run; the session goes on."""
    with job("-c", IN_A_SESSION, str(tmp_path / "rows"), "1", command=(sys.executable,),
             environ={**environ, "PYSPARK_PYTHON": sys.executable}) as running:
        assert running.finish(300) == 0, running.lines
    found = json.loads(running.out[-1])
    assert (found["alive"], found["told"]) == (5, 2)
    assert [row["cpu"] for row in found["rows"]] == list(allowed_cpus())
    kernels = {*_native.kernels("sha256d"), "reference"}
    for row in found["rows"]:
        assert (row["seed"], row["mismatches"], row["mismatches_told"]) == (4, 0, [])
        assert {kernel["kernel"] for kernel in row["kernels"]} == kernels
    assert sorted(found["kept"]) == [[cpu, 2 * len(kernels)] for cpu in allowed_cpus()]
    assert (found["units"]["clock_lowest_hertz"], found["units"]["seconds"]) == ("hertz", "second")


@pytest.mark.parametrize(("args", "words"), [
    (["--minutes", "1", "--seconds", "1"], "--minutes and --seconds"), (["--master", "bogus"], "the master 'bogus'"),
    (["-a", "x11"], "x11"), (["--write-to", ""], "--write-to"),
])
def test_what_makes_no_sense_is_refused_before_spark_starts(args: list[str], words: str) -> None:
    with job(*args, command=COMMAND, environ=os.environ) as running:
        assert running.finish() == 2
    assert len(running.lines) == 1
    assert words in running.lines[0]

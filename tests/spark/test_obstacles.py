"""What keeps Spark from starting is said in one line with the fix, before Spark has its own say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from miner.core.errors import MinerError
from miner.spark.obstacles import reach_master, refuse_obstacles
from miner.spark.words import task_failure
from spark.cluster import free_port, java_environment
from spark.running import job


@pytest.mark.parametrize("master", ["spark://127.0.0.1:{}", "k8s://https://127.0.0.1:{}"])
def test_a_dead_master(tmp_path: Path, master: str) -> None:
    master = master.format(free_port())
    with job("--sandbox", "--master", master, environ=java_environment(tmp_path)) as running:
        assert running.finish() == 1
    last = running.lines[-1]
    assert "answers at 127.0.0.1 port" in last
    assert "Connection refused" in last
    assert repr(master) in last
    assert "Traceback" not in "\n".join(running.lines)


def test_one_master_of_several_is_enough() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as master:
        reach_master(f"spark://127.0.0.1:{free_port()},127.0.0.1:{master.getsockname()[1]}")
    for elsewhere in ("local[2]", "local-cluster[2,1,1024]", "yarn", ""):
        reach_master(elsewhere)


def test_a_resource_manager_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "yarn-site.xml").write_text(f"""<configuration>
        <property><name>yarn.resourcemanager.address</name><value>127.0.0.1:{free_port()}</value></property>
        </configuration>""")
    with job("--sandbox", "--master", "yarn", environ=java_environment(tmp_path) | {
            "HADOOP_CONF_DIR": str(tmp_path)}) as running:
        assert running.finish() == 1
    assert running.lines[-1] == ("miner spark: Spark did not start: no YARN ResourceManager answers; is it running, "
                                 f"and does {tmp_path} name it?")


@pytest.mark.parametrize(("environ", "words"), [
    ({"SPARK_REMOTE": "sc://connect.example"}, "SPARK_REMOTE is set ('sc://connect.example')"),
    ({"SPARK_HOME": "/nonexistent"}, "SPARK_HOME names '/nonexistent', where there is no bin/spark-submit"),
])
def test_an_environment_that_leads_elsewhere(environ: dict[str, str], words: str) -> None:
    with pytest.raises(MinerError) as caught:
        refuse_obstacles(environ)
    assert words in str(caught.value)
    assert "unset it" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_obstacles({})
    monkeypatch.setattr(os, "geteuid", lambda: 3_999_999)
    with pytest.raises(MinerError, match=r"user id 3999999, which has no entry in /etc/passwd.*echo 'spark:x:3999999:"):
        refuse_obstacles({})


@pytest.mark.parametrize("message", [
    "[PYTHON_VERSION_MISMATCH] Python in worker has different version: 3.9 than that in driver: 3.11, PySpark cannot "
    "run with different minor versions.\nPlease check environment variables PYSPARK_PYTHON and PYSPARK_DRIVER_PYTHON",
    "[PYTHON_VERSION_MISMATCH] Python in worker has different version (3, 9) than that in driver 3.11, PySpark cannot "
    "run with different minor versions.\nPlease check environment variables PYSPARK_PYTHON and PYSPARK_DRIVER_PYTHON",
], ids=["4", "3.5"])
def test_two_pythons(message: str) -> None:
    """As a task's failure holds it."""
    said = task_failure("org.apache.spark.api.python.PythonException: Traceback (most recent call last):\n"
                        f'  File "worker.py", line 1\npyspark.errors.PySparkRuntimeError: {message}.\n\n\tat x')
    assert said.startswith("the executors' Python is 3.9 and the driver's is 3.11")
    assert "spark.pyspark.python" in said
    assert len(said) <= 300


@pytest.mark.parametrize("statement", [
    "import miner", "import runpy; runpy.run_module('miner.spark.submit', None, '__main__')"])
def test_a_python_that_is_too_old(statement: str) -> None:
    """On this one, which is told that it is another."""
    code = f"import sys; sys.version_info = (3, 10, 4, 'final', 0); {statement}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=150, check=False)
    assert ran.returncode == 1
    last = ran.stderr.splitlines()[-1]
    assert "sparkminer needs Python 3.11 or later" in last
    assert "Python 3.10" in last

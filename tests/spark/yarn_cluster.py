"""A stand-in for a YARN cluster (`yarn/`), for Spark's own YARN client, application master and executors."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from pyspark.find_spark_home import _find_spark_home

from counterparts import require
from miner.spark.processes import end_session
from spark.cluster import bare_venv, free_port, java_environment

COMPILE_SECONDS = 120.0
SOURCES = Path(__file__).with_name("yarn")


@dataclass(frozen=True, slots=True)
class YarnCluster:
    """`containers` holds a folder for each container, with its stdout and stderr; `python` has no package at all."""

    containers: Path
    python: Path
    environment: dict[str, str]


@contextlib.contextmanager
def yarn_cluster(directory: Path) -> Iterator[YarnCluster]:
    """For one application, as long as the with block lasts."""
    compiler = require("javac", shutil.which("javac"), "apt-get install default-jdk-headless")
    environment = java_environment(directory)
    environment.pop("PYTHONPATH", None)
    jars = f"{_find_spark_home()}/jars/*"
    classes, containers, conf = directory / "classes", directory / "containers", directory / "conf"
    conf.mkdir()
    subprocess.run([compiler, "-Xlint:all,-path", "-Werror", "-cp", jars, "-d", classes, *SOURCES.glob("*.java")],
                   check=True, timeout=COMPILE_SECONDS, stdin=subprocess.DEVNULL)
    client_port, scheduler_port = free_port(), free_port()
    _write(conf / "core-site.xml", {"fs.defaultFS": "file:///"})
    _write(conf / "yarn-site.xml", {"yarn.resourcemanager.address": f"127.0.0.1:{client_port}",
                                    "yarn.resourcemanager.scheduler.address": f"127.0.0.1:{scheduler_port}",
                                    "yarn.resourcemanager.hostname": "127.0.0.1",
                                    "yarn.application.classpath": ""})
    command = [Path(environment["JAVA_HOME"]) / "bin" / "java", "-cp", f"{classes}{os.pathsep}{jars}", "StandInYarn",
               containers, client_port, scheduler_port]
    process = subprocess.Popen([*map(str, command)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               start_new_session=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield YarnCluster(containers, bare_venv(directory / "python"),
                          environment | {"HADOOP_CONF_DIR": str(conf), "YARN_CONF_DIR": str(conf)})
    finally:
        process.terminate()
        end_session(process.pid, 5.0)
        process.communicate()


def _write(path: Path, properties: dict[str, str]) -> None:
    lines = (f"<property><name>{name}</name><value>{escape(value)}</value></property>"
             for name, value in properties.items())
    path.write_text(f"<configuration>{''.join(lines)}</configuration>\n")

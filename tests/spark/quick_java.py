"""A Java that starts Spark with less work: a test's cluster lives for seconds, and its JVMs' start takes most of them.

The classes that Spark loads when it starts are taken from an archive (JEP 350, class data sharing), made once for a run
of the tests. A JVM that the archive does not fit starts without it.
"""

import atexit
import functools
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from miner.spark.workspace import spark_home

LIGHT_JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"  # quick to start, and small

# Master, Worker and driver in one JVM, which ends in good order.
_SESSION = """
from pyspark import SparkConf, SparkContext
context = SparkContext(conf=SparkConf().setAll([
    ("spark.master", "local-cluster[1,1,512]"), ("spark.executor.memory", "512m"), ("spark.ui.enabled", "false"),
    ("spark.driver.host", "127.0.0.1"), ("spark.driver.bindAddress", "127.0.0.1")]))
context.parallelize([1], 1).map(lambda number: number).collect()
process = context._gateway.proc
context.stop()
process.stdin.close()
process.wait(300)
"""


@functools.cache
def quick_java(home: Path) -> Path:
    """A JAVA_HOME of links to `home`, whose `java` uses the archive. It is removed when this process ends."""
    directory = Path(tempfile.mkdtemp(prefix="java-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    archive, quick = directory / "spark.jsa", directory / "home"
    (quick / "bin").mkdir(parents=True)
    for entry in home.iterdir():
        if entry.name != "bin":
            (quick / entry.name).symlink_to(entry)
    java = quick / "bin" / "java"
    _write(java, home, f'case "$*" in *SparkSubmit*) set -- -XX:ArchiveClassesAtExit={archive} "$@";; esac')
    subprocess.run([sys.executable, "-c", _SESSION], cwd=directory, check=False, timeout=600,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   env=os.environ | {"JAVA_HOME": str(quick), "SPARK_LOCAL_IP": "127.0.0.1",
                                     "SPARK_HOME": str(spark_home(directory)), "PYSPARK_PYTHON": sys.executable})
    _write(java, home, f"set -- -XX:SharedArchiveFile={archive} -Xlog:disable \"$@\"" if archive.exists() else "")
    return quick


def _write(java: Path, home: Path, step: str) -> None:
    java.write_text(f'#!/bin/sh\n{step}\nexec {shlex.quote(str(home / "bin" / "java"))} {LIGHT_JAVA} "$@"\n')
    java.chmod(0o700)


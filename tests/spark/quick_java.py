"""A Java that starts Spark with less work: a test's cluster lives for seconds, and its JVMs' start takes most of them.

The classes that Spark loads when it starts are taken from an archive (JEP 350, class data sharing), made once for a run
of the tests. A JVM that the archive does not fit starts without it.
"""

import contextlib
import fcntl
import functools
import os
import shlex
import subprocess
import sys
import zlib
from pathlib import Path

from miner.spark.processes import end_session
from miner.spark.workspace import spark_home

MOST_SECONDS = 120.0  # for making the archive: on a machine that is busier, tests do without
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
assert process.wait() == 0
"""


@functools.cache
def quick_java(home: Path) -> Path:
    """A JAVA_HOME of links to `home`, whose `java` uses the archive. Whoever comes first makes it, for all processes of
    this run of the tests; the others wait."""
    directory = Path(os.environ["MINER_TEST_SHARED"], f"java-{zlib.crc32(bytes(home)):x}")
    directory.mkdir(exist_ok=True)
    quick = directory / "home"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not quick.exists():
            _make(directory, home, quick)
    return quick


def _make(directory: Path, home: Path, quick: Path) -> None:
    archive = directory / "spark.jsa"
    (quick / "bin").mkdir(parents=True)
    for entry in home.iterdir():
        if entry.name != "bin":
            (quick / entry.name).symlink_to(entry)
    java = quick / "bin" / "java"
    _write(java, home, 'case "$*" in *launcher.Main*) ;; *SparkSubmit*) '
                       f'set -- -XX:ArchiveClassesAtExit={archive} "$@";; esac')
    made = _run_session(directory, quick) and archive.exists()  # not by every Java
    _write(java, home, f"set -- -XX:SharedArchiveFile={archive} -Xlog:disable \"$@\"" if made else "")


def _run_session(directory: Path, java_home: Path) -> bool:
    """Whether it came to its end, all of its processes."""
    environ = os.environ | {"JAVA_HOME": str(java_home), "SPARK_LOCAL_IP": "127.0.0.1",
                            "SPARK_HOME": str(spark_home(directory)), "PYSPARK_PYTHON": sys.executable}
    process = subprocess.Popen([sys.executable, "-c", _SESSION], cwd=directory, env=environ, start_new_session=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(MOST_SECONDS)
    end_session(process.pid, 5.0)
    return process.wait() == 0


def _write(java: Path, home: Path, step: str) -> None:
    java.write_text(f'#!/bin/sh\n{step}\nexec {shlex.quote(str(home / "bin" / "java"))} {LIGHT_JAVA} "$@"\n')
    java.chmod(0o700)


"""What the driver sets up around a run: the environment, and Spark's settings."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from miner.core.errors import MinerError
from miner.spark.application import under_spark_submit
from miner.spark.java import prepare_java
from miner.spark.masters import is_local, is_local_cluster
from miner.spark.settings import ClusterSettings, JobSettings
from miner.spark.workspace import bare_python, environment, spark_home, workspace

_LOOPBACK = "127.0.0.1"
# For JVMs that have hardly anything to do and share this machine's CPUs with the miners.
_LIGHT_JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
_SECRETS = ("MINER_PASSWORD", "MINER_AUX_PASSWORD", "MINER_TOKEN")  # variables that no process of Spark's inherits


def require_pyspark() -> None:
    """Raise MinerError, with the line that installs it, where pyspark can't be imported."""
    try:
        import pyspark
    except ImportError:
        raise MinerError("pyspark is not installed here: python -m pip install pyspark") from None
    del pyspark


@contextlib.contextmanager
def prepared(settings: JobSettings | ClusterSettings) -> Iterator[Path]:
    """Prepare this process to start Spark: gives a folder for the run, and sets the environment's variables meanwhile.
    Raises MinerError where there is no Java that will do."""
    with workspace() as directory:
        changes: dict[str, str | None] = dict.fromkeys(_SECRETS)
        if not under_spark_submit():
            changes["JAVA_HOME"] = str(prepare_java(directory))
        if is_local(settings.master):
            changes["SPARK_LOCAL_IP"] = _LOOPBACK
            changes["PYSPARK_PYTHON"] = sys.executable
        if is_local_cluster(settings.master):
            changes |= {"SPARK_HOME": str(spark_home(directory)), "PYSPARK_PYTHON": str(bare_python(directory)),
                        "PYTHONPATH": None}
        with environment(changes):
            yield directory


def spark_settings(settings: JobSettings | ClusterSettings, directory: Path) -> dict[str, str]:
    """Spark's settings: those that were asked for, and those that follow from them. None is secret."""
    spark = dict(settings.spark)
    if settings.master:
        spark["spark.master"] = settings.master
        spark.setdefault("spark.ui.enabled", "false")
    if is_local(settings.master):
        spark.setdefault("spark.driver.host", _LOOPBACK)
        spark.setdefault("spark.driver.bindAddress", _LOOPBACK)
        spark.setdefault("spark.local.dir", str(directory / "local"))
        for role in ("driver", "executor"):
            spark.setdefault(f"spark.{role}.extraJavaOptions", _LIGHT_JAVA)
    return spark

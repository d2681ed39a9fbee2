"""What is known to keep Spark from starting, found before Spark is started: each in one line, with the fix.

Spark itself says these things after a minute or two, in Java's words, or not at all.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from miner.core.errors import MinerError

_STANDALONE_PORT = 7077
_REACH_SECONDS = 5.0  # for each address of a cluster manager


def refuse_obstacles(environ: Mapping[str, str] = os.environ) -> None:
    """Raise MinerError if this process can't start a Spark driver in this environment, or has one already."""
    for obstacle in _obstacles(environ):
        raise MinerError(f"Spark can't be started: {obstacle}")


def _obstacles(environ: Mapping[str, str]) -> Iterator[str]:
    from pyspark import SparkContext

    if (context := SparkContext._active_spark_context) is not None:
        yield (f"this process has a Spark session already ({context.appName}), which stays as it is; "
               "start the job in a process of its own: python -m miner spark …")
    if remote := environ.get("SPARK_REMOTE") or environ.get("SPARK_CONNECT_MODE_ENABLED"):
        yield (f"SPARK_REMOTE is set ({remote[:100]!r}), and Spark Connect has no driver here that executors could "
               "reach; unset it and name the cluster by its master")
    home = environ.get("SPARK_HOME", "")
    if home and not (Path(home) / "bin" / "spark-submit").exists():
        yield (f"SPARK_HOME names {home!r}, where there is no bin/spark-submit; "
               "unset it, and the installed pyspark is used")
    if (user := _user_without_a_name()) is not None:
        yield (f"this process runs as user id {user}, which has no entry in /etc/passwd, and Spark's Hadoop asks for "
               f"its name; add one: echo 'spark:x:{user}:0::/tmp:/bin/false' >> /etc/passwd")


def _user_without_a_name() -> int | None:
    """This process's user id where the system's user database doesn't know it."""
    try:
        import pwd

        pwd.getpwuid(os.geteuid())
    except KeyError:
        return os.geteuid()
    except ImportError:  # a system without a user database
        pass
    return None


def reach_master(master: str) -> None:
    """Raise MinerError unless at least one address of a standalone master or a Kubernetes API server takes a TCP
    connection. Other masters have no address in their URL."""
    reasons = []
    for host, port in _addresses(master):
        try:
            socket.create_connection((host, port), _REACH_SECONDS).close()
        except OSError as error:
            reasons.append(f"{host} port {port}: {error.strerror or error}")
        else:
            return
    if reasons:
        what = "Kubernetes API server" if master.startswith("k8s://") else "Spark master"
        raise MinerError(f"no {what} answers at {'; '.join(reasons)}; is it running, and is {master[:200]!r} right?")


def _addresses(master: str) -> Iterator[tuple[str, int]]:
    if master.startswith("spark://"):  # several, separated by commas, where one may take over from another
        for place in master.removeprefix("spark://").split(","):
            host, _, port = place.rpartition(":")
            yield host.strip("[]"), int(port) if port.isdigit() else _STANDALONE_PORT
    elif master.startswith("k8s://"):
        url = master.removeprefix("k8s://")
        parts = urlsplit(url if "://" in url else f"https://{url}")
        if parts.hostname:
            yield parts.hostname, parts.port or (80 if parts.scheme == "http" else 443)

"""What a Spark master's URL says about the cluster. Does no I/O."""

import re

from miner.core.errors import UsageError
from miner.engine.cpus import usable_threads

_LOCAL = re.compile(r"local(\[(\d+|\*)(,\d+)?\])?")
_LOCAL_CLUSTER = re.compile(r"local-cluster\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]")
_REMOTE = re.compile(r"spark://[^\s/:]+:\d+(,[^\s/:]+:\d+)*|k8s://\S+|yarn")


def check_master(master: str) -> None:
    """Raise UsageError unless this is the URL of a master that the job can use."""
    if not any(kind.fullmatch(master) for kind in (_LOCAL, _LOCAL_CLUSTER, _REMOTE)):
        raise UsageError(f"the master {master[:100]!r} is none of local[N], local-cluster[EXECUTORS,CORES,MB], "
                         "spark://HOST:PORT, yarn, k8s://URL")


def is_local(master: str) -> bool:
    """Whether all of Spark runs on this machine: `local` and `local-cluster`."""
    return master.startswith("local")


def patient(master: str, max_failures: int) -> str:
    """The master's URL, made to start a failed task again up to `max_failures` times in local mode, where by default
    the first failure ends the job. Any other master's URL is returned as it is."""
    local = _LOCAL.fullmatch(master)
    return f"local[{local[2] or 1},{max_failures}]" if local and not local[3] else master


def is_local_cluster(master: str) -> bool:
    """Whether executors are processes of their own on this machine."""
    return _LOCAL_CLUSTER.fullmatch(master) is not None


def is_standalone(master: str) -> bool:
    """Whether this is Spark's own kind of cluster, a standalone one."""
    return master.startswith("spark://")


def executor_cores(master: str) -> int:
    """How many cores each executor has, where the master's URL says it; else 0."""
    if cluster := _LOCAL_CLUSTER.fullmatch(master):
        return int(cluster[2])
    if local := _LOCAL.fullmatch(master):
        return usable_threads() if local[2] == "*" else int(local[2] or 1)
    return 0

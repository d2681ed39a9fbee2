"""What a cluster manager costs: two executors' hashrate beside as many threads without Spark, on a standalone cluster,
on YARN and on Kubernetes, all on this machine.

    make managers ROUNDS=3                      # a round takes a quarter of an hour
    cd tests && ../.venv/bin/python managers.py --rounds 1 --seconds 120 standalone yarn

The clusters take turns: each is started, measured and stopped before the next, since idle servers take CPU time, too.
A figure is the median of its rounds. It says something on a quiet machine with two CPUs."""

import argparse
import os
import re
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from kubernetes.cluster import EXAMPLES, kubernetes_cluster
from miner.cli.machine import machine
from miner.spark.settings import script
from spark.cluster import on as on_standalone
from spark.cluster import standalone_cluster
from spark.running import SparkRun, job
from spark.yarn_cluster import on as on_yarn
from spark.yarn_cluster import yarn_cluster

ENDED_SECONDS = 600.0  # for a cluster's executors to start and end, besides what is measured


@contextmanager
def standalone(seconds: str) -> Iterator[SparkRun]:
    with (tempfile.TemporaryDirectory() as directory, standalone_cluster(Path(directory)) as cluster,
          job(*on_standalone(cluster), "--compare", "--seconds", seconds, environ=cluster.environment) as running):
        yield running


@contextmanager
def yarn(seconds: str) -> Iterator[SparkRun]:
    with tempfile.TemporaryDirectory() as directory, yarn_cluster(Path(directory)) as cluster:
        with job(*on_yarn(cluster), "--executors", "2", "--compare", "--seconds", seconds,
                 environ=cluster.environment) as running:
            yield running
        cluster.wait_until_clean()


@contextmanager
def kubernetes(seconds: str) -> Iterator[SparkRun]:
    with kubernetes_cluster() as cluster:
        cluster.kubectl("apply", "--filename", EXAMPLES / "rbac.yaml")
        command = [*cluster.submit("client"), str(script())]
        with job("--compare", "--seconds", seconds, environ=cluster.environment, command=command) as running:
            yield running


CLUSTERS: dict[str, Callable[[str], AbstractContextManager[SparkRun]]] = {
    "standalone": standalone, "yarn": yarn, "kubernetes": kubernetes}


def ratio(name: str, seconds: float) -> float:
    """Measure once, and print what was measured. Raises SystemExit where the job fails."""
    with CLUSTERS[name](f"{seconds:g}") as running:
        status = running.finish(seconds + ENDED_SECONDS)
        found = next((found for line in running.lines
                      if (found := re.search(r"without Spark .*: ([\d.]+)%", line))), None)
    if status or found is None:
        raise SystemExit("\n".join([*running.lines, f"on {name} the job ended with {status}"]))
    print(f"{name:10}  {found.string}", flush=True)
    return float(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clusters", nargs="*", metavar="CLUSTER", default=list(CLUSTERS),
                        help=f"{', '.join(CLUSTERS)}: all of them, if none is given")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=200.0, help="of measuring, for each cluster and round")
    options = parser.parse_args()
    if unknown := set(options.clusters) - CLUSTERS.keys():
        parser.error(f"no cluster is called {' or '.join(sorted(unknown))}")
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    print(machine(), flush=True)
    measured: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as shared:
        os.environ["MINER_TEST_SHARED"] = shared
        for _ in range(options.rounds):
            for name in options.clusters:
                measured[name].append(ratio(name, options.seconds))
    reference = statistics.median(measured[options.clusters[0]])
    print(f"\n{'cluster':10}  of the hashrate without Spark  beside {options.clusters[0]}")
    for name, ratios in measured.items():
        middle = statistics.median(ratios)
        print(f"{name:10}  {middle:5.1f}% ({min(ratios):.1f} to {max(ratios):.1f})       {middle / reference:.3f}")


if __name__ == "__main__":
    main()

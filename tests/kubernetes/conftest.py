"""A real Kubernetes takes minutes to start, and a quarter of an hour to build: `make kubernetes` alone does that."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubernetes.cluster import EXAMPLES, Kubernetes, kubernetes_cluster

WANTED = "MINER_TEST_KUBERNETES"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get(WANTED):
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="a Kubernetes cluster is for `make kubernetes` to start"))


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[Kubernetes]:
    with kubernetes_cluster() as cluster:
        cluster.kubectl("apply", "--filename", EXAMPLES / "rbac.yaml")
        yield cluster

"""What the tests of this folder share: a Java that Spark can use, and a cluster."""

from collections.abc import Iterator

import pytest

from spark.cluster import Cluster, java_environment, standalone_cluster


@pytest.fixture(scope="package")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return java_environment(tmp_path_factory.mktemp("java"))


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Master, and two Workers with a core each."""
    with standalone_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster

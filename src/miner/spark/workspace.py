"""The folder of one run: holds what Spark must find on this machine, and is gone afterwards."""

import contextlib
import os
import tempfile
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A private temporary folder, removed at the end, whatever files in it a JVM still holds open."""
    with tempfile.TemporaryDirectory(prefix="sparkminer-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def bare_python(directory: Path) -> Path:
    """Make a Python like this one but without any packages, as a cluster's executors have it. Returns its path."""
    home = directory / "python"
    venv.EnvBuilder(symlinks=os.name == "posix", with_pip=False).create(home)
    return home / ("Scripts" if os.name == "nt" else "bin") / "python"


def spark_home(directory: Path) -> Path:
    """Make a SPARK_HOME of links to the real one, for local clusters: their workers write below it, and would write
    into site-packages otherwise. Returns its path."""
    from pyspark.find_spark_home import _find_spark_home

    home = directory / "spark"
    home.mkdir()
    for entry in Path(_find_spark_home()).iterdir():
        if entry.name != "work":
            (home / entry.name).symlink_to(entry)
    return home


@contextlib.contextmanager
def environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Set these variables (None: unset them) for processes that start meanwhile."""
    before = {name: os.environ.get(name) for name in changes}
    _set_environment(changes)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(changes: Mapping[str, str | None]) -> None:
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value

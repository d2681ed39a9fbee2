"""The job's options: whatever is missing or wrong stops it with one line, before any Java starts."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from miner.core.errors import UsageError
from miner.front.console import Console
from miner.spark.driver import spark_settings
from miner.spark.masters import check_master, executor_cores, is_local, patient
from miner.spark.settings import JobSettings, parser, read_settings

POOL = ["-o", "stratum+tcp://pool.example:3333", "-u", "alice"]


def read(*args: str, **environ: str) -> JobSettings:
    console = Console(out=io.StringIO(), err=io.StringIO(), environ=environ)
    return read_settings(parser().parse_args(list(args)), console)


def test_as_the_users_of_2018_typed_it() -> None:
    settings = read("--url", "stratum+tcp://pool.example:3333", "--username", "alice", "--worker-id", "7",
                    "--password", "x", "-a", "scrypt", "-t", "2")
    assert settings.source.username == "alice.7"
    assert settings.source.password == "x"
    assert settings.engine.threads == 2
    assert settings.seconds == 0


def test_sandbox_ends_by_itself_unless_told_otherwise() -> None:
    assert read("--sandbox").seconds == 30
    assert read("--sandbox", "--seconds", "0").seconds == 0
    assert read("--sandbox").master == "local-cluster[2,1,1024]"
    assert read("--sandbox", "--executors", "3").master == "local-cluster[3,1,1024]"


@pytest.mark.parametrize(("args", "words"), [
    ([], "no pool or node given"),
    (["--sandbox", *POOL], "`sandbox` mines an embedded"),
    (POOL[:2], "no user given"),
    (["-o", "http://127.0.0.1:9332/", "-O", "u:p"], "nobody to pay"),
    ([*POOL, "-a", "scrypt:1000"], "power of two"),
    ([*POOL, "--master", "spark:/127.0.0.1:7077"], "the master"),
    ([*POOL, "--master", "local[0x]"], "the master"),
    ([*POOL, "--master", "local[2]", "--executors", "2"], "--executors"),
    ([*POOL, "--conf", "spark.ui.enabled"], "--conf"),
    ([*POOL, "--conf", "java.home=/x"], "--conf"),
    ([*POOL, "--hub-port", "70000"], "--hub-port"),
    ([*POOL, "--lease-seconds", "0.5"], "--lease-seconds"),
    ([*POOL, "--seconds", "soon"], "--seconds"),
    ([*POOL, "-t", "0"], "-t/--threads"),
    ([*POOL, "--kernel", "mmx"], "no kernel 'mmx' for scrypt on any CPU"),
    ([*POOL, "--password-file", "/nonexistent"], "/nonexistent"),
    ([*POOL, "--what"], "--what"),
    ([*POOL, "--master", ""], "--master: it is given, but empty"), ([*POOL, "--kernel="], "--kernel: it is given"),
])
def test_wrong_usage_is_one_line(args: list[str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(*args)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_master_belongs_to_spark_submit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    assert read("--sandbox").master == ""
    with pytest.raises(UsageError, match="before the script"):
        read("--sandbox", "--master", "local[2]")


def test_visible_password_is_pointed_out_under_spark_submit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    assert any("use --password-file" in notice for notice in read(*POOL, "-p", "secret").notices)
    assert not any("secret" in notice for notice in read(*POOL, "-p", "secret").notices)
    assert not read(*POOL, MINER_PASSWORD="secret").notices


@pytest.mark.parametrize("args", [
    [], ["--sandbox", "--master", "nowhere"], [*POOL, "-p", "hush-hush", "--nope=hush-hush"]])
def test_no_java_starts(tmp_path: Path, args: list[str]) -> None:
    """The command itself: exit status 2, one line, nothing secret in it, no Java."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nexit 1\n")
    java.chmod(0o755)
    done = subprocess.run([sys.executable, "-m", "miner", "spark", *args], capture_output=True, text=True, timeout=150,
                          env={**os.environ, "JAVA_HOME": str(tmp_path), "PATH": f"{tmp_path}/bin:/bin:/usr/bin"},
                          check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("miner spark: ")
    assert "hush-hush" not in done.stderr
    assert not (tmp_path / "started").exists()


def test_nothing_secret_among_sparks_settings(tmp_path: Path) -> None:
    settings = read("-o", "stratum+tcp://pool.example:3333", "-O", "alice:hush-hush", "--conf", "spark.app.name=mine")
    spark = spark_settings(settings, tmp_path)
    assert spark["spark.app.name"] == "mine"
    assert spark["spark.master"].startswith("local-cluster")
    assert "hush-hush" not in repr(spark) + repr(settings)


def test_number_of_executors_is_asked_of_a_cluster() -> None:
    spark = read(*POOL, "--master", "yarn", "--executors", "4").spark
    assert spark["spark.executor.instances"] == spark["spark.dynamicAllocation.maxExecutors"] == "4"


@pytest.mark.parametrize("master", ["local", "local[3]", "local[*]", "local[2,5]", "local-cluster[2,1,1024]",
                                    "spark://a:7077", "spark://a:7077,b:7077", "yarn", "k8s://https://a:6443"])
def test_known_masters(master: str) -> None:
    check_master(master)
    assert is_local(master) == master.startswith("local")


def test_cores_of_an_executor() -> None:
    masters = ("local", "local[3]", "local-cluster[2,4,1024]", "yarn")
    assert [executor_cores(master) for master in masters] == [1, 3, 4, 0]
    assert executor_cores("local[*]") >= 1


def test_local_mode_starts_failed_tasks_again() -> None:
    assert patient("local[2]", 99) == "local[2,99]"
    assert patient("local", 99) == "local[1,99]"
    assert patient("local[2,5]", 99) == "local[2,5]"
    assert patient("yarn", 99) == "yarn"

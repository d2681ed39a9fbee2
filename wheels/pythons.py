"""Pythons to try wheels on that a machine seldom has: newer ones, one without the GIL, some on musl or on aarch64.

`python wheels/pythons.py [NAME…]` gets them, all if none is named, each into a root folder of its own below .pythons
(or MINER_PYTHONS_DIR); nothing of this system is changed. Debian's own are unpacked from its packages; what Debian
doesn't package is built from its source package, which takes minutes.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(os.environ.get("MINER_PYTHONS_DIR") or Path(__file__).parent.parent / ".pythons")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
DEBIAN_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
SOURCE, SOURCE_SUITE = "python3.13", "trixie"   # the newest whose source Debian's mirrors keep for long
# Neither tests nor documentation, and quickly compiled: it runs what check.py does, not benchmarks.
CONFIGURE = ["--quiet", "--prefix=/usr", "--disable-test-modules", "--without-doc-strings", "--with-ensurepip=no",
             "--without-static-libpython"]
COMPILE = "OPT=-DNDEBUG -g0 -O1"
# What configure can't find out for another system; and no libraries of this one, which pkg-config would name.
CROSS = ["PKG_CONFIG=false", "ac_cv_file__dev_ptmx=no", "ac_cv_file__dev_ptc=no", "ac_cv_buggy_getaddrinfo=no"]


@dataclass(frozen=True, slots=True)
class Python:
    """`program` is its name in the root's usr/bin, `family` the C library as wheels name it. `suite` is the Debian
    release it comes from; empty for those that are built here."""

    program: str
    machine: str = "x86_64"
    family: str = "manylinux"
    suite: str = ""


PYTHONS = {
    "debian-3.14": Python("python3.14", suite="sid"),
    "debian-3.15": Python("python3.15", suite="sid"),
    "debian-aarch64": Python("python3.13", machine="aarch64", suite="trixie"),
    "free-threaded": Python("python3.13t"),
    "musl-x86_64": Python("python3.13", family="musllinux"),
    "musl-aarch64": Python("python3.13", machine="aarch64", family="musllinux"),
}


def command(name: str) -> list[str]:
    """What starts that Python, or nothing if it isn't there."""
    python, root = PYTHONS[name], FOLDER / name
    program = root / "usr/bin" / python.program
    if not program.exists():
        return []
    if python.machine != "x86_64":
        return [f"qemu-{python.machine}", "-L", str(root), str(program)]
    loader = next(root.rglob("ld-*-x86*64.so.?"), None)     # none: built against this system's C library
    libraries = ":".join(str(path) for path in root.glob("usr/lib/x86_64-linux-*") if path.is_dir())
    return [str(program)] if loader is None else [str(loader), "--library-path", libraries, str(program)]


def headers(version: str) -> Path:
    """The headers of the free-threaded Python `version`, e.g. 3.14. They are Debian's, whose Python has the GIL, with
    the one line that tells the two apart; what a module sees of the rest is the same on every 64-bit Linux."""
    folder = FOLDER / f"headers-{version}t"
    if not folder.exists():
        print(f"getting the headers of Python {version}", flush=True)
        with tempfile.TemporaryDirectory() as work, apt("sid", "amd64") as run:
            run("download", f"libpython{version}-dev", cwd=work)
            (package,) = Path(work).glob("*.deb")
            call("dpkg-deb", "--extract", str(package), work)
            include = Path(work, f"usr/include/python{version}")
            config = Path(work, f"usr/include/x86_64-linux-gnu/python{version}/pyconfig.h").read_text()
            (include / "pyconfig.h").write_text(f"{config}\n#define Py_GIL_DISABLED 1\n")
            FOLDER.mkdir(parents=True, exist_ok=True)
            shutil.move(include, folder)
    return folder


def install(name: str) -> None:
    """Get one, unless it is there. What fails leaves nothing behind that looks like it."""
    if command(name):
        return
    python, root = PYTHONS[name], FOLDER / name
    print(f"installing {name} into {root}", flush=True)
    shutil.rmtree(root, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as directory:
        work = Path(directory, "root")
        if python.suite:
            unpack(python, [f"{python.program}-minimal", f"lib{python.program}-stdlib"], work)
        elif python.family == "manylinux":
            build(work, ["--disable-gil"])
        else:
            unpack(Python("", python.machine, suite=SOURCE_SUITE), ["musl"], work)
            build_for_musl(python, work)
        work.rename(root)
    if not command(name):
        raise SystemExit(f"{name} holds no {python.program}")


def unpack(python: Python, packages: list[str], root: Path) -> None:
    """Those packages and all that they need, of that release and architecture."""
    with apt(python.suite, DEBIAN_MACHINES[python.machine]) as run:
        archives = run("install", "--download-only", "--no-install-recommends", "--yes", *packages)
        root.mkdir()
        for package in archives.glob("*.deb"):
            call("dpkg-deb", "--extract", str(package), str(root))
    for name in ("lib", "lib64"):       # as Debian's installer leaves them; programs name their loader by these
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")


def build(root: Path, options: list[str]) -> None:
    with tempfile.TemporaryDirectory() as directory, apt(SOURCE_SUITE, "amd64") as run:
        run("source", "--download-only", SOURCE, cwd=directory)
        (archive,) = Path(directory).glob("*.orig.tar.*z")
        shutil.unpack_archive(archive, directory)
        (tree,) = (path for path in Path(directory).iterdir() if path.is_dir())
        call("./configure", *CONFIGURE, *options, cwd=tree)
        call("make", "-s", f"-j{os.cpu_count()}", COMPILE, cwd=tree)
        call("make", "-s", "install", COMPILE, f"DESTDIR={root}", cwd=tree)


def build_for_musl(python: Python, root: Path) -> None:
    """Cross-compiled with the compiler that the wheels are built with; the free-threaded Python does what the new one
    can't do here."""
    install("free-threaded")
    zig, triple = f"{sys.executable} -m ziglang", f"{python.machine}-linux-musl"
    build(root, ["--build=x86_64-linux-gnu", f"--host={triple}",
                 f"--with-build-python={FOLDER / 'free-threaded/usr/bin/python3.13t'}",
                 f"CC={zig} cc -target {triple} -dynamic -Wno-date-time",     # zig wants no dates; CPython has one
                 f"AR={zig} ar", f"RANLIB={zig} ranlib", *CROSS])


@contextmanager
def apt(suite: str, architecture: str) -> Iterator["Apt"]:
    """apt-get for that release and architecture, with package lists of its own, from the mirror set up here."""
    mirrors = [line.split()[1] for line in call("apt-cache", "policy").splitlines()
               if "debian " in line and "/main" in line]
    if not (mirrors and KEYRING.exists()):
        raise SystemExit("these Pythons come from Debian: this needs apt with a Debian mirror configured, and the "
                         "package debian-archive-keyring")
    with tempfile.TemporaryDirectory() as directory:
        yield Apt(Path(directory), mirrors[0], suite, architecture)


class Apt:
    def __init__(self, folder: Path, mirror: str, suite: str, architecture: str) -> None:
        self._archives = folder / "cache/archives"
        for part in (self._archives / "partial", folder / "lists/partial"):
            part.mkdir(parents=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text("".join(f"{kind} [signed-by={KEYRING}] {mirror} {suite} main\n"
                                                     for kind in ("deb", "deb-src")))
        config = folder / "apt.conf"
        config.write_text(f"""APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "";
Acquire::Retries "3";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "-";
Dir::State "{folder}";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
""")
        self._environment = os.environ | {"APT_CONFIG": str(config)}
        self("update")

    def __call__(self, *arguments: str, cwd: str | None = None) -> Path:
        """Where downloaded packages are then."""
        call("apt-get", "-qq", *arguments, cwd=cwd, env=self._environment)
        return self._archives


def call(*command: str, cwd: str | Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:4])} … failed ({done.returncode}):\n"
                         f"{done.stdout[-1000:]}{done.stderr[-3000:]}")
    return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description="Get Pythons to try wheels on.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PYTHONS)}; all if left out")
    names = parser.parse_args().names
    if unknown := set(names) - set(PYTHONS):
        parser.error(f"unknown {', '.join(sorted(unknown))}: choose from {', '.join(PYTHONS)}")
    for name in names or PYTHONS:
        install(name)
        print(f"{name}: {' '.join(command(name))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

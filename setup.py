"""Builds miner._native: the C core and its Cython binding. Everything else is in pyproject.toml.

No flag here names an instruction set: each kernel file sets its own by pragma, so one binary serves every CPU of an
architecture and CFLAGS from outside can't make it illegal on older ones.
"""

import gzip
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist
from setuptools.errors import CompileError

# isort: split
import distutils.command.build_ext  # setuptools' own, once setuptools is imported
import distutils.command.install_data

os.chdir(Path(__file__).parent)
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
BINDING, BINDING_IN_C = Path("src/miner/_native.pyx"), Path("src/miner/_native.c")
# Free-threaded Pythons before 3.15 have no stable ABI, and Cython knows none of 3.15's yet: there the module is built
# for the one version.
limited = not sysconfig.get_config_var("Py_GIL_DISABLED")
if sys.platform == "win32":
    compile_args = ["/O2", "/clang:-std=gnu11", "/clang:-O3"]
else:
    compile_args = ["-std=gnu11", "-O3", "-g0", "-fvisibility=hidden"]

# MINER_MORE_SOURCES names a folder whose C files are built in as well, each in place of csrc's of that name: a way to
# try an algorithm from outside (tests/toy).
more = Path(os.environ["MINER_MORE_SOURCES"]).glob("*.c") if "MINER_MORE_SOURCES" in os.environ else ()
core = {path.name: os.path.relpath(path) for path in [*Path("csrc").glob("*.c"), *more]}
native = Extension(
    "miner._native",
    sources=[BINDING.as_posix(), *(Path(core[name]).as_posix() for name in sorted(core))],
    depends=sorted(path.as_posix() for path in Path("csrc").glob("*.h")),
    include_dirs=["csrc"],
    define_macros=[("Py_LIMITED_API", "0x030B0000")] if limited else [],
    py_limited_api=limited,
    extra_compile_args=compile_args,
)


class BuildExt(build_ext):
    """Compiles what has changed since the last build, on all CPUs: `make build` and pip share the folder of objects.

    On Windows with clang-cl, which comes with Visual Studio: the kernels choose their instruction sets with attributes
    that Microsoft's own compiler has not got.
    """

    def build_extensions(self) -> None:
        if sys.platform == "win32":
            self.compiler.initialize()
            self.compiler.cc = "clang-cl"
        if self.editable_mode:      # pip would take a fresh folder each time
            self.build_temp = f"build/temp.{self.plat_name}-{sys.implementation.cache_tag}"
        self._compile = self.compiler.compile
        self.compiler.compile = self.compile_stale
        super().build_extensions()

    def build_extension(self, extension: Extension) -> None:
        """Distutils asks for the times of sources and headers alone, and compiles all or nothing: here each object is
        asked for, and the linker runs if one is newer than the module. Cython's own command, which comes before
        distutils' where Cython is installed, would load half of Cython to find nothing to do."""
        self.force, forced = True, self.force
        try:
            distutils.command.build_ext.build_ext.build_extension(self, extension)
        finally:
            self.force = forced

    def compile_stale(self, sources: list[str], output_dir: str, **settings: Any) -> list[str]:
        objects = [Path(name) for name in self.compiler.object_filenames(sources, output_dir=output_dir)]
        stale = [(source, object) for source, object in zip(sources, objects, strict=True)
                 if self.compiler.force or not self.fresh(object, self.command(source, settings))]
        if not all(object.exists() for object in objects):
            self.try_compiler(settings)
        with ThreadPoolExecutor(self.parallel or available_cpus()) as threads:
            for _ in threads.map(lambda pair: self.compile_one(*pair, output_dir, settings), stale):
                pass
        return [str(object) for object in objects]

    def compile_one(self, source: str, object: Path, output_dir: str, settings: dict[str, Any]) -> None:
        dependencies = [] if sys.platform == "win32" else ["-MMD", "-MF", f"{object}.d"]
        arguments = settings | {"extra_postargs": [*settings["extra_postargs"], *dependencies]}
        self._compile([source], output_dir=output_dir, **arguments)
        Path(f"{object}.flags").write_text(self.command(source, settings))

    def command(self, source: str, settings: dict[str, Any]) -> str:
        """Everything but files that an object comes from."""
        program = getattr(self.compiler, "compiler_so", None)
        return repr((source, program, self.compiler.include_dirs, settings | {"depends": ()}))

    def fresh(self, object: Path, command: str) -> bool:
        """Whether it was compiled by this command, and from files that are older."""
        flags, made_from = Path(f"{object}.flags"), Path(f"{object}.d")
        if not (object.exists() and flags.exists() and made_from.exists()) or flags.read_text() != command:
            return False
        built = object.stat().st_mtime_ns
        return all(path.exists() and path.stat().st_mtime_ns < built for path in prerequisites(made_from))

    def try_compiler(self, settings: dict[str, Any]) -> None:
        """Say what is missing before the whole core has been compiled for nothing."""
        with tempfile.TemporaryDirectory() as directory:
            source = Path(directory, "prerequisites.c")
            source.write_text("#include <Python.h>\n")
            try:
                self._compile([str(source)], output_dir=directory, **settings)
            except (CompileError, OSError) as error:
                raise CompileError("this takes a C compiler, the C library's headers and those of Python "
                                   f"{PYTHON}: on Debian and Ubuntu, apt-get install gcc libc6-dev python{PYTHON}-dev"
                                   ) from error


def prerequisites(made_from: Path) -> Iterator[Path]:
    """The files that a dependency file of gcc or clang names."""
    text = made_from.read_text().replace("\\\n", " ").partition(": ")[2]
    return (Path(name.replace("\\ ", " ")) for name in re.findall(r"(?:\\ |\S)+", text))


def available_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class InstallData(distutils.command.install_data.install_data):
    """Man pages and shell completion, as a wheel has them: made from the parsers, into the folder of built things."""

    def run(self) -> None:
        share = Path(self.get_finalized_command("build").build_base, "share").absolute()
        subprocess.run([sys.executable, "wheels/manuals.py", str(share)], check=True)
        self.data_files = [(f"share/{path.parent.relative_to(share).as_posix()}", [str(path)])
                           for path in sorted(share.rglob("*")) if path.is_file()]
        super().run()


class SourceDistribution(sdist):
    """The same bytes for the same sources when SOURCE_DATE_EPOCH is set, as wheels have them by themselves."""

    def make_archive(self, base_name: str, format: str, *arguments: Any, base_dir: str, **settings: Any) -> str:
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if format != "gztar" or epoch is None:
            return super().make_archive(base_name, format, *arguments, base_dir=base_dir, **settings)
        path = Path(f"{base_name}.tar.gz")
        with gzip.GzipFile(path, "wb", mtime=int(epoch)) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
            for file in sorted(Path(base_dir).rglob("*")):
                entry = archive.gettarinfo(file)
                entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = int(epoch), 0, 0, "", ""
                entry.mode = 0o755 if entry.mode & 0o100 else 0o644
                if entry.isfile():
                    with file.open("rb") as content:
                        archive.addfile(entry, content)
        return str(path)


def translate(extension: Extension) -> Extension:
    """Cython's C for the binding, written again if the binding has changed. Cython is slow to load."""
    made_from = [BINDING, Path("setup.py")]
    if BINDING_IN_C.exists() and all(path.stat().st_mtime < BINDING_IN_C.stat().st_mtime for path in made_from):
        extension.sources[0] = BINDING_IN_C.as_posix()
        return extension
    from Cython.Build import cythonize

    directives = {"language_level": "3", "freethreading_compatible": True}
    (translated,) = cythonize([extension], compiler_directives=directives, force=True)
    return translated


setup(
    ext_modules=[translate(native)],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if limited else {},
    cmdclass={"build_ext": BuildExt, "install_data": InstallData, "sdist": SourceDistribution},
    data_files=[("share", [])],  # what they are, InstallData knows
)

"""Builds miner._native: the C core and its Cython binding. Everything else is in pyproject.toml.

No flag here names an instruction set: each kernel file sets its own by pragma, so one binary serves every CPU of an
architecture and CFLAGS from outside can't make it illegal on older ones.
"""

import gzip
import os
import sys
import sysconfig
import tarfile
from pathlib import Path
from typing import Any

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

os.chdir(Path(__file__).parent)
# Free-threaded Pythons before 3.15 have no stable ABI, and Cython knows none of 3.15's yet: there the module is built
# for the one version.
limited = not sysconfig.get_config_var("Py_GIL_DISABLED")
if sys.platform == "win32":
    compile_args = ["/O2", "/clang:-std=gnu11", "/clang:-O3"]
else:
    compile_args = ["-std=gnu11", "-O3", "-g0", "-fvisibility=hidden"]

native = Extension(
    "miner._native",
    sources=["src/miner/_native.pyx", *sorted(path.as_posix() for path in Path("csrc").glob("*.c"))],
    depends=sorted(path.as_posix() for path in Path("csrc").glob("*.h")),
    include_dirs=["csrc"],
    define_macros=[("Py_LIMITED_API", "0x030B0000")] if limited else [],
    py_limited_api=limited,
    extra_compile_args=compile_args,
)


class BuildExt(build_ext):
    """On Windows with clang-cl, which comes with Visual Studio: the kernels choose their instruction sets with
    attributes that Microsoft's own compiler has not got."""

    def build_extensions(self) -> None:
        if sys.platform == "win32":
            self.compiler.initialize()
            self.compiler.cc = "clang-cl"
        super().build_extensions()


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


setup(
    ext_modules=cythonize([native], compiler_directives={"language_level": "3", "freethreading_compatible": True}),
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if limited else {},
    cmdclass={"build_ext": BuildExt, "sdist": SourceDistribution},
)

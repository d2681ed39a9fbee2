"""Builds miner._native: the C core and its Cython binding. Everything else is in pyproject.toml.

No flag here names an instruction set: each kernel file sets its own by pragma, so one binary serves every CPU of an
architecture and CFLAGS from outside can't make it illegal on older ones.
"""

import os
import sys
import sysconfig
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

os.chdir(Path(__file__).parent)
# Free-threaded Pythons before 3.15 have no stable ABI: there the module is built for the one interpreter.
limited = not sysconfig.get_config_var("Py_GIL_DISABLED")
if sys.platform == "win32":
    compile_args = ["/O2", "/std:c11", "/experimental:c11atomics"]
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
setup(
    ext_modules=cythonize([native], compiler_directives={"language_level": "3", "freethreading_compatible": True}),
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if limited else {},
)

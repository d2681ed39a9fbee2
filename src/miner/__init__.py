"""CPU mining of scrypt and sha256d: alone, on a Spark cluster, or as a library. Start with `miner.mine`."""

import importlib
import sys
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if sys.version_info < (3, 11):  # noqa: UP036 - a zip on an executor's path has no pip to refuse it
    raise ImportError(f"sparkminer needs Python 3.11 or later, and this is Python {sys.version_info[0]}."
                      f"{sys.version_info[1]} ({sys.executable}): name another, on Spark as spark.pyspark.python")

if TYPE_CHECKING:
    from miner._native import kernels as kernels
    from miner.config import EngineConfig as EngineConfig
    from miner.config import SourceConfig as SourceConfig
    from miner.engine.benchmarking import benchmark as benchmark
    from miner.engine.threads import Engine as Engine
    from miner.mining import Mining as Mining
    from miner.mining import mine as mine

# Loaded at first use, so that `import miner` costs an executor next to nothing.
_PUBLIC = {
    "mine": "miner.mining",
    "benchmark": "miner.engine.benchmarking",
    "Mining": "miner.mining",
    "Engine": "miner.engine.threads",
    "EngineConfig": "miner.config",
    "SourceConfig": "miner.config",
    "kernels": "miner._native",
}

__all__ = ["Engine", "EngineConfig", "Mining", "SourceConfig", "__version__", "benchmark", "kernels", "mine"]


def _refuse_abi3() -> None:
    """Raise ImportError where this free-threaded Python has only an .abi3 module, which is for Pythons with the GIL:
    objects have another layout here, and loading it would fail for a reason that says nothing. Pips that know no
    free-threaded Pythons install such a module."""
    from pathlib import Path  # costs a Python with the GIL, which never comes here, too much

    folder = Path(__file__).parent
    own = f"_native.cpython-{sys.version_info.major}{sys.version_info.minor}t-*"
    if (folder / "_native.abi3.so").exists() and not any(folder.glob(own)):
        raise ImportError(f"{folder} has a native module for Pythons with the GIL, and this is a free-threaded Python "
                          f"{sys.version_info.major}.{sys.version_info.minor}: install sparkminer again with this "
                          "Python's own pip")


if "t" in getattr(sys, "abiflags", ""):
    _refuse_abi3()


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)

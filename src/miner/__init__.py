"""CPU mining of scrypt and sha256d: alone, on a Spark cluster, or as a library. Start with `miner.mine`."""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from miner._native import kernels as kernels
    from miner.benchmarking import benchmark as benchmark
    from miner.config import EngineConfig as EngineConfig
    from miner.config import SourceConfig as SourceConfig
    from miner.engine import Engine as Engine
    from miner.mining import Mining as Mining
    from miner.mining import mine as mine

# Loaded at first use, so that `import miner` costs an executor next to nothing.
_PUBLIC = {
    "mine": "miner.mining",
    "benchmark": "miner.benchmarking",
    "Mining": "miner.mining",
    "Engine": "miner.engine",
    "EngineConfig": "miner.config",
    "SourceConfig": "miner.config",
    "kernels": "miner._native",
}

__all__ = ["Engine", "EngineConfig", "Mining", "SourceConfig", "__version__", "benchmark", "kernels", "mine"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)

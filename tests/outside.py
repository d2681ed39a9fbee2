"""The package built by its own setup.py from what the last build has compiled, also with C files from outside the tree
(MINER_MORE_SOURCES)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ccore import ROOT


def built_with(sources: Path, folder: Path) -> Path:
    """Build the package into `folder` with the C files of `sources`, each in place of csrc's of that name. Returns what
    is to stand in PYTHONPATH."""
    build(folder, MINER_MORE_SOURCES=str(sources))
    shutil.copytree(ROOT / "src/miner", folder / "lib/miner", dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("*.so", "*.c", "__pycache__"))
    return folder / "lib"


def objects(folder: Path) -> list[Path]:
    """The C core's objects as they are shipped, in `folder`."""
    build(folder)
    return sorted(folder.glob("temp*/csrc/*.o"))


def build(folder: Path, **settings: str) -> None:
    """Build the native module into `folder`, without what the last build has compiled already."""
    take_objects(folder)
    built = subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--build-lib", folder / "lib",
                            "--build-temp", next(folder.glob("temp.*"), folder / "temp")],
                           cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, timeout=600,
                           check=False)
    assert built.returncode == 0, built.stderr


def take_objects(folder: Path) -> None:
    """Copy what the last build has compiled, where setup.py finds it if `folder` is its folder of built things."""
    for compiled in (ROOT / "build").glob("temp.*"):
        shutil.copytree(compiled, folder / compiled.name)

"""The package built by its own setup.py with C files from outside the tree (MINER_MORE_SOURCES)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ccore import ROOT


def built_with(sources: Path, folder: Path) -> Path:
    """Build the package into `folder` with the C files of `sources`, each in place of csrc's of that name. Objects of
    the last build are taken over. Returns what is to stand in PYTHONPATH."""
    for objects in (ROOT / "build").glob("temp.*"):
        shutil.copytree(objects, folder / objects.name)
    built = subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--build-lib", folder / "lib",
                            "--build-temp", next(folder.glob("temp.*"), folder / "temp")],
                           cwd=ROOT, env=os.environ | {"MINER_MORE_SOURCES": str(sources)}, capture_output=True,
                           text=True, timeout=600, check=False)
    assert built.returncode == 0, built.stderr
    shutil.copytree(ROOT / "src/miner", folder / "lib/miner", dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("*.so", "*.c", "__pycache__"))
    return folder / "lib"

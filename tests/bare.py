"""A program on an emulated x86-64 CPU that has AVX-512, without an operating system: Bochs runs it from a disk's image.
No emulator of processes alone knows AVX-512."""

import contextlib
import os
import pty
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from ccore import ROOT, compiler
from counterparts import require

SETTINGS = """\
cpu: model=tigerlake
megs: 512
ata0-master: type=disk, path={image}, mode=flat, cylinders={cylinders}, heads=16, spt=63
boot: disk
com1: enabled=1, mode=file, dev={said}
sound: waveoutdrv=dummy
display_library: term
log: {log}
"""
SOURCES = ROOT / "tests/csrc"
CYLINDER = 16 * 63 * 512


def run_bare(core: Sequence[Path], folder: Path, timeout: float) -> list[str]:
    """Link bare.c with the core's objects into a disk's image in `folder`, and run it. Returns the lines it says, up to
    its "end"; raises TimeoutError without that."""
    bochs = require("Bochs", shutil.which("bochs"), "apt-get install bochs bochs-term")
    image, said, settings = (folder / name for name in ("bare.img", "said", "bochsrc"))
    build(core, folder, image)
    settings.write_text(SETTINGS.format(image=image, said=said, log=folder / "log",
                                        cylinders=image.stat().st_size // CYLINDER))
    (folder / "commands").write_text("continue\n")  # Debian's Bochs waits for its debugger
    screen, terminal = pty.openpty()
    os.set_blocking(screen, False)
    try:
        running = subprocess.Popen([bochs, "-q", "-f", settings, "-rc", folder / "commands"], stdin=terminal,
                                   stdout=terminal, stderr=terminal, env=os.environ | {"TERM": "xterm"})
        try:
            deadline = time.monotonic() + timeout
            while not (text := said.read_text() if said.exists() else "").endswith("end\n"):
                if running.poll() is not None or time.monotonic() > deadline:
                    raise TimeoutError(f"the emulated program said only {text!r}")
                with contextlib.suppress(BlockingIOError):
                    os.read(screen, 1 << 16)  # or it would wait for a reader
                time.sleep(0.1)
        finally:
            running.kill()
            running.wait()
    finally:
        os.close(screen)
        os.close(terminal)
    return text.splitlines()[:-1]


def build(core: Sequence[Path], folder: Path, image: Path) -> None:
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-ffreestanding", "-fno-builtin", "-fno-stack-protector",
             "-fno-tree-loop-distribute-patterns", "-fno-pie", f"-I{ROOT / 'csrc'}"]
    program = folder / "bare"
    subprocess.run([*compiler(), *flags, "-static", "-nostdlib", "-no-pie", "-Wl,--build-id=none",
                    "-Wl,--no-warn-rwx-segments", "-Wl,-T", SOURCES / "bare.ld", SOURCES / "bare.S",
                    SOURCES / "bare.c", *core, "-o", program], check=True)
    subprocess.run(["objcopy", "-O", "binary", program, image], check=True)
    with image.open("ab") as disk:
        disk.truncate(-(-image.stat().st_size // CYLINDER) * CYLINDER)

"""What a wheel asks of the system it is installed on, read from its native module; works for foreign architectures."""

import re
import zipfile
from io import BytesIO
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

MAX_WHEEL_BYTES = 700_000
GLIBC = (2, 17)
LIBRARIES = {
    "manylinux": re.compile(r"libc\.so\.6|libpthread\.so\.0|libm\.so\.6|ld-linux-[a-z0-9-]+\.so\.[12]"),
    "musllinux": re.compile(r"libc\.so|libc\.musl-[a-z0-9_]+\.so\.1"),
}


def problems(wheel: Path) -> list[str]:
    """Why this wheel does not keep what its name promises; empty if it does."""
    found = [] if wheel.stat().st_size <= MAX_WHEEL_BYTES else [f"it has more than {MAX_WHEEL_BYTES} bytes"]
    family = "musllinux" if "musllinux" in wheel.name else "manylinux"
    with zipfile.ZipFile(wheel) as archive:
        natives = [name for name in archive.namelist() if name.endswith(".so")]
        if natives != [expected := f"miner/_native{_suffix(wheel, family)}"]:
            return [*found, f"its native modules are {natives}, not {expected} alone"]
        module = archive.read(natives[0])
    elf = ELFFile(BytesIO(module))
    machine = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}.get(elf["e_machine"], elf["e_machine"])
    if not wheel.stem.endswith(f"_{machine}"):
        found.append(f"its module is for {machine}")
    for section in elf.iter_sections():
        if isinstance(section, DynamicSection):
            found += _needs(section, family)
        elif isinstance(section, GNUVerNeedSection):
            found += _versions(section)
    return found


def _suffix(wheel: Path, family: str) -> str:
    """What the Pythons that the wheel is for look for."""
    abi, platform = wheel.stem.split("-")[3:]
    machine = "aarch64" if platform.endswith("aarch64") else "x86_64"
    library = {"manylinux": "gnu", "musllinux": "musl"}[family]
    return ".abi3.so" if abi == "abi3" else f".cpython-{abi[2:]}-{machine}-linux-{library}.so"


def _needs(section: DynamicSection, family: str) -> list[str]:
    found = []
    for tag in section.iter_tags():
        if tag.entry.d_tag == "DT_NEEDED" and not LIBRARIES[family].fullmatch(tag.needed):
            found.append(f"it needs {tag.needed}")
        elif tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH"):
            found.append("it carries a library path of the machine that built it")
    return found


def _versions(section: GNUVerNeedSection) -> list[str]:
    names = [auxiliary.name for _, auxiliaries in section.iter_versions() for auxiliary in auxiliaries]
    return [f"it needs {name}" for name in names
            if name.startswith("GLIBC_") and tuple(map(int, name[6:].split("."))) > GLIBC]

"""Ships this package to executors that have never heard of it: as one zip, which Spark puts on their path.

`python -m miner.spark.ship BUNDLE.zip [WHEEL…]` makes the zip by itself, with the native modules of more platforms
taken from their wheels, so that one file serves a cluster of mixed machines. The zip holds code only, never a setting.
"""

import contextlib
import importlib.util
import sys
import zipfile
import zipimport
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import miner
from miner._bootstrap import NATIVES, platform_tag
from miner.core.errors import MinerError, UsageError

if TYPE_CHECKING:
    from pyspark import SparkContext

_STUB = """from miner._bootstrap import load_native

load_native(__name__)
"""
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip format's first date: equal content makes equal files
_WHEEL_PLATFORMS = {"manylinux": "linux-{}", "linux": "linux-{}", "musllinux": "linux-{}-musl",
                    "macosx": "macosx-{}"}


def bundle(directory: Path) -> Path:
    """The zip to ship: the one that this package was imported from, or else a new one in `directory`."""
    loader: object = miner.__spec__.loader
    if isinstance(loader, zipimport.zipimporter):
        return Path(loader.archive)
    path = directory / f"sparkminer-{miner.__version__}.zip"
    write_bundle(path)
    return path


def ship(context: "SparkContext", directory: Path) -> None:
    """Have Spark bring the bundle to every executor, unless a file that Spark brings already holds the package: of two,
    the one that was added last would win."""
    if not any(_holds_package(file) for file in context.listFiles):
        context.addPyFile(str(bundle(directory)))


def ship_with(context: "SparkContext") -> None:
    """`ship`, with the bundle in a folder that is there for as long as Spark may have to send it: the context's own."""
    from pyspark import SparkFiles

    folder = Path(SparkFiles.getRootDirectory(), "sparkminer")
    folder.mkdir(exist_ok=True)
    ship(context, folder)


def _holds_package(file: str) -> bool:
    """Whether Spark's copy of a file, named as SparkContext.listFiles names it, is a zip that holds this package."""
    from pyspark import SparkFiles

    try:
        with zipfile.ZipFile(SparkFiles.get(PurePosixPath(file).name)) as archive:
            return "miner/_bootstrap.py" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def write_bundle(path: Path, wheels: Iterable[Path] = ()) -> None:
    """Write a zip of the package as it is installed here, with this platform's native module and those of `wheels`.
    Equal content gives equal bytes. Raises UsageError for a wheel that is none of this version, MinerError where the
    native module isn't built."""
    package = Path(miner.__file__).parent
    files = {f"miner/{file.relative_to(package).as_posix()}": file.read_bytes()
             for file in package.rglob("*.py") if "__pycache__" not in file.parts}
    files["miner/_native.py"] = _STUB.encode()
    files |= _unpacked_natives(package)
    files.update(_installed_native())
    for wheel in wheels:
        files.update(_wheel_natives(wheel))
    _write_zip(path, files)


def _write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in sorted(files.items()):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = 0o644 << 16
            info.create_system = 3
            archive.writestr(info, data, zipfile.ZIP_DEFLATED, 9)


def _installed_native() -> dict[str, bytes]:
    spec = importlib.util.find_spec("miner._native")
    if spec is None or spec.origin is None:
        raise MinerError("miner's native module is not built: python -m pip install -e .")
    origin = Path(spec.origin)
    if origin.suffix == ".py":  # an unpacked bundle, whose natives have been collected already
        return {}
    return {f"miner/{NATIVES}/{platform_tag()}/{origin.name}": origin.read_bytes()}


def _unpacked_natives(package: Path) -> dict[str, bytes]:
    return {f"miner/{file.relative_to(package).as_posix()}": file.read_bytes()
            for file in (package / NATIVES).glob("*/_native.*")}


def _wheel_natives(wheel: Path) -> dict[str, bytes]:
    """The native modules in a wheel, by their path in the bundle: once for each platform that the wheel's name lists.
    Raises UsageError for a wheel that is none of this version, or holds no native module."""
    name, _, rest = wheel.name.removesuffix(".whl").partition("-")
    version, _, tags = rest.partition("-")
    if not wheel.name.endswith(".whl") or name != "sparkminer" or version != miner.__version__:
        raise UsageError(f"{wheel.name} is no wheel of sparkminer {miner.__version__}")
    natives = {}
    with _opened(wheel) as archive:
        members = [name for name in archive.namelist() if PurePosixPath(name).match("miner/_native.*")
                   and name.endswith((".so", ".pyd"))]
        for tag in tags.rpartition("-")[2].split("."):
            directory = f"miner/{NATIVES}/{_directory(tag, wheel)}"
            natives.update({f"{directory}/{PurePosixPath(member).name}": archive.read(member)
                            for member in members})
    if not natives:
        raise UsageError(f"{wheel.name} holds no native module")
    return natives


@contextlib.contextmanager
def _opened(wheel: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            yield archive
    except (OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"can't read {wheel}: {error}") from error


def _directory(tag: str, wheel: Path) -> str:
    """What `platform_tag` says on the platform of a wheel's tag, e.g. linux-x86_64 for manylinux_2_17_x86_64. Raises
    UsageError for a platform that a bundle can't hold."""
    if tag.startswith("win"):
        return tag.replace("_", "-")
    family, _, rest = tag.partition("_")
    family = family.rstrip("0123456789")  # manylinux2014
    # The architecture follows the C library's or system's version, and may have an underscore of its own.
    parts = rest.split("_")
    machine = "_".join(parts[next((at for at, part in enumerate(parts) if not part.isdigit()), len(parts)):])
    if family not in _WHEEL_PLATFORMS or not machine:
        raise UsageError(f"{wheel.name}: platform {tag} is not one that a bundle can hold")
    return _WHEEL_PLATFORMS[family].format(machine)


def main(arguments: Sequence[str]) -> int:
    """Run `python -m miner.spark.ship` with these arguments. Returns the exit status."""
    if not arguments or arguments[0].startswith("-") or not arguments[0].endswith(".zip"):
        sys.stderr.write("usage: python -m miner.spark.ship BUNDLE.zip [WHEEL...]\n")
        return 2
    try:
        write_bundle(Path(arguments[0]), [Path(wheel) for wheel in arguments[1:]])
    except (MinerError, OSError) as error:
        sys.stderr.write(f"miner.spark.ship: {error}\n")
        return 2 if isinstance(error, UsageError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

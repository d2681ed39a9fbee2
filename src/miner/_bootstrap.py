"""Loads the native module where the package was imported from a zip: systems load native code from files alone.

A bundle (see `miner.spark.ship`) has in place of the native module a two-line `_native.py` that calls `load_native`.
The module's bytes are written once into a directory named by their sha256, and loaded from there. What is loaded is
code, so nothing is trusted that another user could have put or changed there.
"""

import contextlib
import hashlib
import importlib.util
import os
import stat
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

NATIVES = "_natives"  # a directory in a bundle: miner/_natives/PLATFORM/_native.SUFFIX
CACHE_VARIABLE = "MINER_CACHE_DIR"
# Free-threaded Pythons before 3.15 list .abi3 among their suffixes, but objects have another layout there.
_FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
_SUFFIXES = [suffix for suffix in EXTENSION_SUFFIXES if not (_FREE_THREADED and suffix.startswith(".abi3."))]


class _Unusable(Exception):
    """A directory won't do, for the reason that this says; the next one is tried."""


def load_native(name: str) -> ModuleType:
    """Import the native module `name` into sys.modules, out of the bundle from which this package was imported: from a
    directory or, where none will do, from memory, each process from its own. Raises ImportError, which says for each
    place that was tried why it won't do."""
    data, suffix = _native_bytes()
    reasons = []
    for directory in _cache_directories():
        try:
            return _load(name, _unpack(directory, data, suffix))
        except (_Unusable, OSError) as error:
            reasons.append(f"{directory}: {error}")
    try:
        return _load_from_memory(name, data)
    except (_Unusable, OSError) as error:
        reasons.append(f"memory: {error}")
    raise ImportError(f"no directory to load miner's native module from; set {CACHE_VARIABLE} to one that is "
                      f"yours, writable and not mounted noexec. Tried {'; '.join(reasons)}", name=name)


def platform_tag() -> str:
    """This platform's directory in a bundle: operating system, architecture and, where it isn't the usual one, C
    library. For example linux-x86_64, linux-aarch64-musl, macosx-arm64, win-amd64."""
    system, _, machine = sysconfig.get_platform().partition("-")
    machine = machine.rpartition("-")[2] or "32"  # macOS: drop the release
    libc = "-musl" if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "") else ""
    return f"{system}-{machine}{libc}"


def _native_bytes() -> tuple[bytes, str]:
    """The native module for this platform and interpreter: its bytes, and its file name's suffix. Raises ImportError
    where the bundle has none."""
    loader: Any = __spec__.loader
    package = __file__.rpartition(os.sep)[0]  # e.g. ./bundle.zip/miner, spelt as the loader wants it
    for suffix in _SUFFIXES:
        with contextlib.suppress(OSError):
            return loader.get_data(os.sep.join((package, NATIVES, platform_tag(), f"_native{suffix}"))), suffix
    kind = "free-threaded Python" if _FREE_THREADED else "Python"
    raise ImportError(f"{package} has no native module for {platform_tag()} and {kind} "
                      f"{sys.version_info.major}.{sys.version_info.minor} ({', '.join(_SUFFIXES)}): "
                      "build the bundle with the wheel for these too")


def _cache_directories() -> Iterator[Path]:
    """Where the native module may be unpacked, best first. Spark's own directories go away with its application."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        yield Path(chosen)
    if "SPARK_LOCAL_DIRS" in os.environ:  # Spark sets it for its Python workers
        yield Path(__file__).parent.parent.parent  # beside the zip
        with contextlib.suppress(OSError):
            yield Path.cwd()
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if cache.is_absolute():  # the specification wants relative ones ignored
        yield cache
    with contextlib.suppress(RuntimeError):
        yield Path.home() / ".cache"
    with contextlib.suppress(OSError):
        yield Path(tempfile.gettempdir())


def _unpack(parent: Path, data: bytes, suffix: str) -> Path:
    """See to it that a file below `parent` that only this user can write to holds exactly `data`. Returns its path;
    raises _Unusable or OSError. Processes may race here: each replaces the whole file, with equal bytes."""
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    parent = parent.resolve()
    if hasattr(os, "ST_NOEXEC") and os.statvfs(parent).f_flag & os.ST_NOEXEC:
        raise _Unusable("is mounted noexec")
    owner = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    directory = parent / f"sparkminer{owner}-{hashlib.sha256(data).hexdigest()}"
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    _check_directory(directory)
    path = directory / f"_native{suffix}"
    if not _is_intact(path, data):
        _write(path, data)
        if not _is_intact(path, data):
            raise _Unusable(f"{path.name} is not what was just written there")
    return path


def _check_directory(directory: Path) -> None:
    """Raise _Unusable unless the directory is this user's alone, and no other user could rename it away: each directory
    above it must belong to this user, root or an owner of a directory above the package, and be writable for others
    only if it is sticky (as /tmp is). Directories that are above the package itself are not looked at: whoever can
    change one of them can exchange the package."""
    if os.name != "posix":
        return
    own = directory.lstat()
    if not stat.S_ISDIR(own.st_mode):
        raise _Unusable(f"{directory.name} is a symbolic link or no directory")
    if own.st_uid != os.getuid():
        raise _Unusable(f"{directory.name} belongs to user {own.st_uid}")
    if stat.S_IMODE(own.st_mode) & ~stat.S_ISGID != 0o700:  # setgid is inherited, in a Kubernetes volume for one
        raise _Unusable(f"{directory.name} has mode {stat.S_IMODE(own.st_mode):04o} instead of 0700")
    exempt = _above_package()
    trusted = {0, os.getuid()} | {above.lstat().st_uid for above in exempt}
    for above in directory.parents:
        if above in exempt:
            continue
        state = above.lstat()
        if state.st_uid not in trusted:
            raise _Unusable(f"{above} belongs to user {state.st_uid}")
        if state.st_mode & 0o022 and not state.st_mode & stat.S_ISVTX:
            raise _Unusable(f"{above} can be changed by other users")


def _above_package() -> set[Path]:
    """The directories above the zip, or the unpacked bundle, that this package was imported from. On a secure YARN they
    belong to the user who starts the containers; on Kubernetes they may be a volume that everybody can write to."""
    folder = Path(__file__).absolute().parent.parent.parent
    return {above for start in {folder, folder.resolve()} for above in (start, *start.parents)}


def _is_intact(path: Path, data: bytes) -> bool:
    """Whether the file exists, is no link, can be written by this user alone, and holds exactly `data`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    except OSError:  # absent, or a symbolic link
        return False
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_size != len(data):
            return False
        if os.name == "posix" and (state.st_uid != os.getuid() or state.st_mode & 0o022):
            return False
        return file.read() == data


def _write(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _load_from_memory(name: str, data: bytes) -> ModuleType:
    """Load the module from a file that has no name and that no other user can reach (memfd_create(2)). A pod with a
    read-only root file system may have nothing else: everybody can write to its volumes."""
    if not hasattr(os, "memfd_create"):
        raise _Unusable("this system has no files there")
    descriptor = os.memfd_create(name)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        path = Path(f"/proc/self/fd/{descriptor}")
        if not path.exists():
            raise _Unusable("/proc is not mounted")
        return _load(name, path)


def _load(name: str, path: Path) -> ModuleType:
    loader = ExtensionFileLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    try:
        module = importlib.util.module_from_spec(spec)
    except ImportError as error:
        # What the dynamic loader says of noexec mounts that hide the flag, and of security policies.
        if any(sign in str(error) for sign in ("failed to map segment", "not permitted", "ermission denied")):
            raise _Unusable(f"native code can't be loaded from here ({error})") from error
        raise
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module

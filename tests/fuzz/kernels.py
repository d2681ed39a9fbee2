"""Every kernel against the portable hashes: tests/csrc/fuzz_kernels.c makes a search of any bytes."""

import ctypes
import functools
import random
import tempfile
from pathlib import Path

from ccore import build, compiler
from fuzz.target import Target
from outside import objects

_SIZE = 128  # some bytes more than fuzz_kernels.c reads


@functools.cache
def library() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        path = build(compiler(), ["-O3", "-fPIC", "-shared"], "fuzz_kernels.c", Path(folder) / "kernels.so",
                     core=objects(Path(folder)))
        return ctypes.CDLL(str(path))


def kernels(data: bytes) -> None:
    """These bytes, and a random search that they lead to: nothing guides a fuzzer through C, and all inputs are alike
    to it."""
    for question in (data, random.Random(data).randbytes(_SIZE)):
        name = ctypes.c_char_p()
        line = library().compare_kernels(question, ctypes.c_size_t(len(question)), ctypes.byref(name))
        assert line == 0, f"kernel {name.value!r} is wrong for {question.hex()}: fuzz_kernels.c, line {line}"


def _seed(what: int, shifts: int, hits: int, count: int, first: int, kind: int) -> bytes:
    """As fuzz_kernels.c reads it: algorithm and N, alignments, the hit list, range, header, kind of target."""
    return bytes([what, shifts, hits, count]) + first.to_bytes(4) + bytes(range(80)) + bytes([kind, 7]) + b"\x33" * 32


TARGETS = {"kernels": Target(kernels, (
    _seed(0, 0, 63, 160, 0, 0), _seed(0, 0x35, 0, 65, 9, 1), _seed(0x80, 0x11, 9, 33, 0, 2), _seed(0, 0, 32, 99, 5, 3),
    _seed(1, 0, 63, 130, 0, 0), _seed(7, 0x53, 0, 65, 9, 1), _seed(0x8D, 0x1F, 9, 33, 0, 2), _seed(5, 0, 9, 9, 5, 3)),
    ("\0" * 9, "\x7f" * 9))}

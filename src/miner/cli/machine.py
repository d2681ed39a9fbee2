"""What `miner bench` says of the machine: its CPU's name, and how fast a kernel could be there at most."""

import platform
from pathlib import Path

from miner.core.algorithm import Algorithm, Scrypt, Sha256d
from miner.engine.cpus import usable_threads
from miner.engine.processors import cpuinfo_of_first


def machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The CPU's name, and how many CPUs can be used."""
    name = cpuinfo_of_first(cpuinfo).get("model name") or platform.processor() or platform.machine()
    return f"{name}, {usable_threads()} CPUs usable"


def least_cycles(algorithm: Algorithm, kernel: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> float | None:
    """The fewest cycles in which one thread could compute a hash on this CPU: those of the instructions that no way of
    writing the kernel avoids, with each execution unit busy all the time. None where they are not known for the CPU or
    the kernel.

    Loads, stores, the transposes of scrypt's rows, PBKDF2 and waiting are not counted, so that no kernel reaches this.
    """
    units = _units(cpuinfo_of_first(cpuinfo))
    if units is None:
        return None
    rnds2_cycles, vector_operations = units
    if algorithm == Sha256d() and kernel in ("shani", "avx512_shani"):
        return _SHA256D_RNDS2 * rnds2_cycles
    if kernel not in _VECTORS:
        return None
    bits, ternary = _VECTORS[kernel]
    match algorithm:
        case Sha256d():
            operations = _SHA256D_OPERATIONS[ternary]
        case Scrypt(n):
            operations = _SCRYPT_OPERATIONS[ternary] * n
        case _:
            return None
    return operations / (bits / 32) / vector_operations[bits]


# By kernel: the bits of a register, and whether there are rotations and functions of three operands (AVX-512).
_VECTORS = {"sse2": (128, False), "sse41": (128, False), "avx2": (256, False), "avx512vl": (256, True),
            "avx512": (512, True)}

# scrypt: operations on 32-bit words for each of N (RFC 7914 with r = p = 1). Two passes of two Salsa20/8, each 16 xors,
# 128 quarter steps and 16 additions; the second pass also mixes in 32 words. A quarter step is an addition, a rotation
# and an xor; without AVX-512 a rotation is two shifts and one more xor. AVX-512 mixes in 16 of the 32 words for
# nothing, since it has xors of three operands.
_SCRYPT_OPERATIONS = {True: 2 * 2 * (16 + 128 * 3 + 16) + 16, False: 2 * 2 * (16 + 128 * 5 + 16) + 32}

# sha256d: operations on 32-bit words, those that depend on the nonce and on which the most significant word of the
# second hash depends (FIPS 180-4; rounds 4 to 63, then 0 to 60): 1050 additions, 120 Ch and Sigma1, 116 Maj and Sigma0,
# 69 sigma0, 87 sigma1. With AVX-512 a Ch or Maj is one operation and a sigma four; without it three, and eleven (three
# rotations) or nine (two and a shift).
_SHA256D_OPERATIONS = {True: 1050 + 120 + 116 + (120 + 116 + 69 + 87) * 4,
                       False: 1050 + (120 + 116) * 3 + (120 + 116) * 11 + (69 + 87) * 9}

# sha256d: sha256rnds2 instructions, of two rounds each: rounds 2 to 63, then 0 to 61.
_SHA256D_RNDS2 = 31 + 31


def _units(cpu: dict[str, str]) -> tuple[float, dict[int, int]] | None:
    """What a CPU's execution units do: cycles from one sha256rnds2 to the next, and vector operations in a cycle by the
    bits of a register. None for a CPU that nobody has measured, such as mobile Zen 5.

    Source: AMD's Software Optimization Guides for families 19h (Zen 3, and Zen 4, which joins two units of 256 bits for
    an operation on 512) and 1Ah (Zen 5), and measurements of all three. Shifts and rotations go to half of the units,
    which limits none of the kernels here.
    """
    try:
        vendor, family, model = cpu["vendor_id"], int(cpu["cpu family"]), int(cpu["model"])
    except (KeyError, ValueError):
        return None
    if vendor == "AuthenticAMD" and family == 0x19:  # Zen 4 has models 1x, 6x, 7x and Ax, Zen 3 the others
        return 1, {128: 4, 256: 4, 512: 2}
    if vendor == "AuthenticAMD" and family == 0x1A and model >> 4 in (0, 1, 4):
        return 2, {128: 4, 256: 4, 512: 4}
    return None

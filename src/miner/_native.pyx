# The C core for Python: bytes in, one call without the GIL, hits out. Documented in _native.pyi.
# cython: language_level=3, freethreading_compatible=True, auto_pickle=False, autotestdict=False

import os

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

cdef extern from "miner.h" nogil:
    ctypedef enum miner_algorithm:
        MINER_SHA256D
        MINER_SCRYPT
    ctypedef struct miner_kernel:
        pass
    ctypedef struct miner_scratch:
        void *memory
        size_t size
        int huge
    ctypedef struct miner_hit:
        uint32_t nonce
        uint8_t hash[32]
    ctypedef struct atomic_u64 "_Atomic uint64_t":
        pass
    enum:
        MINER_OK
        MINER_EINVAL
        MINER_ENOMEM
        MINER_ESELFTEST
    size_t miner_kernels(miner_algorithm, const miner_kernel **, size_t)
    const miner_kernel *miner_kernel_by_name(miner_algorithm, const char *)
    const char *miner_kernel_name(const miner_kernel *)
    unsigned miner_kernel_lanes(const miner_kernel *)
    int miner_selftest(const miner_kernel *)
    size_t miner_scratch_size(const miner_kernel *, uint32_t)
    int miner_scratch_alloc(miner_scratch *, const miner_kernel *, uint32_t)
    void miner_scratch_touch(miner_scratch *)
    void miner_scratch_free(miner_scratch *)
    int miner_search(const miner_kernel *, miner_scratch *, const uint8_t *, const uint8_t *, uint32_t, uint64_t,
                     const atomic_u64 *, uint64_t, miner_hit *, size_t, size_t *, uint64_t *)
    void miner_sha256d(const uint8_t *, size_t, uint8_t *)
    int miner_scrypt(const uint8_t *, uint32_t, uint8_t *)
    int miner_spin(uint64_t)

cdef extern from "thread.h" nogil:
    enum:
        MINER_THREAD_UNSUPPORTED
    int miner_thread_pin(int)
    int miner_thread_nice(int)

cdef extern from *:
    """
    static inline uint64_t epoch_load(const _Atomic uint64_t *e) { return atomic_load(e); }
    static inline uint64_t epoch_advance(_Atomic uint64_t *e) { return atomic_fetch_add(e, 1) + 1; }
    static inline int claim(_Atomic uint64_t *e) { uint64_t no = 0; return atomic_compare_exchange_strong(e, &no, 1); }
    static inline void release(_Atomic uint64_t *e) { atomic_store(e, 0); }
    #ifdef __VERSION__
    #define MINER_COMPILER __VERSION__
    #else
    #define MINER_COMPILER "unknown"
    #endif
    #ifdef __clang__
    #define MINER_COMPILER_NAME ""
    #else
    #define MINER_COMPILER_NAME "gcc "
    #endif
    """
    uint64_t epoch_load(const atomic_u64 *) nogil
    uint64_t epoch_advance(atomic_u64 *) nogil
    bint claim(atomic_u64 *) nogil
    void release(atomic_u64 *) nogil
    const char *MINER_COMPILER
    const char *MINER_COMPILER_NAME

cdef enum:
    MAX_KERNELS = 32


cdef miner_algorithm algorithm_of(str name) except *:
    if name == "sha256d":
        return MINER_SHA256D
    if name == "scrypt":
        return MINER_SCRYPT
    raise ValueError(f"unknown algorithm {name!r}; choose 'sha256d' or 'scrypt'")


def kernels(str algorithm not None):
    cdef const miner_kernel *found[MAX_KERNELS]
    cdef size_t count = miner_kernels(algorithm_of(algorithm), found, MAX_KERNELS)
    return tuple([miner_kernel_name(found[i]).decode("ascii") for i in range(min(count, <size_t>MAX_KERNELS))])


cdef const miner_kernel *kernel_of(str algorithm, str name) except NULL:
    cdef bytes encoded = name.encode("utf-8")
    cdef const miner_kernel *k = miner_kernel_by_name(algorithm_of(algorithm), encoded)
    if k is NULL:
        raise ValueError(f"no {algorithm} kernel {name!r} on this CPU; it has {', '.join(kernels(algorithm))}")
    return k


def kernel_lanes(str algorithm not None, str kernel not None):
    return miner_kernel_lanes(kernel_of(algorithm, kernel))


cdef size_t checked_scratch_size(const miner_kernel *k, str algorithm, object n) except? <size_t>-1:
    if not 0 <= n <= 0xffffffff or miner_scratch_size(k, n) == <size_t>-1:
        wanted = "0 for sha256d" if algorithm == "sha256d" else "a power of two from 2 to 1048576 for scrypt"
        raise ValueError(f"n must be {wanted}, not {n}")
    return miner_scratch_size(k, n)


def kernel_scratch(str algorithm not None, object n, str kernel not None):
    return checked_scratch_size(kernel_of(algorithm, kernel), algorithm, n)


def selftest(str algorithm not None, str kernel not None):
    cdef const miner_kernel *k = kernel_of(algorithm, kernel)
    cdef int status
    with nogil:
        status = miner_selftest(k)
    if status == MINER_ENOMEM:
        raise MemoryError(f"no memory for the self-test of {algorithm} kernel {kernel}")
    return status == MINER_OK


cdef class Epoch:
    cdef atomic_u64 cell        # objects start zeroed

    @property
    def value(self):
        return epoch_load(&self.cell)

    def advance(self):
        return epoch_advance(&self.cell)

    def __repr__(self):
        return f"Epoch({self.value})"


cdef class Searcher:
    cdef const miner_kernel *k
    cdef miner_scratch scratch
    cdef miner_hit *hits
    cdef atomic_u64 busy
    cdef readonly str algorithm
    cdef readonly str kernel
    cdef readonly unsigned int n
    cdef readonly unsigned int lanes
    cdef readonly size_t scratch_bytes
    cdef readonly bint huge_pages

    def __cinit__(self, str algorithm not None, object n, str kernel not None):
        self.k = kernel_of(algorithm, kernel)
        self.algorithm = algorithm
        self.kernel = kernel
        self.lanes = miner_kernel_lanes(self.k)
        cdef size_t needed = checked_scratch_size(self.k, algorithm, n)
        self.n = n
        self.hits = <miner_hit *>calloc(self.lanes, sizeof(miner_hit))
        if self.hits is NULL or miner_scratch_alloc(&self.scratch, self.k, self.n) != MINER_OK:
            raise MemoryError(f"{algorithm}:{n} with kernel {kernel} needs {needed} bytes of memory a thread, "
                              f"and the system has not got them")
        self.scratch_bytes = self.scratch.size
        self.huge_pages = self.scratch.huge

    def __dealloc__(self):
        miner_scratch_free(&self.scratch)
        free(self.hits)

    def touch(self):
        if not claim(&self.busy):
            raise RuntimeError("this Searcher is at work in another thread; each thread needs its own")
        with nogil:
            miner_scratch_touch(&self.scratch)
        release(&self.busy)

    def search(self, bytes header not None, bytes target not None, object first, object count,
               Epoch epoch not None, object my_epoch):
        if len(header) != 80:
            raise ValueError(f"a header has 80 bytes, not {len(header)}")
        if len(target) != 32:
            raise ValueError(f"a target has 32 bytes, not {len(target)}")
        if not (0 <= first <= 0xffffffff and 0 <= count <= 0x100000000 - first):
            raise ValueError(f"nonces {first} to {first} + {count} are not within 0 to 2**32")
        if not 0 <= my_epoch <= 0xffffffffffffffff:
            raise ValueError(f"an epoch is 0 to 2**64 - 1, not {my_epoch}")
        cdef const uint8_t *header_bytes = <const uint8_t *><const char *>header
        cdef const uint8_t *target_bytes = <const uint8_t *><const char *>target
        cdef uint32_t from_nonce = first
        cdef uint64_t nonces = count, mine = my_epoch, done = 0
        cdef size_t found = 0
        cdef int status
        if not claim(&self.busy):
            raise RuntimeError("this Searcher is at work in another thread; each thread needs its own")
        try:
            with nogil:
                status = miner_search(self.k, &self.scratch, header_bytes, target_bytes, from_nonce, nonces,
                                      &epoch.cell, mine, self.hits, self.lanes, &found, &done)
            if status < 0:
                raise RuntimeError(f"miner_search refused its arguments ({status})")
            return [(self.hits[i].nonce, <bytes>(<char *>self.hits[i].hash)[:32]) for i in range(found)], done
        finally:
            release(&self.busy)


def sha256d(bytes data not None):
    cdef uint8_t out[32]
    miner_sha256d(<const uint8_t *><const char *>data, len(data), out)
    return <bytes>(<char *>out)[:32]


def scrypt(bytes header not None, object n):
    if len(header) != 80:
        raise ValueError(f"a header has 80 bytes, not {len(header)}")
    if not 0 <= n <= 0xffffffff:
        raise ValueError(f"n must be a power of two from 2 to 1048576, not {n}")
    cdef const uint8_t *header_bytes = <const uint8_t *><const char *>header
    cdef uint32_t checked_n = n
    cdef uint8_t out[32]
    cdef int status
    with nogil:
        status = miner_scrypt(header_bytes, checked_n, out)
    if status == MINER_EINVAL:
        raise ValueError(f"n must be a power of two from 2 to 1048576, not {n}")
    if status == MINER_ENOMEM:
        raise MemoryError(f"scrypt:{n} needs {128 * n} bytes of memory, and the system has not got them")
    return <bytes>(<char *>out)[:32]


cdef bint thread_result(int status, str what) except *:
    if status == MINER_THREAD_UNSUPPORTED:
        return False
    if status != 0:
        raise OSError(status, f"{what}: {os.strerror(status)}")
    return True


def pin_thread(int cpu):
    return thread_result(miner_thread_pin(cpu), f"binding this thread to cpu {cpu}")


def set_thread_nice(int value):
    return thread_result(miner_thread_nice(value), f"setting this thread's nice value to {value}")


def spin(object cycles):
    if not 0 <= cycles <= 0xffffffffffff:
        raise ValueError(f"cycles must be from 0 to 2**48, not {cycles}")
    cdef uint64_t checked = cycles
    cdef int done
    with nogil:
        done = miner_spin(checked)
    return done != 0


def compiler():
    return (MINER_COMPILER_NAME + MINER_COMPILER).decode("ascii", "replace")

# The C core for Python: bytes in, one call without the GIL, hits out. Documented in _native.pyi.
# cython: language_level=3, freethreading_compatible=True, auto_pickle=False, autotestdict=False

import os

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

cdef extern from "miner.h" nogil:
    ctypedef struct miner_algorithm:
        pass
    ctypedef struct miner_kernel:
        pass
    enum:
        MINER_PARAMETERS
    ctypedef struct miner_parameters:
        uint32_t value[4]
    ctypedef struct miner_scratch:
        void *memory
        void *memory
        size_t size
        int huge
    ctypedef struct miner_hit:
        uint32_t nonce
        uint8_t hash[32]
    ctypedef struct miner_mismatch:
        uint32_t nonce
        uint32_t target_top
        int hit
    ctypedef struct atomic_u64 "miner_epoch":
        pass
    enum:
        MINER_OK
        MINER_STOPPED
        MINER_EINVAL
        MINER_ENOMEM
        MINER_ESELFTEST
    size_t miner_algorithms(const miner_algorithm **, size_t)
    const miner_algorithm *miner_algorithm_by_name(const char *)
    const char *miner_algorithm_name(const miner_algorithm *)
    const char *miner_algorithm_takes(const miner_algorithm *)
    int miner_hash(const miner_algorithm *, miner_parameters, const uint8_t *, uint8_t *)
    size_t miner_kernels(const miner_algorithm *, const miner_kernel **, size_t)
    const miner_kernel *miner_kernel_by_name(const miner_algorithm *, const char *)
    const char *miner_kernels_everywhere(const miner_algorithm *)
    const char *miner_kernel_name(const miner_kernel *)
    unsigned miner_kernel_lanes(const miner_kernel *)
    int miner_selftest(const miner_kernel *)
    size_t miner_scratch_size(const miner_kernel *, miner_parameters)
    int miner_scratch_alloc(miner_scratch *, const miner_kernel *, miner_parameters)
    void miner_scratch_touch(miner_scratch *)
    void miner_scratch_free(miner_scratch *)
    int miner_search(const miner_kernel *, miner_scratch *, const uint8_t *, const uint8_t *, uint32_t, uint64_t,
                     const atomic_u64 *, uint64_t, miner_hit *, size_t, size_t *, uint64_t *)
    int miner_tops(const miner_kernel *, const miner_scratch *, const uint8_t *, uint32_t, uint32_t,
                   const atomic_u64 *, uint64_t, uint32_t *)
    int miner_compare(const miner_kernel *, miner_scratch *, const uint8_t *, uint32_t, uint32_t, const uint32_t *,
                      const uint32_t *, size_t, const atomic_u64 *, uint64_t, miner_mismatch *, size_t, size_t *,
                      uint64_t *)
    void miner_sha256d(const uint8_t *, size_t, uint8_t *)
    int miner_spin(uint64_t)
    uint64_t miner_nanoseconds()

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
    static inline void store(_Atomic uint64_t *e, uint64_t value) { atomic_store(e, value); }
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
    void store(atomic_u64 *, uint64_t) nogil
    const char *MINER_COMPILER
    const char *MINER_COMPILER_NAME

cdef enum:
    MAX_KERNELS = 32
    MAX_ALGORITHMS = 64
    MAX_MISMATCHES = 64     # told of one call
    MAX_TARGETS = 256       # of one call


def algorithms():
    cdef const miner_algorithm *found[MAX_ALGORITHMS]
    cdef size_t count = miner_algorithms(found, MAX_ALGORITHMS)
    return tuple([miner_algorithm_name(found[i]).decode("ascii") for i in range(min(count, <size_t>MAX_ALGORITHMS))])


cdef const miner_algorithm *algorithm_of(str name) except NULL:
    cdef bytes encoded = name.encode("utf-8", "replace")
    cdef const miner_algorithm *a = miner_algorithm_by_name(encoded)
    if a is NULL:
        raise ValueError(f"unknown algorithm {name!r}; there are {', '.join(algorithms())}")
    return a


cdef int set_parameters(miner_parameters *p, str algorithm, tuple parameters) except -1:
    for i in range(MINER_PARAMETERS):
        p.value[i] = 0
    cdef bint fit = len(parameters) <= MINER_PARAMETERS
    for i, value in enumerate(parameters):
        fit = fit and 0 <= value <= 0xffffffff
        if fit:
            p.value[i] = value
    if not fit:
        raise wrong_parameters(algorithm, parameters)
    return 0


cdef object wrong_parameters(str algorithm, tuple parameters):
    takes = miner_algorithm_takes(algorithm_of(algorithm)).decode("ascii")
    return ValueError(f"{algorithm} takes {takes}, not {', '.join(map(str, parameters))}")


def kernels(str algorithm not None):
    cdef const miner_kernel *found[MAX_KERNELS]
    cdef size_t count = miner_kernels(algorithm_of(algorithm), found, MAX_KERNELS)
    return tuple([miner_kernel_name(found[i]).decode("ascii") for i in range(min(count, <size_t>MAX_KERNELS))])


def kernels_everywhere(str algorithm not None):
    return tuple(miner_kernels_everywhere(algorithm_of(algorithm)).decode("ascii").split())


cdef const miner_kernel *kernel_of(str algorithm, str name) except NULL:
    cdef bytes encoded = name.encode("utf-8", "replace")
    cdef const miner_kernel *k = miner_kernel_by_name(algorithm_of(algorithm), encoded)
    if k is NULL:
        raise ValueError(f"no {algorithm} kernel {name!r} on this CPU; it has {', '.join(kernels(algorithm))}")
    return k


def kernel_lanes(str algorithm not None, str kernel not None):
    return miner_kernel_lanes(kernel_of(algorithm, kernel))


def kernel_scratch(str algorithm not None, tuple parameters not None, str kernel not None):
    cdef const miner_kernel *k = kernel_of(algorithm, kernel)
    cdef miner_parameters p
    set_parameters(&p, algorithm, parameters)
    cdef size_t size = miner_scratch_size(k, p)
    if size == <size_t>-1:
        raise wrong_parameters(algorithm, parameters)
    return size


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


# What to search, for as long as the epoch is this one.
cdef struct task:
    uint8_t header[80]
    uint8_t target[32]
    uint32_t first
    uint64_t count
    uint64_t epoch


cdef int set_task(task *t, bytes header, bytes target, object first, object count, object epoch) except -1:
    if len(header) != 80:
        raise ValueError(f"a header has 80 bytes, not {len(header)}")
    if len(target) != 32:
        raise ValueError(f"a target has 32 bytes, not {len(target)}")
    if not (0 <= first <= 0xffffffff and 0 <= count <= 0x100000000 - first):
        raise ValueError(f"nonces {first} to {first} + {count} are not within 0 to 2**32")
    if not 0 <= epoch <= 0xffffffffffffffff:
        raise ValueError(f"an epoch is 0 to 2**64 - 1, not {epoch}")
    memcpy(t.header, <const char *>header, 80)
    memcpy(t.target, <const char *>target, 32)
    t.first, t.count, t.epoch = first, count, epoch
    return 0


cdef class Searcher:
    cdef const miner_kernel *k
    cdef miner_scratch scratch
    cdef miner_hit *hits
    cdef atomic_u64 busy
    cdef task ahead             # laid ready by another thread, which `laying` keeps from meeting this one
    cdef bint is_ahead
    cdef atomic_u64 laying
    cdef object came_of_switch  # epoch, hits and hashes of the task that was laid ahead
    cdef atomic_u64 switched_epoch, switched_at_ns   # nanoseconds; 0: no search yet
    cdef readonly str algorithm
    cdef readonly str kernel
    cdef readonly tuple parameters
    cdef readonly unsigned int lanes
    cdef readonly size_t scratch_bytes
    cdef readonly bint huge_pages

    def __cinit__(self, str algorithm not None, tuple parameters not None, str kernel not None):
        self.k = kernel_of(algorithm, kernel)
        self.algorithm = algorithm
        self.kernel = kernel
        self.lanes = miner_kernel_lanes(self.k)
        self.parameters = parameters
        needed = kernel_scratch(algorithm, parameters, kernel)
        cdef miner_parameters p
        set_parameters(&p, algorithm, parameters)
        self.hits = <miner_hit *>calloc(self.lanes, sizeof(miner_hit))
        if self.hits is NULL or miner_scratch_alloc(&self.scratch, self.k, p) != MINER_OK:
            raise MemoryError(f"{':'.join([algorithm, *map(str, parameters)])} with kernel {kernel} needs {needed} "
                              f"bytes of memory a thread, and the system has not got them")
        self.scratch_bytes = self.scratch.size
        self.huge_pages = self.scratch.huge

    def __dealloc__(self):
        miner_scratch_free(&self.scratch)
        free(self.hits)

    def touch(self, object first=0, object size=None):
        if first < 0 or (size is not None and size < 0):
            raise ValueError(f"bytes {first} and {size} must not be negative")
        cdef size_t start = min(first, self.scratch.size)
        cdef miner_scratch part = self.scratch
        part.size -= start
        if size is not None:
            part.size = min(size, part.size)
        if part.size == 0:
            return
        part.memory = <char *>part.memory + start
        if not claim(&self.busy):
            raise RuntimeError("this Searcher is at work in another thread; each thread needs its own")
        with nogil:
            miner_scratch_touch(&part)
        release(&self.busy)

    cdef int run(self, const task *t, const atomic_u64 *epoch, size_t *found, uint64_t *done) noexcept nogil:
        if t.epoch != epoch_load(&self.switched_epoch):
            store(&self.switched_at_ns, miner_nanoseconds())
            store(&self.switched_epoch, t.epoch)
        return miner_search(self.k, &self.scratch, t.header, t.target, t.first, t.count, epoch, t.epoch, self.hits,
                            self.lanes, found, done)

    # Neither side waits for the other, which may have lost its CPU: what can't be laid or taken now is the caller's.
    cdef bint take_ahead(self, uint64_t epoch, task *t) noexcept nogil:
        if not claim(&self.laying):
            return False
        cdef bint taken = self.is_ahead and self.ahead.epoch == epoch
        if taken:
            t[0] = self.ahead
            self.is_ahead = False
        release(&self.laying)
        return taken

    def lay_ahead(self, bytes header not None, bytes target not None, object first, object count, object my_epoch):
        cdef task t
        set_task(&t, header, target, first, count, my_epoch)
        if claim(&self.laying):
            self.ahead, self.is_ahead = t, True
            release(&self.laying)

    def search(self, bytes header not None, bytes target not None, object first, object count,
               Epoch epoch not None, object my_epoch):
        cdef task now, ahead
        set_task(&now, header, target, first, count, my_epoch)
        cdef uint64_t done = 0, done_ahead = 0
        cdef size_t found = 0
        cdef bint switched = False
        cdef int status
        if not claim(&self.busy):
            raise RuntimeError("this Searcher is at work in another thread; each thread needs its own")
        try:
            with nogil:
                status = self.run(&now, &epoch.cell, &found, &done)
                if status == MINER_STOPPED and found == 0 and self.take_ahead(epoch_load(&epoch.cell), &ahead):
                    switched = True
                    status = self.run(&ahead, &epoch.cell, &found, &done_ahead)
            if status < 0:
                raise RuntimeError(f"miner_search refused its arguments ({status})")
            hits = [(self.hits[i].nonce, <bytes>(<char *>self.hits[i].hash)[:32]) for i in range(found)]
            if not switched:
                return hits, done
            self.came_of_switch = (ahead.epoch, hits, done_ahead)
            return [], done
        finally:
            release(&self.busy)

    def tops(self, bytes header not None, object first, object count, Epoch epoch not None, object my_epoch):
        cdef task t
        set_task(&t, header, bytes(32), first, count, my_epoch)
        if count > 0xffffffff:
            raise ValueError(f"{count} nonces are more than 2**32 - 1")
        if not claim(&self.busy):
            raise RuntimeError("this Searcher is at work in another thread; each thread needs its own")
        cdef uint32_t *tops = <uint32_t *>calloc(max(<size_t>1, <size_t>t.count), sizeof(uint32_t))
        cdef int status
        try:
            if tops is NULL:
                raise MemoryError(f"no memory for the hashes of {count} nonces")
            with nogil:
                status = miner_tops(self.k, &self.scratch, t.header, t.first, <uint32_t>t.count, &epoch.cell, t.epoch,
                                    tops)
            return <bytes>(<char *>tops)[:4 * t.count] if status == MINER_OK else None
        finally:
            free(tops)
            release(&self.busy)

    def compare(self, bytes header not None, object first, bytes tops not None, tuple targets not None,
                Epoch epoch not None, object my_epoch):
        cdef task t
        cdef miner_mismatch wrong[MAX_MISMATCHES]
        cdef uint32_t target_tops[MAX_TARGETS]
        cdef size_t n_targets = len(targets), found = 0
        cdef uint64_t done = 0
        cdef int status
        if len(tops) % 4 or len(tops) // 4 > 0xffffffff:
            raise ValueError(f"tops are 4 bytes for each of up to 2**32 - 1 nonces, not {len(tops)} bytes")
        set_task(&t, header, bytes(32), first, len(tops) // 4, my_epoch)
        if not (1 <= n_targets <= MAX_TARGETS and all(0 <= target <= 0xffffffff for target in targets)):
            raise ValueError(f"targets are 1 to {MAX_TARGETS} numbers from 0 to 2**32 - 1, not {targets[:8]}")
        for i in range(n_targets):
            target_tops[i] = targets[i]
        cdef const uint32_t *expected = <const uint32_t *><const char *>tops
        if not claim(&self.busy):
            raise RuntimeError("this Searcher is at work in another thread; each thread needs its own")
        try:
            with nogil:
                status = miner_compare(self.k, &self.scratch, t.header, t.first, <uint32_t>t.count, expected,
                                       target_tops, n_targets, &epoch.cell, t.epoch, wrong, MAX_MISMATCHES, &found,
                                       &done)
            if status < 0:
                raise RuntimeError(f"miner_compare refused its arguments ({status})")
            told = [(wrong[i].nonce, wrong[i].target_top, wrong[i].hit != 0)
                    for i in range(min(found, <size_t>MAX_MISMATCHES))]
            return told, found, done
        finally:
            release(&self.busy)

    def switched(self):
        came, self.came_of_switch = self.came_of_switch, None
        return came

    def switched_at(self, object my_epoch):
        epoch = epoch_load(&self.switched_epoch)
        at = epoch_load(&self.switched_at_ns)
        return at * 1e-9 if at and epoch == my_epoch else None


def sha256d(bytes data not None):
    cdef uint8_t out[32]
    miner_sha256d(<const uint8_t *><const char *>data, len(data), out)
    return <bytes>(<char *>out)[:32]


def portable_hash(str algorithm not None, tuple parameters not None, bytes header not None):
    if len(header) != 80:
        raise ValueError(f"a header has 80 bytes, not {len(header)}")
    cdef const miner_algorithm *a = algorithm_of(algorithm)
    cdef miner_parameters p
    set_parameters(&p, algorithm, parameters)
    cdef const uint8_t *header_bytes = <const uint8_t *><const char *>header
    cdef uint8_t out[32]
    cdef int status
    with nogil:
        status = miner_hash(a, p, header_bytes, out)
    if status == MINER_EINVAL:
        raise wrong_parameters(algorithm, parameters)
    if status == MINER_ENOMEM:
        raise MemoryError(f"one hash of {':'.join([algorithm, *map(str, parameters)])} needs "
                          f"{kernel_scratch(algorithm, parameters, 'portable')} bytes of memory, "
                          "and the system has not got them")
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

"""The native module against hashlib: every kernel this CPU has, every lane, every edge of a range."""

import hashlib
import os
import pickle
import random
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator

import pytest

from miner import _native

QUICK: dict[str, tuple[int, ...]] = {"sha256d": (), "scrypt": (16,)}  # many headers can be tried; known ones use 1024
KERNELS = [(algorithm, name) for algorithm in QUICK for name in _native.kernels(algorithm)]
NEVER = bytes(32)
ALWAYS = b"\xff" * 32

GENESIS_BITCOIN = bytes.fromhex(
    "01000000" + 64 * "0" + "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
)
BITCOIN_125552 = bytes.fromhex(
    "0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000"
    "e320b6c2fffc8d750423db8b1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74df2b9441a42a14695"
)
GENESIS_LITECOIN = bytes.fromhex(
    "01000000" + 64 * "0" + "d9ced4ed1130f7b7faad9be25323ffafa33232a17c3edf6cfd97bee6bafbdd97b9aa8e4ef0ff0f1ecd513f7c"
)
GENESIS_DOGECOIN = bytes.fromhex(
    "01000000" + 64 * "0" + "696ad20e2dd4365c7459b4a4a5af743d5e92c6da3229e6532cd605f6533f2a5b24a6a152f0ff0f1e67860100"
)
KNOWN = [
    ("sha256d", (), GENESIS_BITCOIN, "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"),
    ("sha256d", (), BITCOIN_125552, "00000000000000001e8d6829a8a21adc5d38d0a473b144b6765798e61f98bd1d"),
    ("scrypt", (1024,), GENESIS_LITECOIN, "0000050c34a64b415b6b15b37f2216634b5b1669cb9a2e38d76f7213b0671e00"),
    ("scrypt", (1024,), GENESIS_DOGECOIN, "0000026f3f7874ca0c251314eaed2d2fcf83d7da3acfaacf59417d485310b448"),
]


def reference(algorithm: str, header: bytes, n: int = 16) -> bytes:
    if algorithm == "sha256d":
        return hashlib.sha256(hashlib.sha256(header).digest()).digest()
    return hashlib.scrypt(header, salt=header, n=n, r=1, p=1, dklen=32, maxmem=1 << 28)


def hash_of(algorithm: str, header: bytes, nonce: int) -> bytes:
    return reference(algorithm, header[:76] + nonce.to_bytes(4, "little"))


def at_most(one: bytes, other: bytes) -> bool:
    return one[::-1] <= other[::-1]


def drain(
    searcher: _native.Searcher, header: bytes, target: bytes, first: int, count: int
) -> Iterator[tuple[int, bytes]]:
    """Search the whole range, going on behind each early return as an engine does."""
    epoch, end = _native.Epoch(), first + count
    while first < end:
        hits, done = searcher.search(header, target, first, end - first, epoch, 0)
        assert 0 < done <= end - first
        assert all(first <= nonce < first + done for nonce, _ in hits)
        yield from hits
        first += done


@pytest.fixture(scope="module", params=KERNELS, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def searcher(request: pytest.FixtureRequest) -> _native.Searcher:
    algorithm, kernel = request.param
    return _native.Searcher(algorithm, QUICK[algorithm], kernel)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.node.name)


def test_kernels_end_with_the_portable_one() -> None:
    assert set(QUICK) <= set(_native.algorithms())
    for algorithm in QUICK:
        names = _native.kernels(algorithm)
        assert names[-1] == "portable"
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(("algorithm", "kernel"), KERNELS)
def test_every_kernel_passes_its_self_test(algorithm: str, kernel: str) -> None:
    assert _native.selftest(algorithm, kernel)
    assert 1 <= _native.kernel_lanes(algorithm, kernel) <= 64


@pytest.mark.parametrize(("algorithm", "parameters", "header", "block_id"), KNOWN)
def test_portable_hashes_of_known_blocks(algorithm: str, parameters: tuple[int, ...], header: bytes,
                                         block_id: str) -> None:
    assert _native.portable_hash(algorithm, parameters, header)[::-1].hex() == block_id


@pytest.mark.parametrize(("algorithm", "parameters", "header", "block_id"), KNOWN)
def test_every_kernel_finds_known_blocks(algorithm: str, parameters: tuple[int, ...], header: bytes,
                                         block_id: str) -> None:
    nonce = int.from_bytes(header[76:], "little")
    blank = header[:76] + b"\xaa\xbb\xcc\xdd"  # the nonce given in the header does not matter
    bits = header[72:76]
    target = (int.from_bytes(bits[:3], "little") << 8 * (bits[3] - 3)).to_bytes(32, "little")
    for kernel in _native.kernels(algorithm):
        one = _native.Searcher(algorithm, parameters, kernel)
        hits = list(drain(one, blank, target, nonce - 2 * one.lanes - 1, 4 * one.lanes))
        assert [(found, digest[::-1].hex()) for found, digest in hits] == [(nonce, block_id)]


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000])
def test_sha256d_of_any_length(length: int, rng: random.Random) -> None:
    data = rng.randbytes(length)
    assert _native.sha256d(data) == reference("sha256d", data)


@pytest.mark.parametrize("n", [2, 4, 16, 1024, 1 << 14])
def test_scrypt_of_any_n(n: int, rng: random.Random) -> None:
    header = rng.randbytes(80)
    assert _native.portable_hash("scrypt", (n,), header) == reference("scrypt", header, n)


@pytest.mark.parametrize("kernel", _native.kernels("scrypt"))
@pytest.mark.parametrize("n", [2, 4, 8, 64, 1024, 1 << 13])
def test_scrypt_kernels_for_any_n(kernel: str, n: int, rng: random.Random) -> None:
    one = _native.Searcher("scrypt", (n,), kernel)
    header = rng.randbytes(80)
    hits, done = one.search(header, ALWAYS, 7, one.lanes, _native.Epoch(), 0)
    assert done == one.lanes
    for nonce, digest in hits:
        assert digest == reference("scrypt", header[:76] + nonce.to_bytes(4, "little"), n)
    assert [nonce for nonce, _ in hits] == list(range(7, 7 + one.lanes))


def test_random_headers_and_targets(searcher: _native.Searcher, rng: random.Random) -> None:
    for _ in range(20):
        header, first = rng.randbytes(80), rng.randrange(1 << 32)
        count = min(rng.randrange(1, 4 * searcher.lanes + 2), (1 << 32) - first)
        hashes = {nonce: hash_of(searcher.algorithm, header, nonce) for nonce in range(first, first + count)}
        target = rng.choice(list(hashes.values())) if rng.random() < 0.5 else rng.randbytes(32)
        expected = [(nonce, digest) for nonce, digest in hashes.items() if at_most(digest, target)]
        assert list(drain(searcher, header, target, first, count)) == expected


def test_every_lane_finds_its_nonce_at_equality(searcher: _native.Searcher, rng: random.Random) -> None:
    header, nonce = rng.randbytes(80), rng.randrange(1 << 20, 1 << 32)
    digest = hash_of(searcher.algorithm, header, nonce)
    below = (int.from_bytes(digest, "little") - 1).to_bytes(32, "little")
    for lane in range(searcher.lanes):
        first = nonce - lane
        hits = dict(drain(searcher, header, digest, first, lane + 1))
        assert hits[nonce] == digest
        assert nonce not in dict(drain(searcher, header, below, first, lane + 1))


@pytest.mark.parametrize("first", [0, 1, 3, (1 << 32) - 200])
def test_ranges_of_any_length_and_off_the_grid(searcher: _native.Searcher, first: int) -> None:
    """Every nonce of the range once, in order, and none beyond it."""
    for count in (0, 1, searcher.lanes - 1, searcher.lanes, searcher.lanes + 1, 2 * searcher.lanes + 3):
        hits = list(drain(searcher, GENESIS_BITCOIN, ALWAYS, first, count))
        assert [nonce for nonce, _ in hits] == list(range(first, first + count))


def test_the_last_nonces(searcher: _native.Searcher) -> None:
    for count in (1, 2, searcher.lanes, searcher.lanes + 1):
        first = (1 << 32) - count
        hits = list(drain(searcher, GENESIS_BITCOIN, ALWAYS, first, count))
        assert hits == [(n, hash_of(searcher.algorithm, GENESIS_BITCOIN, n)) for n in range(first, 1 << 32)]


def test_a_hit_comes_back_with_its_batch(searcher: _native.Searcher) -> None:
    hits, done = searcher.search(GENESIS_BITCOIN, ALWAYS, 100, 1 << 31, _native.Epoch(), 0)
    assert len(hits) == done == searcher.lanes


def test_a_miss_counts_the_whole_range(searcher: _native.Searcher) -> None:
    assert searcher.search(GENESIS_BITCOIN, NEVER, 5, 301, _native.Epoch(), 0) == ([], 301)


def test_an_old_epoch_hashes_nothing(searcher: _native.Searcher) -> None:
    epoch = _native.Epoch()
    assert (epoch.value, epoch.advance(), epoch.value) == (0, 1, 1)
    assert searcher.search(GENESIS_BITCOIN, ALWAYS, 0, 1000, epoch, 0) == ([], 0)
    hits, _ = searcher.search(GENESIS_BITCOIN, ALWAYS, 0, 1000, epoch, 1)
    assert hits


@pytest.mark.parametrize(("algorithm", "kernel"), KERNELS)
def test_a_new_epoch_stops_a_search_and_the_count_is_exact(algorithm: str, kernel: str) -> None:
    """The search that was stopped and the one that goes on behind it cover the range without gap or overlap."""
    long = {"scrypt": (1 << 14,)}  # so long a hash that the stop comes inside it
    one = _native.Searcher(algorithm, long.get(algorithm, ()), kernel)
    epoch, inside = _native.Epoch(), threading.Event()
    result: list[int] = []

    def run() -> None:
        inside.set()
        result.append(one.search(GENESIS_BITCOIN, NEVER, 0, 1 << 32, epoch, 0)[1])

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert inside.wait(10)
    epoch.advance()
    thread.join(20)
    assert not thread.is_alive()
    assert result[0] % one.lanes == 0


def fresh(algorithm: str, kernel: str) -> _native.Searcher:
    return _native.Searcher(algorithm, QUICK[algorithm], kernel)


@pytest.mark.parametrize(("algorithm", "kernel"), KERNELS)
def test_a_search_goes_over_to_what_is_laid_ahead_for_the_next_epoch(algorithm: str, kernel: str) -> None:
    searcher, epoch, other = fresh(algorithm, kernel), _native.Epoch(), bytes(80)
    searcher.lay_ahead(other, NEVER, 0, 1, 1)
    searcher.lay_ahead(other, ALWAYS, 7, 1000, 1)  # the later one counts
    assert (searcher.switched(), searcher.switched_at(1)) == (None, None)
    epoch.advance()
    assert searcher.search(GENESIS_BITCOIN, NEVER, 0, 1000, epoch, 0) == ([], 0)
    assert searcher.switched_at(1) is not None
    assert searcher.switched_at(0) is None
    over = searcher.switched()
    assert over is not None
    assert over[0] == 1
    assert over[2] == searcher.lanes
    assert over[1] == [(n, hash_of(searcher.algorithm, other, n)) for n in range(7, 7 + searcher.lanes)]
    assert searcher.switched() is None
    epoch.advance()
    assert searcher.search(GENESIS_BITCOIN, NEVER, 0, 1000, epoch, 1) == ([], 0)  # it is not taken twice
    assert searcher.switched() is None


@pytest.mark.parametrize(("algorithm", "kernel"), KERNELS)
def test_what_is_laid_ahead_waits_for_its_epoch(algorithm: str, kernel: str) -> None:
    searcher, epoch = fresh(algorithm, kernel), _native.Epoch()
    searcher.lay_ahead(GENESIS_BITCOIN, NEVER, 0, 33, 2)
    assert searcher.search(GENESIS_BITCOIN, NEVER, 0, 5, epoch, 0) == ([], 5)
    assert epoch.advance() == 1
    assert searcher.search(GENESIS_BITCOIN, NEVER, 0, 5, epoch, 0) == ([], 0)
    assert searcher.switched() is None
    assert epoch.advance() == 2
    assert searcher.search(GENESIS_BITCOIN, NEVER, 0, 5, epoch, 1) == ([], 0)
    assert searcher.switched() == (2, [], 33)


def test_a_search_under_way_goes_over_while_another_thread_lays_ahead() -> None:
    one, epoch, inside = _native.Searcher("sha256d", (), "portable"), _native.Epoch(), threading.Event()

    def run() -> None:
        inside.set()
        one.search(GENESIS_BITCOIN, NEVER, 0, 1 << 32, epoch, 0)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert inside.wait(10)
    one.lay_ahead(GENESIS_BITCOIN, ALWAYS, 3, 1, 1)
    epoch.advance()
    thread.join(20)
    assert one.switched() == (1, [(3, hash_of("sha256d", GENESIS_BITCOIN, 3))], 1)


def test_epochs_advance_from_many_threads() -> None:
    epoch = _native.Epoch()
    threads = [threading.Thread(target=lambda: [epoch.advance() for _ in range(1000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert epoch.value == 4000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"header": bytes(79)}, "80 bytes, not 79"),
        ({"target": bytes(33)}, "32 bytes, not 33"),
        ({"first": -1}, "not within"),
        ({"first": 1 << 32}, "not within"),
        ({"count": -1}, "not within"),
        ({"first": 1, "count": 1 << 32}, "not within"),
        ({"first": 1 << 99}, "not within"),
        ({"my_epoch": -1}, "an epoch is"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, object], message: str) -> None:
    one = _native.Searcher("sha256d", (), "portable")
    arguments = {"header": bytes(80), "target": NEVER, "first": 0, "count": 1, "epoch": _native.Epoch(), "my_epoch": 0}
    with pytest.raises(ValueError, match=message):
        one.search(**(arguments | change))
    del arguments["epoch"]
    with pytest.raises(ValueError, match=message):
        one.lay_ahead(**(arguments | change))


@pytest.mark.parametrize("change", [{"header": None}, {"header": "x" * 80}, {"epoch": None}, {"first": "1"}])
def test_wrong_types_are_refused(change: dict[str, object]) -> None:
    one = _native.Searcher("sha256d", (), "portable")
    arguments = {"header": bytes(80), "target": NEVER, "first": 0, "count": 1, "epoch": _native.Epoch(), "my_epoch": 0}
    with pytest.raises(TypeError):
        one.search(**(arguments | change))


@pytest.mark.parametrize("n", [0, 1, 3, 1023, (1 << 20) + 1, 1 << 21, -2, 1 << 40])
def test_invalid_parameters_are_refused(n: int) -> None:
    for wrong in ((n,), (1024, 1), (1024, 0, 0, 0, 0)):
        with pytest.raises(ValueError, match=f"scrypt takes N, a power of two from 2 to 1048576, not {wrong[0]}"):
            _native.Searcher("scrypt", wrong, "portable")
        with pytest.raises(ValueError, match="power of two from 2 to 1048576"):
            _native.kernel_scratch("scrypt", wrong, "portable")
        with pytest.raises(ValueError, match="power of two from 2 to 1048576"):
            _native.portable_hash("scrypt", wrong, bytes(80))
    if n:
        with pytest.raises(ValueError, match=f"sha256d takes no parameters, not {n}"):
            _native.Searcher("sha256d", (n,), "portable")


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(ValueError, match="this CPU; it has .*portable"):
        _native.Searcher("scrypt", (1024,), "sse9")
    with pytest.raises(ValueError, match="unknown algorithm 'x11'"):
        _native.kernels("x11")
    with pytest.raises(ValueError, match="there are sha256d, scrypt"):
        _native.Searcher("sha256", (), "portable")
    with pytest.raises(ValueError, match="unknown algorithm"):
        _native.portable_hash("\ud800", (), bytes(80))


def test_what_a_searcher_says_of_itself(searcher: _native.Searcher) -> None:
    assert searcher.lanes == _native.kernel_lanes(searcher.algorithm, searcher.kernel)
    assert (searcher.scratch_bytes > 0) == (searcher.algorithm == "scrypt")
    assert searcher.parameters == QUICK[searcher.algorithm]
    if searcher.algorithm == "scrypt":
        assert searcher.scratch_bytes >= 128 * 16 * searcher.lanes


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS holds on Linux")
def test_memory_that_cannot_be_had_is_named() -> None:
    program = (
        "import resource; from miner import _native\n"
        "resource.setrlimit(resource.RLIMIT_AS, (100 << 20, 100 << 20))\n"
        "try: _native.Searcher('scrypt', (1 << 20,), 'portable')\n"
        "except MemoryError as error: print(error)"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert str(128 << 20) in out.stdout, out


def test_one_searcher_is_not_for_two_threads() -> None:
    one, epoch = _native.Searcher("sha256d", (), "portable"), _native.Epoch()
    started = threading.Event()

    def run() -> None:
        started.set()
        one.search(bytes(80), NEVER, 0, 1 << 32, epoch, 0)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        assert started.wait(10)
        with pytest.raises(RuntimeError, match="own"):
            while True:  # until the thread is inside
                one.search(bytes(80), NEVER, 0, 1, epoch, 0)
    finally:
        epoch.advance()
        thread.join(20)
    assert one.search(bytes(80), NEVER, 0, 1, epoch, 1) == ([], 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_searcher_survives_a_fork(searcher: _native.Searcher) -> None:
    """Spark's Python daemon forks its workers; parent and child go on apart."""
    expected = list(drain(searcher, GENESIS_BITCOIN, ALWAYS, 0, searcher.lanes))
    child = os.fork()
    if child == 0:
        same = list(drain(searcher, GENESIS_BITCOIN, ALWAYS, 0, searcher.lanes)) == expected
        os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert list(drain(searcher, GENESIS_BITCOIN, ALWAYS, 0, searcher.lanes)) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="threads are pinned on Linux only")
def test_pinning_and_nice_belong_to_the_calling_thread() -> None:
    cpus, nice = os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)
    seen: list[object] = []

    def run() -> None:
        seen.append(_native.pin_thread(min(cpus)))
        seen.append(_native.set_thread_nice(19))
        seen.append(os.sched_getaffinity(0))
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert seen == [True, True, {min(cpus)}, 19]
    assert (os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)) == (cpus, nice)


@pytest.mark.skipif(sys.platform != "linux", reason="threads are pinned on Linux only")
@pytest.mark.parametrize("cpu", [-1, 100_000])
def test_a_cpu_that_is_not_there(cpu: int) -> None:
    with pytest.raises(OSError, match=f"cpu {cpu}"):
        _native.pin_thread(cpu)


@pytest.mark.parametrize("thing", [_native.Epoch(), _native.Searcher("sha256d", (), "portable")])
def test_nothing_native_is_pickled(thing: object) -> None:
    """Neither means anything in another process."""
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(thing)


def test_spinning_takes_its_cycles() -> None:
    """Whatever the clock: a thousand times as many cycles are never done sooner."""
    def seconds(cycles: int) -> float:
        started = time.perf_counter()
        _native.spin(cycles)
        return time.perf_counter() - started

    if _native.spin(0):
        assert min(seconds(10_000_000) for _ in range(3)) > min(seconds(10_000) for _ in range(3))
    for wrong in (-1, 1 << 50):
        with pytest.raises(ValueError, match="cycles must be"):
            _native.spin(wrong)


def test_scratch_can_be_touched_and_is_whole(searcher: _native.Searcher) -> None:
    assert _native.kernel_scratch(searcher.algorithm, searcher.parameters, searcher.kernel) == searcher.scratch_bytes
    searcher.touch()
    assert len(list(drain(searcher, GENESIS_BITCOIN, ALWAYS, 0, searcher.lanes))) == searcher.lanes


def test_the_compiler_is_named() -> None:
    assert any(character.isdigit() for character in _native.compiler())


def test_importing_does_not_turn_the_gil_on() -> None:
    program = "import sys; from miner import _native; print(getattr(sys, '_is_gil_enabled', lambda: None)())"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    assert (out.stdout.strip() == "False") == free_threaded

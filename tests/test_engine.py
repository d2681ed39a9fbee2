"""The engine: what it is given is scanned exactly, new work takes over at once, and nothing runs after close."""

import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from miner.config import EngineConfig
from miner.core.algorithm import Algorithm
from miner.core.errors import EngineError, EngineStopped
from miner.core.model import Job, Work
from miner.core.target import MAX_TARGET, hash_value
from miner.engine.hostlock import try_lock
from miner.engine.kernels import usable_kernels
from miner.engine.threads import Engine, NonceRange

SCRYPT = Algorithm.parse("scrypt:16")  # small N: quick, and the same code
SHA256D = Algorithm.parse("sha256d")


def make_work(algorithm: Algorithm) -> Work:
    job = Job("1", algorithm, 0x20000000, os.urandom(32), b"a", b"b", 4, b"c", (), 0x1D00FFFF, 1700000000, True, 0)
    return job.work(os.urandom(4))


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.005)


def settings(threads: int = 1, **more: object) -> EngineConfig:
    return EngineConfig(threads=threads, pin=False, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("algorithm", [SCRYPT, SHA256D], ids=str)
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_hit_of_the_ranges_is_found_once(algorithm: Algorithm, threads: int) -> None:
    work, target = make_work(algorithm), MAX_TARGET >> 5
    ranges = [NonceRange(work, target, first, count)
              for first, count in [(0, 300), (300, 1), (7000, 515), (2**32 - 99, 99)]]
    expected = {nonce for r in ranges for nonce in range(r.first, r.first + r.count)
                if hash_value(algorithm.hash(work.share(nonce).header)) <= target}
    hits: queue.SimpleQueue[int] = queue.SimpleQueue()
    done = threading.Event()
    with Engine(algorithm, settings(threads), on_hit=lambda work, nonce, digest: hits.put(nonce),
                on_exhausted=done.set) as engine:
        engine.assign(iter(ranges))
        assert done.wait(20)
        wait_for(lambda: engine.hashes == sum(r.count for r in ranges))
    found = [hits.get() for _ in range(hits.qsize())]
    assert sorted(found) == sorted(expected)


def test_the_hash_that_comes_with_a_hit_is_the_headers(algorithm: Algorithm = SCRYPT) -> None:
    hits: queue.SimpleQueue[tuple[Work, int, bytes]] = queue.SimpleQueue()
    with Engine(algorithm, settings(), on_hit=lambda *hit: hits.put(hit)) as engine:
        engine.assign(iter([NonceRange(make_work(algorithm), MAX_TARGET, 0, 50)]))
        for _ in range(50):
            work, nonce, digest = hits.get(timeout=20)
            assert digest == algorithm.hash(work.share(nonce).header)


def test_new_work_replaces_the_old_and_nothing_is_lost_in_between() -> None:
    """A thousand assignments in a row: the last one is always the one that is scanned to its end."""
    hits: queue.SimpleQueue[Work] = queue.SimpleQueue()
    with Engine(SHA256D, settings(2), on_hit=lambda work, nonce, digest: hits.put(work)) as engine:
        for _ in range(1000):
            engine.assign(iter([NonceRange(make_work(SHA256D), 0)]))  # an endless scan without hits
        last = make_work(SHA256D)
        engine.assign(iter([NonceRange(last, MAX_TARGET, 0, 10)]))
        assert [hits.get(timeout=20) for _ in range(10)] == [last] * 10


def test_threads_that_hash_switch_and_scan_their_new_ranges_once() -> None:
    """Also those which they begin before Python hears of it; what is left of these comes after."""
    hits: queue.SimpleQueue[tuple[Work, int]] = queue.SimpleQueue()
    with Engine(SHA256D, settings(2), on_hit=lambda work, nonce, digest: hits.put((work, nonce))) as engine:
        for _ in range(30):
            engine.assign(iter([NonceRange(make_work(SHA256D), 0, part, 1 << 31) for part in (0, 1 << 31)]))
            wait_for(lambda: engine.switched_at() is not None)
            work, target = make_work(SHA256D), MAX_TARGET >> 6
            engine.assign(iter([NonceRange(work, target, first, 400) for first in range(0, 2000, 400)]))
            expected = {(work, nonce) for nonce in range(2000)
                        if hash_value(SHA256D.hash(work.share(nonce).header)) <= target}
            assert {hits.get(timeout=20) for _ in expected} == expected
    assert hits.empty()


def test_when_the_last_thread_switched_is_known() -> None:
    with Engine(SHA256D, settings(2), on_hit=lambda *hit: None) as engine:
        assert engine.switched_at() is None
        for _ in range(10):
            before = time.perf_counter()
            engine.assign(iter([NonceRange(make_work(SHA256D), 0, part, 1 << 31) for part in (0, 1 << 31)]))
            wait_for(lambda: engine.switched_at() is not None)
            assert before <= (engine.switched_at() or 0.0) <= time.perf_counter()
        engine.assign(iter([NonceRange(make_work(SHA256D), 0)]))
        assert engine.switched_at() is None  # one of the threads got nothing
        engine.pause()
    assert engine.switched_at() is None


def test_a_paused_engine_hashes_nothing_and_goes_on_when_told() -> None:
    with Engine(SHA256D, settings(2), on_hit=lambda *hit: None) as engine:
        assert engine.hashes == 0
        engine.assign(iter([NonceRange(make_work(SHA256D), 0)]))
        wait_for(lambda: engine.hashes > 0)
        engine.pause()
        settled = -1
        while settled != (settled := engine.hashes):
            time.sleep(0.3)
        engine.assign(iter([NonceRange(make_work(SHA256D), 0)]))
        wait_for(lambda: engine.hashes > settled)


def test_no_thread_outlives_close() -> None:
    before = threading.active_count()
    engine = Engine(SCRYPT, settings(3), on_hit=lambda *hit: None)
    engine.assign(iter([NonceRange(make_work(SCRYPT), 0)]))
    engine.close()
    engine.close()
    assert threading.active_count() == before


def test_a_large_scrypt_is_interrupted_inside_the_hash() -> None:
    algorithm = Algorithm.parse("scrypt:262144")
    engine = Engine(algorithm, settings(), on_hit=lambda *hit: None)
    engine.assign(iter([NonceRange(make_work(algorithm), 0)]))
    engine.close()  # the test's own time limit is the measure: a whole batch takes far longer than all of this
    assert engine.hashes == 0


def test_progress_adds_up_to_the_hashes() -> None:
    told: queue.SimpleQueue[int] = queue.SimpleQueue()
    with Engine(SHA256D, settings(2), on_hit=lambda *hit: None,
                on_hashes=lambda thread, hashes, seconds: told.put(hashes)) as engine:
        for _ in range(3):
            engine.assign(iter([NonceRange(make_work(SHA256D), 0, part, 1 << 30) for part in (0, 1 << 30)]))
            now = engine.hashes
            wait_for(lambda now=now: engine.hashes > now)
    assert sum(told.get() for _ in range(told.qsize())) == engine.hashes


def test_memory_that_is_not_there_is_asked_for_with_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise MemoryError("scrypt:1024 with kernel avx2 needs 1 bytes of memory a thread")

    usable_kernels(SCRYPT)
    monkeypatch.setattr("miner._native.Searcher", refuse)
    with pytest.raises(EngineError, match="needs 1 bytes .* use fewer threads"):
        Engine(SCRYPT, settings(), on_hit=lambda *hit: None)


@pytest.mark.skipif(sys.platform != "linux", reason="huge pages are Linux's")
def test_huge_pages_that_the_system_does_not_give_are_told_where_they_matter() -> None:
    """The system gives this process none, as `never` in its settings gives none to any."""
    program = """
import ctypes
from miner.config import EngineConfig
from miner.core.algorithm import Algorithm
from miner.engine.hostlock import try_lock
from miner.engine.threads import Engine
PR_SET_THP_DISABLE = 41
assert ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0
for algorithm, kernel in (("scrypt:16384", "portable"), ("scrypt:1024", "portable"), ("sha256d", "")):
    with Engine(Algorithm.parse(algorithm), EngineConfig(threads=2, kernel=kernel), on_hit=print) as engine:
        print(algorithm, engine.remarks)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    large, small, sha256d = done.stdout.splitlines()
    assert "Huge pages: none for 4 MiB of scratchpads" in large
    assert small == "scrypt:1024 ()"
    assert sha256d == "sha256d ()"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_scratchpads_of_an_engine_that_was_closed_are_free() -> None:
    """Even while somebody still reads its figures: the next engine may need the memory."""
    before = resident_bytes()
    with Engine(Algorithm.parse("scrypt:1048576"), settings(kernel="portable"), on_hit=lambda *hit: None) as engine:
        assert resident_bytes() > before + (100 << 20)
    wait_for(lambda: resident_bytes() < before + (64 << 20))
    assert engine.hashes == 0


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


class Boom(Exception):
    pass


def failing(*ignored: object) -> None:
    raise Boom


@pytest.mark.parametrize("callback", ["on_hit", "on_hashes", "on_exhausted"])
def test_what_a_callback_raises_ends_all_threads_and_is_handed_out_once(callback: str) -> None:
    failed: queue.SimpleQueue[BaseException] = queue.SimpleQueue()
    callbacks = {"on_hit": lambda *hit: None, callback: failing}
    engine = Engine(SHA256D, settings(2), **callbacks, on_failed=failed.put)  # type: ignore[arg-type]
    work = make_work(SHA256D)
    if callback == "on_hashes":  # told when work that is being hashed changes
        engine.assign(iter([NonceRange(work, 0)]))
        wait_for(lambda: engine.hashes > 0)
    engine.assign(iter([NonceRange(work, MAX_TARGET if callback == "on_hit" else 0, part, 1000)
                        for part in (0, 1000, 2000)]))
    error = failed.get(timeout=20)
    assert isinstance(error, Boom)
    assert engine.error is error
    wait_for(lambda: not any(worker.is_alive() for worker in engine._workers))
    hashes = engine.hashes
    with pytest.raises(Boom):
        engine.assign(iter([NonceRange(work, 0)]))
    engine.close()
    assert failed.empty()
    assert engine.hashes == hashes


def test_what_the_ranges_raise_on_a_thread_ends_all_threads() -> None:
    def ranges() -> Iterator[NonceRange]:
        for first in (0, 1000):
            yield NonceRange(make_work(SHA256D), 0, first, 1000)
        raise Boom

    failed: queue.SimpleQueue[BaseException] = queue.SimpleQueue()
    with pytest.raises(Boom), Engine(SHA256D, settings(2), on_hit=failing, on_failed=failed.put) as engine:
        engine.assign(ranges())
        assert isinstance(failed.get(timeout=20), Boom)


def test_ranges_that_raise_at_once_leave_the_engine_as_it_was() -> None:
    hits: queue.SimpleQueue[int] = queue.SimpleQueue()

    def ranges() -> Iterator[NonceRange]:
        yield NonceRange(make_work(SHA256D), MAX_TARGET, 0, 100)
        raise Boom

    with Engine(SHA256D, settings(2), on_hit=lambda work, nonce, digest: hits.put(nonce)) as engine:
        with pytest.raises(Boom):
            engine.assign(ranges())
        engine.assign(iter([NonceRange(make_work(SHA256D), MAX_TARGET, 7, 1)]))
        assert hits.get(timeout=20) == 7
    assert hits.empty()


LARGE = Algorithm.parse("scrypt:1048576")


@pytest.mark.skipif(sys.platform == "win32", reason="flock is not Windows'")
def test_opening_ends_at_a_stop_while_another_holds_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("miner.engine.threads.LOCKS", tmp_path)
    held = try_lock(tmp_path / "sparkminer-memory.lock")
    assert held is not None
    opened, stop, threads = [], threading.Event(), threading.active_count()

    def open_engine() -> None:
        try:
            Engine(SCRYPT, settings(), on_hit=failing, stop=stop)
        except EngineStopped as error:
            opened.append(error)

    usable_kernels(SCRYPT)
    opening = threading.Thread(target=open_engine)
    opening.start()
    opening.join(0.3)
    assert opening.is_alive(), "it waits"
    stopped = time.monotonic()
    stop.set()
    opening.join(20)
    os.close(held)
    assert len(opened) == 1
    assert time.monotonic() - stopped < 5, "and not for the 30 seconds that it waits for others"
    assert threading.active_count() == threads


@pytest.mark.skipif(sys.platform == "win32", reason="flock is not Windows'")
def test_the_next_engine_takes_over_what_is_kept_and_hashes_nothing_of_the_last(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("miner.engine.threads.LOCKS", tmp_path)
    kept = settings(2, keep_seconds=3600.0)

    def scan_two_works(config: EngineConfig, stop: threading.Event | None = None) -> None:
        works, hits = (make_work(SCRYPT), make_work(SCRYPT)), queue.SimpleQueue[bytes]()
        with Engine(SCRYPT, config, on_hit=lambda work, nonce, digest: hits.put(work.extranonce2), stop=stop) as engine:
            for work, threads, hashes in zip(works, (2, 1), (128, 192), strict=True):
                engine.assign(iter([NonceRange(work, MAX_TARGET, 0, 64)] * threads))
                wait_for(lambda wanted=hashes: engine.hashes == wanted)
        found = [hits.get() for _ in range(hits.qsize())]
        assert [found.count(work.extranonce2) for work in works] == [128, 64] and len(found) == 192

    scan_two_works(kept)
    held, stop = try_lock(tmp_path / "sparkminer-memory.lock"), threading.Event()
    assert held is not None
    try:
        scan_two_works(kept)
        scan_two_works(kept)  # no memory to be taken: it doesn't wait for who takes memory now
        threading.Timer(0.3, stop.set).start()
        with pytest.raises(EngineStopped):
            scan_two_works(settings(3, keep_seconds=3600.0), stop)
        stop.clear()
        threading.Timer(0.3, stop.set).start()
        with pytest.raises(EngineStopped):
            scan_two_works(kept, stop)  # other settings came between, so it was given back
    finally:
        os.close(held)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_what_is_kept_is_given_back_when_nobody_comes_for_it() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    algorithm, config = Algorithm.parse("scrypt:262144"), settings(1, keep_seconds=0.5, kernel="portable")  # 32 MiB
    usable_kernels(algorithm, "portable")
    before = resident()
    with Engine(algorithm, config, on_hit=failing):
        assert resident() > before + (24 << 20)
    wait_for(lambda: resident() < before + (8 << 20))


def test_opening_ends_at_a_stop_while_threads_take_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, taken = threading.Event(), []
    real = Engine._take_memory

    def take(self: Engine, searcher: object) -> None:
        stop.set()
        while not self._closing:
            time.sleep(0.001)
        real(self, searcher)  # type: ignore[arg-type]
        taken.append(self)

    monkeypatch.setattr(Engine, "_take_memory", take)
    with pytest.raises(EngineStopped):
        Engine(LARGE, settings(2, kernel="portable"), on_hit=failing, stop=stop)
    assert len(taken) == 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("miner-")]


def test_memory_that_is_refused_while_it_is_taken_is_an_error_and_not_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "_take_memory", failing)
    with pytest.raises(Boom):
        Engine(SCRYPT, settings(2), on_hit=failing)


def test_threads_that_the_system_refuses_cost_only_these(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a number that was asked for it is an error, else a remark."""
    real, started = threading.Thread.start, []

    def start(self: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(self)
        real(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    monkeypatch.setattr("miner.engine.threads.usable_threads", lambda: 4)
    hits: queue.SimpleQueue[int] = queue.SimpleQueue()
    with Engine(SHA256D, settings(0), on_hit=lambda work, nonce, digest: hits.put(nonce)) as engine:
        assert engine.threads == 2
        assert any("no more than 2 of 4 threads" in remark for remark in engine.remarks)
        engine.assign(iter([NonceRange(make_work(SHA256D), MAX_TARGET, first, 1) for first in range(3)]))
        assert {hits.get(timeout=20) for _ in range(3)} == {0, 1, 2}
    started.clear()
    with pytest.raises(EngineError, match="4 threads: this system starts no more than 2"):
        Engine(SHA256D, settings(4), on_hit=failing)
    assert not any(thread.is_alive() for thread in started)


def cpu_seconds(thread: threading.Thread) -> float:
    """CPU time of a thread so far."""
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident or 0))


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="no clock for each thread here")
@pytest.mark.parametrize("algorithm", [SCRYPT, SHA256D], ids=str)
def test_a_limited_thread_takes_no_more_than_its_part_of_a_cpu(algorithm: Algorithm) -> None:
    """However busy the machine is, and with new work all the time; and it hashes all the same."""
    with Engine(algorithm, settings(2, cpu_limit=0.2), on_hit=lambda work, nonce, digest: None) as engine:
        hashing = [thread for thread in threading.enumerate() if re.fullmatch(r"miner-\d+", thread.name)]
        began, before = time.monotonic(), [cpu_seconds(thread) for thread in hashing]
        while time.monotonic() - began < 2.5:
            engine.assign(iter([NonceRange(make_work(algorithm), 0)] * 2))
            time.sleep(0.3)
        used = [cpu_seconds(thread) - earlier for thread, earlier in zip(hashing, before, strict=True)]
        parts = [seconds / (time.monotonic() - began) for seconds in used]
        assert len(parts) == 2
        assert all(0 < part < 0.3 for part in parts), parts
        assert engine.hashes > 0


def test_a_limited_thread_takes_new_work_and_ends_at_once() -> None:
    found = threading.Event()
    with Engine(SHA256D, settings(cpu_limit=0.01), on_hit=lambda work, nonce, digest: found.set()) as engine:
        engine.assign(iter([NonceRange(make_work(SHA256D), 0)]))
        wait_for(lambda: engine.hashes > 0)
        engine.assign(iter([NonceRange(make_work(SHA256D), MAX_TARGET)]))
        assert found.wait(20)

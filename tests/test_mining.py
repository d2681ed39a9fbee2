"""`miner.mine()` as an iterator: whoever lets go of it has stopped it, however they let go."""

import gc
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

import miner
from miner.core.errors import EngineError
from miner.core.events import Hashrate, MinerEvent, NewJob, Started, Totals
from miner.core.model import Job
from miner.engine.threads import NonceRange
from miner.mining import Mining
from miner.session import Session


def mining() -> Mining:
    """On a chain whose blocks are so rare that this is all work and no talk."""
    return miner.mine(sandbox=True, algorithm="scrypt:1024", threads=2, pin=False)


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("miner-")}


@pytest.fixture(autouse=True)
def nothing_goes_on() -> Iterator[None]:
    """After the test's own body: all its threads end, with nobody who stops them."""
    others = threads()  # what another test gave up may take a moment more
    yield
    deadline = time.monotonic() + 60
    while left := threads() - others:
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.01)


def works(event: MinerEvent) -> bool:
    return isinstance(event, NewJob)


def test_break() -> None:
    for event in mining():
        if works(event):
            break


def test_break_where_the_run_has_a_name() -> None:
    run = mining()
    for event in run:
        if works(event):
            break
    assert isinstance(list(run)[-1], Totals), "what it came to can still be read"


def test_an_error_in_the_loop() -> None:
    with pytest.raises(ZeroDivisionError):
        for event in mining():
            assert not works(event) or 1 / 0


def test_an_iterator_that_is_deleted() -> None:
    events = iter(mining())
    assert isinstance(next(events), Started)
    del events
    gc.collect()


def test_a_generator_that_is_left_in_a_ring_until_it_is_collected() -> None:
    ring: list[object] = [iter(mining())]
    next(ring[0])  # type: ignore[call-overload]
    ring.append(ring)
    del ring
    gc.collect()


def test_a_run_that_nobody_holds_any_more() -> None:
    run = mining()
    run.__enter__()
    del run
    gc.collect()


@pytest.mark.parametrize("wanted", [Started, Totals])
def test_ctrl_c_while_it_waits(wanted: type) -> None:
    """The main thread waits for an event that is far away, inside next()."""
    events = iter(miner.mine(sandbox=True, algorithm="scrypt:16384", kernel="portable", threads=1, pin=False))
    at_work = threading.Event()

    def interrupt() -> None:
        at_work.wait(200)  # should it take longer, what follows fails, and nothing waits for ever
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    killer = threading.Thread(target=interrupt)
    killer.start()
    with pytest.raises(KeyboardInterrupt):
        for event in events:
            if wanted is Started or works(event):
                at_work.set()
    killer.join()
    assert next(events, None) is None, "it is over, though somebody still holds it"


def test_a_context_keeps_the_run_going_when_a_loop_inside_ends() -> None:
    with mining() as run:
        for event in run:
            if works(event):
                break
        assert isinstance(next(event for event in run if isinstance(event, Hashrate)), Hashrate)


def test_a_thread_that_the_system_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(EngineError, match="starts no more threads"):
        next(iter(mining()))


def test_what_an_engine_thread_raises_is_raised_where_the_events_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def ranges(self: Session, job: Job) -> Iterator[NonceRange]:
        for first in range(3):  # the threads draw the third
            yield NonceRange(job.work(bytes(job.extranonce2_size)), 0, first, 1)
        raise OverflowError("no such time")

    monkeypatch.setattr(Session, "_ranges", ranges)
    events: list[MinerEvent] = []
    with pytest.raises(OverflowError, match="no such time"):
        events.extend(mining())


def test_a_run_ends_with_the_blocks_that_were_wanted() -> None:
    with miner.mine(sandbox=True, algorithm="scrypt:16", threads=1, pin=False, blocks=2) as mining:
        totals = [event for event in mining if isinstance(event, Totals)]
    assert [total.blocks for total in totals] == [2]

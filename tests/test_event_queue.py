"""The queue between who finds something out and who reads it: bounded, and nothing that matters is lost in silence."""

import asyncio
import dataclasses
import threading
import time

import pytest

from hub_players import make_job
from miner.core.events import Hashrate, MinerEvent, NewJob, Trouble
from miner.core.source import Connecting, Disconnected, Notice, SourceEvent, Unread
from miner.event_queue import RESULTS, EventQueue

JOB = make_job()


def drained(events: EventQueue[MinerEvent]) -> list[MinerEvent]:
    left = []
    while (event := events.take(0)) is not None:
        left.append(event)
    return left


def test_events_come_in_their_order() -> None:
    events: EventQueue[MinerEvent] = EventQueue()
    put: list[MinerEvent] = [Hashrate(0, 1, 1.0), Trouble("a", False), NewJob(JOB, True), Notice("b"),
                             Disconnected("c", 1.0)]
    for event in put:
        events.put(event)
    assert drained(events) == put


def test_talk_goes_first_the_oldest_of_it() -> None:
    events: EventQueue[MinerEvent] = EventQueue(4)
    for number in range(10):
        events.put(Hashrate(0, number, 1.0))
        if number % 5 == 4:
            events.put(Trouble(str(number), False))
    assert drained(events) == [Trouble("4", False), Hashrate(0, 8, 1.0), Hashrate(0, 9, 1.0), Trouble("9", False)]


def test_of_jobs_the_newest_waits_and_restarts_what_those_before_it_would() -> None:
    events: EventQueue[SourceEvent] = EventQueue()
    told: EventQueue[MinerEvent] = EventQueue()
    for number in range(1000):
        job = dataclasses.replace(JOB, job_id=str(number), clean=number == 7)
        events.put(job)
        told.put(NewJob(job, number == 7))
    newest = dataclasses.replace(JOB, job_id="999", clean=True)
    assert [events.take(0), events.take(0)] == [newest, None]
    assert drained(told) == [NewJob(dataclasses.replace(newest, clean=False), True)]


def test_results_that_nobody_ever_reads_are_counted_in_the_end() -> None:
    events: EventQueue[MinerEvent] = EventQueue(4)
    for number in range(RESULTS * 4 + 10):
        events.put(Trouble(str(number), False))
        events.put(Connecting("a pool", "x"))
    left = drained(events)
    assert left[0] == Unread(10)
    assert left[1:] == [Trouble(str(number), False) for number in range(10, RESULTS * 4 + 10)]
    assert drained(events) == []


def test_who_waits_gets_what_another_thread_puts_and_the_end() -> None:
    events: EventQueue[MinerEvent] = EventQueue()
    got: list[list[MinerEvent]] = [[], []]

    def read(mine: list[MinerEvent]) -> None:
        while (event := events.take()) is not None:
            mine.append(event)

    readers = [threading.Thread(target=read, args=(mine,)) for mine in got]
    for reader in readers:
        reader.start()
    for number in range(500):
        events.put(Trouble(str(number), False))
    events.close()
    for reader in readers:
        reader.join(20)
    assert sorted(int(event.message) for event in got[0] + got[1] if isinstance(event, Trouble)) == list(range(500))


def test_a_task_waits_as_well_and_loses_nothing_when_it_is_cancelled() -> None:
    async def scenario() -> None:
        events: EventQueue[MinerEvent] = EventQueue()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(events.get(), 0.01)
        threading.Timer(0.05, events.put, [Notice("from a thread")]).start()
        assert await asyncio.wait_for(events.get(), 20) == Notice("from a thread")
        reading = asyncio.create_task(events.get())
        await asyncio.sleep(0)
        events.put(Notice("late"))
        reading.cancel()
        await asyncio.wait([reading])
        events.close()
        assert [await events.get(), await events.get()] == [Notice("late"), None]

    asyncio.run(scenario())


def test_a_wait_that_is_too_long_ends() -> None:
    started = time.monotonic()
    assert EventQueue[MinerEvent]().take(0.05) is None
    assert time.monotonic() - started >= 0.05

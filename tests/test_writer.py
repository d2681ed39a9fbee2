"""Lines on their way out: what waits for others, and what doesn't."""

import threading

from miner.front.writer import Writer

LIMIT = 60.0  # seconds for what should happen at once


def test_texts_that_linger_are_written_together_in_their_order() -> None:
    written: list[str] = []
    writer = Writer(written.append, linger=LIMIT)
    for number in range(50):
        writer.put(f"{number}\n")
    assert writer.drain(LIMIT), "an end waits for nothing"
    assert "".join(written) == "".join(f"{number}\n" for number in range(50))
    assert len(written) < 5


def test_enough_of_them_wait_no_longer() -> None:
    there = threading.Event()
    writer = Writer(lambda text: there.set(), linger=LIMIT)
    for _ in range(250):
        writer.put("line\n")
    assert there.wait(LIMIT / 2)


def test_those_that_cant_be_written_are_counted() -> None:
    written: list[str] = []
    full = True

    def write(text: str) -> None:
        if full:
            raise OSError("no space left")
        written.append(text)

    writer = Writer(write, linger=0.001, missing=lambda count: f"{count} lost\n")
    for _ in range(7):
        writer.put("lost\n")
    assert writer.drain(LIMIT)
    full = False
    writer.put("there\n")
    assert writer.drain(LIMIT)
    assert "".join(written) == "7 lost\nthere\n" and writer.error is not None

"""Python's garbage collector in a process with thousands of connections."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (50_000, 50, 100)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect seldom, and leave alone what is there now. A full collection looks at every object of every connection, a
    pause of some tenths of a second with 10,000 of them, and finds next to nothing: what a share or a connection leaves
    behind is freed by its reference counts. Collections of the young go on, every 50,000 new objects; a full one comes
    after 250 million. For a process that does nothing else."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()

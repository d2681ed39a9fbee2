"""spark-submit's JVM, which hears a terminal's Ctrl-C with this process and would end first: executors would lose their
tasks before their last reports, and what Python prints, which goes through that JVM, would be lost.

So the JVM is given two shutdown hooks that come before all of Spark's. The first says that it wants to end; the second
waits until this process is done. Both are threads of Spark's own that copy a stream: to a named pipe, and from another
one, whose end comes with that of this process, however that ends.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PRIORITY = 1000  # Spark's own hooks have 100 at most; higher ones come first
_PATIENCE = 20  # seconds that the JVM waits for this process


def stay_until_done(jvm: Any, directory: Path, stop: Callable[[], None]) -> None:
    """Make the JVM stay for as long as this process does its last things, and call `stop`, in a thread of its own, when
    the JVM wants to end or has ended. The pipes are made in `directory`."""
    if jvm.java.lang.System.getProperty("spark.submit.deployMode") == "cluster" or not hasattr(os, "mkfifo"):
        return  # a cluster manager that ends a driver's container has no patience
    wish, done = directory / "jvm-wants-to-end", directory / "driver-is-done"
    for pipe in (wish, done):
        os.mkfifo(pipe, 0o600)
    hearing = os.open(wish, os.O_RDONLY | os.O_NONBLOCK)  # which waits for no writer
    os.open(done, os.O_RDWR)  # closed by the end of this process
    copying, streams = jvm.org.apache.spark.util.RedirectThread, jvm.java.io
    hooks = jvm.org.apache.hadoop.util.ShutdownHookManager.get()
    telling = copying(streams.ByteArrayInputStream(bytearray(1)), streams.FileOutputStream(str(wish)),
                      "sparkminer-wish", True)
    waiting = copying(streams.FileInputStream(str(done)), streams.ByteArrayOutputStream(), "sparkminer-done", False)
    hooks.addShutdownHook(telling, _PRIORITY + 1)
    hooks.addShutdownHook(waiting, _PRIORITY, _PATIENCE, jvm.java.util.concurrent.TimeUnit.SECONDS)
    threading.Thread(target=_hear, args=(hearing, stop), name="miner-spark-jvm", daemon=True).start()


def _hear(hearing: int, stop: Callable[[], None]) -> None:
    os.set_blocking(hearing, True)
    os.read(hearing, 1)  # a byte, or the end where the JVM was killed
    stop()

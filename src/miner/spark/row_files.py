"""Appends a run's leases and shares to Parquet files while it runs.

Below the path that was given, each kind of row has a folder, and in it each run one of its own, named as Spark names
partitions, so that the next run adds to what is there::

    PATH/leases/run=20260102T030405Z-1f2e3d4c/part-00000.parquet
    PATH/shares/run=20260102T030405Z-1f2e3d4c/part-00000.parquet
"""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from miner.core.errors import MinerError
from miner.spark.parquet import ParquetFiles, check_place
from miner.spark.records import LeaseRow, ShareRow

if TYPE_CHECKING:
    from pyspark import SparkContext

Row: TypeAlias = LeaseRow | ShareRow

_FOLDERS: dict[type, str] = {LeaseRow: "leases", ShareRow: "shares"}
_LEAST_SECONDS = 10.0  # between two files of a kind,
_PART = 0.01  # or this part of the time that the run has taken so far, where that is longer: few files, little to lose
_MANY = 1000  # rows, which are written at once
_KEPT = 100_000  # rows that wait where nothing can be written
_END_SECONDS = 60.0  # for the last rows


class RowFiles:
    """Rows on their way to their files. Whoever puts one never waits.

    path     where Spark can write; raises UsageError where it can't make a folder there
    trouble  is called, in a thread of its own, with why rows could not be written, when that begins; they are kept
             within bounds, and tried again
    """

    def __init__(self, context: "SparkContext", path: str, trouble: Callable[[str], None]) -> None:
        check_place(context, path)
        self._files, self._path, self._trouble = ParquetFiles(context), path.rstrip("/"), trouble
        self._run = f"run={time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(4)}"
        self._rows: dict[type, deque[Row]] = {kind: deque() for kind in _FOLDERS}
        self._written = dict.fromkeys(_FOLDERS, 0)  # files, by kind
        self._lost = 0
        self._failing: dict[type, MinerError] = {}  # why the rows of a kind could not be written last time
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._write_regularly, name="miner-spark-rows", daemon=True)
        self._thread.start()

    def put(self, row: Row) -> None:
        """Have a row written soon. Beyond 100,000 of a kind that wait, the oldest is dropped and counted."""
        with self._changed:
            self._rows[type(row)].append(row)
            self._bound(type(row))
            self._changed.notify()

    def close(self) -> None:
        """Write the last rows. Raises MinerError where rows are missing in the files."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_END_SECONDS)
        if self._thread.is_alive():
            raise MinerError(f"the last rows are not in {self._path!r}: that takes more than {_END_SECONDS:.0f} s")
        for error in self._failing.values():
            raise error
        if self._lost:
            raise MinerError(f"{self._lost} rows are missing in {self._path!r}: for a time nothing could be written")

    def _write_regularly(self) -> None:
        started = time.monotonic()
        last = False
        while not last:
            pause = max(_LEAST_SECONDS, _PART * (time.monotonic() - started))
            with self._changed:  # what failed waits for its time, however many rows there are
                self._changed.wait_for(lambda: self._closing or self._many() and not self._failing, pause)
                last = self._closing
            for kind in _FOLDERS:
                self._write(kind)

    def _many(self) -> bool:
        return any(len(rows) >= _MANY for rows in self._rows.values())

    def _write(self, kind: type) -> None:
        """Write what waits of a kind, if there is something."""
        with self._changed:
            rows = list(self._rows[kind])
            self._rows[kind].clear()
        if not rows:
            return
        path = f"{self._path}/{_FOLDERS[kind]}/{self._run}/part-{self._written[kind]:05}.parquet"
        try:
            self._files.write(path, kind, rows)
        except MinerError as error:
            if not self._failing:
                self._trouble(str(error))
            self._failing[kind] = error
            with self._changed:
                self._rows[kind].extendleft(reversed(rows))
                self._bound(kind)
        else:
            self._failing.pop(kind, None)
            self._written[kind] += 1

    def _bound(self, kind: type) -> None:
        while len(self._rows[kind]) > _KEPT:
            self._rows[kind].popleft()
            self._lost += 1

"""A screening as a DataFrame: one row for each CPU, units in the schema's metadata."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from miner.core.screening import Medians, Mismatch, Screening
from miner.front.screen_report import cpu_fields, mismatch_fields

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructField, StructType

_H_S, _HERTZ, _SECONDS = "hash per second of CPU time", "hertz", "second"


def screening_frame(spark: "SparkSession", result: Screening, time: float) -> "DataFrame":
    """The DataFrame of a screening that ended at `time` (seconds since 1970): one row for each CPU, with its kernels
    and its first mismatches as arrays. Names are those that JSON has (docs/screening.md)."""
    medians = Medians(result.cpus)
    ended = datetime.fromtimestamp(time, UTC)
    rows: list[dict[str, Any]] = [
        {"time": ended, "seed": result.seed} | cpu_fields(cpu, medians)
        | {"mismatches_told": [_told(mismatch) for mismatch in cpu.mismatches]} for cpu in result.cpus]
    return spark.createDataFrame(rows, screening_schema())


def _told(mismatch: Mismatch) -> dict[str, Any]:
    return {"time": datetime.fromtimestamp(mismatch.time, UTC)} | mismatch_fields(mismatch)


def screening_schema() -> "StructType":
    """The schema of `screening_frame`. It is fixed, so that runs can be appended to one table."""
    from pyspark.sql.types import (
        ArrayType,
        BooleanType,
        DoubleType,
        IntegerType,
        LongType,
        StringType,
        StructType,
        TimestampType,
    )

    text, number, real, count, truth = StringType(), IntegerType(), DoubleType(), LongType(), BooleanType()
    throttling = StructType([
        _field("core_events", count), _field("package_events", count), _field("core_seconds", real, _SECONDS),
        _field("package_seconds", real, _SECONDS), _field("thermal_interrupts", count),
        _field("machine_checks", count), _field("quota_seconds", real, _SECONDS)])
    kernel = StructType([
        _field("algorithm", text), _field("kernel", text), _field("hashes", count), _field("mismatches", count),
        _field("hashrate_hashes_per_second", real, _H_S),
        _field("from_median", real, "1: 0.05 is 5% above the median of the CPU's model"),
        _field("clock_hertz", real, _HERTZ)])
    mismatch = StructType([
        _field("time", TimestampType()), _field("host", text), _field("cpu", number), _field("model", text),
        _field("microcode", text), _field("algorithm", text), _field("kernel", text), _field("header", text),
        _field("nonce", count), _field("target_top", text), _field("expected_top", text),
        _field("expected_top_again", text), _field("expected_hit", truth), _field("got_hit", truth),
        _field("portable_erred", truth), _field("again", number), _field("tries", number)])
    return StructType([
        _field("time", TimestampType()), _field("seed", count), _field("host", text), _field("cpu", number),
        _field("model", text), _field("microcode", text), _field("seconds", real, _SECONDS),
        _field("cpu_seconds", real, _SECONDS), _field("rounds", count), _field("hashes", count),
        _field("mismatches", count), _field("clock_lowest_hertz", real, _HERTZ),
        _field("clock_highest_hertz", real, _HERTZ), _field("throttling", throttling), _field("remark", text),
        _field("kernels", ArrayType(kernel)), _field("mismatches_told", ArrayType(mismatch))])


def _field(name: str, kind: Any, unit: str = "") -> "StructField":
    from pyspark.sql.types import StructField

    return StructField(name, kind, nullable=True, metadata={"unit": unit} if unit else None)

"""A job's records as DataFrames, with units in the schema's metadata. They lie on the driver: making and showing one
needs no Spark job, which would have to wait for the miners' tasks to end."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

_TYPES = {str: "STRING", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}
_UNITS = {"started": "seconds since 1970", "time": "seconds since 1970", "seconds": "second", "latency": "second",
          "hashrate": "hash per second", "hashes": "hash"}


def record_type(kind: type) -> "StructType":
    """The schema of records, dataclasses of this kind: a column for each field, with its unit in the metadata."""
    from pyspark.sql.types import BooleanType, DataType, DoubleType, LongType, StringType, StructField, StructType

    types: dict[type, type[DataType]] = {str: StringType, int: LongType, float: DoubleType, bool: BooleanType}
    return StructType([StructField(field.name, types[_type(field)](), metadata=_unit(field.name))
                       for field in dataclasses.fields(kind)])


def frame(spark: "SparkSession", kind: type, rows: Sequence[Any]) -> "DataFrame":
    """A DataFrame of these rows, dataclasses of this kind, with a column for each field."""
    from pyspark.sql.functions import col

    fields = dataclasses.fields(kind)
    names = ", ".join(f"`{field.name}`" for field in fields)
    empty = ", ".join(f"CAST(NULL AS {_TYPES[_type(field)]})" for field in fields)
    values = ", ".join(f"({', '.join(_literal(getattr(row, field.name)) for field in fields)})" for row in rows)
    table = spark.sql(f"SELECT * FROM VALUES {values or f'({empty})'} AS rows({names})")
    return (table if rows else table.limit(0)).select(
        *(col(field.name).alias(field.name, metadata=_unit(field.name)) for field in fields))


def _unit(name: str) -> dict[str, str]:
    return {"unit": _UNITS[name]} if name in _UNITS else {}


def _type(field: "dataclasses.Field[Any]") -> type:
    assert isinstance(field.type, type), "records have plain fields"
    return field.type


def _literal(value: str | float | bool) -> str:
    """A value as SQL. Text is given by its bytes: what is in it is never read as SQL."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return f"CAST({value} AS BIGINT)"
        case float():
            return f"CAST({value!r} AS DOUBLE)"
    return f"CAST(X'{value.encode().hex()}' AS STRING)"

"""Appends rows to Parquet files from the driver itself: a Spark job for it would have to wait for a place among the
miners' tasks. The files' format is Parquet's own example writer's, which comes with every Spark."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from miner.core.errors import MinerError, UsageError
from miner.spark.frames import record_type
from miner.spark.words import exception_words

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql.types import StructType

_PARQUET_TYPES = {"string": "binary {} (STRING)", "long": "int64 {}", "double": "double {}", "boolean": "boolean {}"}
_SPARK_SCHEMA = "org.apache.spark.sql.parquet.row.metadata"  # where Spark looks for a file's columns and their units

# All rows of a file in one call: Python calls Java a thousand times a second at most. Compiled by the compiler that
# Spark has for its queries. A reader passes over files whose name begins with a dot, and so never sees half a file.
_WRITER = """
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroupFactory;
import org.apache.parquet.hadoop.ParquetFileWriter;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;

public void write(String place, Configuration conf, String columns, String key, String meaning, String rows)
        throws IOException {
    MessageType type = MessageTypeParser.parseMessageType(columns);
    SimpleGroupFactory groups = new SimpleGroupFactory(type);
    Path path = new Path(place);
    Path unfinished = new Path(path.getParent(), "." + path.getName());
    ParquetWriter writer = ((ExampleParquetWriter.Builder) ((ExampleParquetWriter.Builder)
        ExampleParquetWriter.builder(unfinished).withConf(conf)).withType(type)
        .withExtraMetaData(Collections.singletonMap(key, meaning))
        .withWriteMode(ParquetFileWriter.Mode.OVERWRITE)
        .withCompressionCodec(CompressionCodecName.SNAPPY)).build();
    Iterator each = ((List) new ObjectMapper().readValue(rows, List.class)).iterator();
    while (each.hasNext()) {
        List row = (List) each.next();
        Group group = groups.newGroup();
        for (int field = 0; field < row.size(); field++) {
            Object value = row.get(field);
            if (value instanceof Boolean) group.add(field, ((Boolean) value).booleanValue());
            else if (value instanceof String) group.add(field, (String) value);
            else if (value instanceof Double) group.add(field, ((Double) value).doubleValue());
            else group.add(field, ((Number) value).longValue());
        }
        writer.write(group);
    }
    writer.close();
    if (!path.getFileSystem(conf).rename(unfinished, path)) throw new IOException("can't rename " + unfinished);
}
"""


def check_place(context: "SparkContext", path: str) -> None:
    """Make the folder that rows are to be appended to. Raises UsageError where Spark can't."""
    jvm: Any = context._jvm
    try:
        place = jvm.org.apache.hadoop.fs.Path(path)
        made = place.getFileSystem(context._jsc.hadoopConfiguration()).mkdirs(place)
        reason = "there can be no such folder"
    except Exception as error:
        made, reason = False, exception_words(error)
    if not made:
        raise UsageError(f"rows can't be written to {path!r}: {reason}")


class ParquetFiles:
    """Writes files of rows, dataclasses of plain fields, to whatever place Spark can write to. Not for two threads at a
    time."""

    def __init__(self, context: "SparkContext") -> None:
        self._context = context
        self._writer: Any = None

    def write(self, path: str, kind: type, rows: Sequence[Any]) -> None:
        """Write a new file with these rows of this kind; folders are made. Raises MinerError, in one line, where Spark
        can't."""
        columns = record_type(kind)
        values = [[getattr(row, column.name) for column in columns] for row in rows]
        try:
            self._writer = self._writer or self._compile()
            self._writer.write(path, self._context._jsc.hadoopConfiguration(), _message(columns), _SPARK_SCHEMA,
                               columns.json(), json.dumps(values))
        except Exception as error:
            raise MinerError(f"can't write the rows to {path!r}: {exception_words(error)}") from error

    def _compile(self) -> Any:
        jvm: Any = self._context._jvm
        compiler = jvm.org.codehaus.janino.ClassBodyEvaluator()
        compiler.setParentClassLoader(jvm.java.lang.Thread.currentThread().getContextClassLoader())
        compiler.cook(_WRITER)
        return compiler.getClazz().newInstance()


def _message(columns: "StructType") -> str:
    """The columns as Parquet describes them."""
    fields = (f"optional {_PARQUET_TYPES[column.dataType.typeName()].format(column.name)};" for column in columns)
    return f"message row {{ {' '.join(fields)} }}"

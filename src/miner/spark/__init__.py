"""Mining on a Spark cluster. The only place that imports pyspark."""

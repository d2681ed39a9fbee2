"""The Spark job, on real Spark: local modes, and a standalone cluster of processes."""

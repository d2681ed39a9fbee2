"""What people type and read, for the command line and the Spark job: options, lines, streams, signals."""

"""What people type and read, for the command line and the Spark job alike: options, lines, streams, signals."""

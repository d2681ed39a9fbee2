#!/bin/bash
# What Spark has Kubernetes run in an executor's pod before the pod is stopped, where decommissioning is on: in place of
# the script of Spark's own images. tini hands the signal on to the executor, which leaves when its tasks have ended.
kill -s PWR 1
tail --pid=1 -f /dev/null

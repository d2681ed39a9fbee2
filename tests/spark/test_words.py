"""What is told of Spark's errors: the line that matters."""

from miner.spark.words import exception_words, last_log_error, task_failure, why_ended

PYTHON = """org.apache.spark.api.python.PythonException: [PYTHON_EXCEPTION] Thrown: Traceback (most recent call last):
  File "worker.py", line 10, in main
    process()
ValueError: the first

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "partition.py", line 20, in _mine
miner.core.errors.EngineError: no kernel 'x' for scrypt: it has avx2
 SQLSTATE: 38000
\tat org.apache.spark.api.python.BasePythonRunner.handle(PythonRunner.scala:1097)
\tat java.base/java.lang.Thread.run(Thread.java:840)
"""


def test_task_failure() -> None:
    assert task_failure(PYTHON) == "miner.core.errors.EngineError: no kernel 'x' for scrypt: it has avx2"
    assert task_failure("ExecutorLostFailure (executor 1 exited)\nmore") == "ExecutorLostFailure (executor 1 exited)"
    assert task_failure("") == "no reason given"
    assert len(task_failure("x" * 10_000)) <= 300


def test_a_container_killed_for_memory() -> None:
    lost = ("ExecutorLostFailure (executor 3 exited caused by one of the running tasks) Reason: Container killed by "
            "YARN for exceeding physical memory limits. 1.6 GB of 896 MB physical memory used. Consider boosting "
            "spark.executor.memoryOverhead.")
    fix = "give executors more (spark.executor.memoryOverhead=…), or let the miner take less (`memory_limit=256M`)"
    assert task_failure(lost) == (
        f"YARN killed executor-3 for its memory, which took 1.6 GB where 896 MB are allowed: {fix}")
    assert task_failure(lost.replace("1.6 GB of 896 MB physical memory used.", "")) == (
        f"YARN killed executor-3 for its memory: {fix}")


def test_exception_words() -> None:
    jvm = "An error occurred while calling o128.collect.\n: java.lang.IllegalStateException: stopped\n\tat x"
    assert exception_words(RuntimeError(jvm)) == "java.lang.IllegalStateException: stopped"
    causes = "\nCaused by: a.Wrapper\n\tat a.b(c:3)\nCaused by: a.Why: forbidden"
    assert exception_words(RuntimeError(jvm + causes)) == (
        "java.lang.IllegalStateException: stopped, because of a.Why: forbidden")
    assert exception_words(RuntimeError("one\ntwo")) == "one"
    assert exception_words(RuntimeError()) == "RuntimeError"


def test_last_log_error() -> None:
    log = ("26/11/22 15:00:01 ERROR Standalone: first\n26/11/22 15:00:02 ERROR Standalone: Giving up.\n"
           "26/11/22 15:00:03 WARN Utils: a warning\n26/11/22 15:00:03 INFO X: something\n")
    assert last_log_error(log) == "Standalone: Giving up."
    assert last_log_error("26/11/22 15:00:03 WARN Utils: a warning\n") == "Utils: a warning"
    assert last_log_error('Exception in thread "main" java.lang.NumberFormatException: 1q\n\tat x\n') == \
        "java.lang.NumberFormatException: 1q"
    assert last_log_error("all is well") == ""


def test_why_a_cluster_ended_the_job() -> None:
    log = ("26/11/27 21:00:00 ERROR YarnClientSchedulerBackend: YARN application has exited unexpectedly with state "
           "KILLED! Check the YARN application logs for more details.\n"
           "26/11/27 21:00:00 ERROR YarnClientSchedulerBackend: Diagnostics message: Application application_1_0001 "
           "was killed by user alice at 10.0.0.1\n26/11/27 21:00:00 ERROR TransportClient: Failed to send RPC\n")
    assert why_ended(log) == "Application application_1_0001 was killed by user alice at 10.0.0.1"
    assert why_ended(log.splitlines()[0]) == "YARN application has exited unexpectedly with state KILLED!"
    assert why_ended("26/11/27 21:00:00 ERROR StandaloneSchedulerBackend: Application has been killed. Reason: Master "
                     "removed our application: KILLED\n").endswith("Master removed our application: KILLED")
    assert why_ended("26/11/27 21:00:00 ERROR TaskSchedulerImpl: Lost executor 1\n") == ""

"""What Spark says when something goes wrong, cut down to the line that matters. Does no I/O."""

import re

_MAX = 300
_VERSIONS = re.compile(r"PYTHON_VERSION_MISMATCH\]\s+Python in worker has different version:? \(?([\d., ]+?)\)? "
                       r"than that in driver:? \(?([\d., ]+?)\)?, PySpark")
# Of a task whose executor's container YARN has killed: that executor, and what it took of what it had asked for.
_MEMORY = re.compile(r"ExecutorLostFailure \(executor (\w+) .*Container killed by YARN for exceeding physical memory "
                     r"limits\.\s+(?:([\d.,]+ [KMGT]?B) of ([\d.,]+ [KMGT]?B))?")
# A YARN client's and a standalone driver's words when the cluster has ended the application.
_ENDED = (r"ERROR \S+: Diagnostics message: (.+)$", r"ERROR \S+: (YARN application has exited .+?!)",
          r"ERROR \S+: (Application has been killed\. Reason: .+)$")
_CAUSE = "Caused by: "
_NOISE = re.compile(r"(Traceback \(|During handling of|The above exception|\s|$)")


def task_failure(message: str) -> str:
    """Why a task failed, from its message: the error of a Python traceback, which Spark wraps in Java's, else the first
    line."""
    if versions := _VERSIONS.search(message):
        worker, driver = (version.replace(", ", ".") for version in versions.groups())
        return (f"the executors' Python is {worker} and the driver's is {driver}, and Spark wants one minor version "
                f"on both: name a Python {driver} that executors have (spark.pyspark.python=…), or start the "
                f"driver with a Python {worker}")
    if killed := _MEMORY.search(message):
        executor, used, allowed = killed.groups()
        amount = f", which took {used} where {allowed} are allowed" if used else ""
        return (f"YARN killed executor-{executor} for its memory{amount}: give executors more "
                "(spark.executor.memoryOverhead=…), or let the miner take less (`memory_limit=256M`)")
    ours, traceback, rest = message.partition("Traceback (most recent call last):")
    if traceback:
        python = rest.partition("\n\tat ")[0]
        errors = [line for line in python.splitlines() if not _NOISE.match(line)]
        if errors:
            return errors[-1][:_MAX]
    return (ours.strip().splitlines() or ["no reason given"])[0][:_MAX]


def exception_words(error: BaseException) -> str:
    """The first line of an error; of one that the JVM raised, the JVM's own words, and the innermost cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("An error occurred while calling"):
        causes = [line.removeprefix(_CAUSE)[:_MAX] for line in lines if line.startswith(_CAUSE)]
        return ", because of ".join([lines[1].removeprefix(": ")[:_MAX], *causes[-1:]])
    return lines[0][:_MAX] if lines else type(error).__name__


def last_log_error(log: str) -> str:
    """The newest error in Spark's log, else the newest warning, without time and level; empty if there is none."""
    for pattern in (r"^[\d/]+ [\d:]+ ERROR (.+)$", r"^(?:Exception in thread \S+ |Error: |Error occurred .*?: )(.+)$",
                    r"^[\d/]+ [\d:]+ WARN (.+)$"):
        found = re.findall(pattern, log, re.MULTILINE)
        if found:
            return str(found[-1])[:_MAX]
    return ""


def why_ended(log: str) -> str:
    """What Spark's log says of an application that its cluster has ended; empty if it hasn't."""
    for pattern in _ENDED:
        if found := re.findall(pattern, log, re.MULTILINE):
            return str(found[-1])[:_MAX]
    return ""

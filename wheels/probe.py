"""Run by check.py with an installed wheel, on whatever Python: every kernel that the CPU offers answers right, in
several threads at once. Nothing but the wheel and the smallest standard library is needed: what to search, and the
right answers, come from outside, as JSON.
"""

import json
import platform
import sys
import sysconfig
import threading

from miner import _native
from miner.core.algorithm import Algorithm
from miner.engine.kernels import usable_kernels

THREADS = 4


def search(algorithm: Algorithm, kernel: str, header: bytes, target: bytes, nonces: int) -> list[int]:
    searcher, epoch = _native.Searcher(algorithm.name, algorithm.parameters, kernel), _native.Epoch()
    hits: list[int] = []
    done = 0
    while done < nonces:
        found, more = searcher.search(header, target, done, nonces - done, epoch, 0)
        hits += [nonce for nonce, _ in found]
        done += more
    return hits


def check(algorithm: Algorithm, kernel: str, task: dict[str, str], expected: list[int]) -> None:
    assert _native.selftest(algorithm.name, kernel), (algorithm, kernel)
    header, target = bytes.fromhex(task["header"]), bytes.fromhex(task["target"])
    answers: list[list[int]] = []
    threads = [threading.Thread(target=lambda: answers.append(
        search(algorithm, kernel, header, target, int(task["nonces"])))) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [expected] * THREADS, (algorithm, kernel, answers)


def main() -> None:
    task = json.loads(sys.argv[1])
    kernels = []
    for text, expected in task["expected"]:
        algorithm = Algorithm.parse(text)
        runnable = _native.kernels(algorithm.name)
        for kernel in runnable:
            check(algorithm, kernel, task, expected)
        kernels.append(f"{algorithm.name} {', '.join(runnable)}, chosen {usable_kernels(algorithm)[0]}")
    gil = ""
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        assert not sys._is_gil_enabled(), "importing the module has brought the GIL back"
        gil = " without the GIL"
    print(f"Python {platform.python_version()}{gil} on {platform.machine()}: {'; '.join(kernels)}")


if __name__ == "__main__":
    main()

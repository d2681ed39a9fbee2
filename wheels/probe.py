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
from miner.engine.kernels import candidates

THREADS = 4


def search(name: str, n: int, kernel: str, header: bytes, target: bytes, nonces: int) -> list[int]:
    searcher, epoch = _native.Searcher(name, n, kernel), _native.Epoch()
    hits: list[int] = []
    done = 0
    while done < nonces:
        found, more = searcher.search(header, target, done, nonces - done, epoch, 0)
        hits += [nonce for nonce, _ in found]
        done += more
    return hits


def check(name: str, n: int, kernel: str, task: dict[str, str], expected: list[int]) -> None:
    assert _native.selftest(name, kernel), (name, kernel)
    header, target = bytes.fromhex(task["header"]), bytes.fromhex(task["target"])
    answers: list[list[int]] = []
    threads = [threading.Thread(target=lambda: answers.append(
        search(name, n, kernel, header, target, int(task["nonces"])))) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [expected] * THREADS, (name, kernel, answers)


def main() -> None:
    task = json.loads(sys.argv[1])
    kernels = []
    for name, n, expected in task["expected"]:
        for kernel in _native.kernels(name):
            check(name, n, kernel, task, expected)
        chosen = candidates(Algorithm(name, n))[0]
        kernels.append(f"{name} {', '.join(_native.kernels(name))}, chosen {chosen}")
    gil = ""
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        assert not sys._is_gil_enabled(), "importing the module has brought the GIL back"
        gil = " without the GIL"
    print(f"Python {platform.python_version()}{gil} on {platform.machine()}: {'; '.join(kernels)}")


if __name__ == "__main__":
    main()

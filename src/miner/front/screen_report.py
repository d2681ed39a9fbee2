"""What a screening of CPUs tells, as lines for people and as JSON lines for programs. Does no I/O, reads no clock."""

from collections.abc import Iterator
from dataclasses import asdict

from miner import __version__
from miner.core.screening import (
    ClusterScreenStarted,
    CpuScreening,
    KernelScreening,
    Medians,
    Mismatch,
    ScreenEvent,
    Screening,
    ScreenProgress,
    ScreenStarted,
    Throttling,
)
from miner.front.event_json import json_line
from miner.front.naming import own_words
from miner.front.report import counted, hashrate_text, table

SLOW = -0.1  # from the median of its model: what a line calls slow,
_LEAST_CPUS = 3  # where the median is of as many CPUs at least


def event_lines(event: ScreenEvent) -> Iterator[str]:
    """An event as lines for people."""
    match event:
        case ScreenStarted():
            kernels = "; ".join(f"{algorithm}: {', '.join(names)}" for algorithm, names in event.kernels)
            yield (f"Screening {counted(len(event.cpus), 'CPU')} of {event.host}, {event.threads} at a time, for "
                   f"{event.seconds:g} seconds. {kernels}")
            yield _seed(event.seed)
            yield from remark_lines(event)
        case ClusterScreenStarted():
            there = (f"{counted(event.executors, 'executor')} with {counted(event.cores, 'core')} on "
                     f"{counted(event.hosts, 'host')}") if event.executors else "executors that Spark makes on demand"
            yield f"Screening {there} for {event.seconds:g} seconds"
            yield _seed(event.seed)
        case ScreenProgress():
            yield (f"{event.seconds:.0f} seconds, {counted(event.rounds, 'round')} of all kernels on each CPU: "
                   f"{event.hashes} hashes compared, {mismatches_text(event.mismatches)}")
        case Mismatch():
            yield mismatch_line(event)


def _seed(seed: int) -> str:
    return f"Seed {seed}: with --seed={seed} equal headers are screened again"


def remark_lines(event: ScreenStarted) -> Iterator[str]:
    """What is left out on a host."""
    for remark in event.remarks:
        yield f"{event.host}: {own_words(remark)}"


def mismatch_line(mismatch: Mismatch) -> str:
    """A mismatch with all that is needed to look into it."""
    where = f"MISMATCH on {mismatch.host}, CPU {mismatch.cpu}, microcode {mismatch.microcode or 'unknown'}"
    what = f"{mismatch.algorithm}, kernel '{mismatch.kernel}', header {mismatch.header.hex()}"
    if mismatch.hit is None:
        return f"{where}: {what}: hash {_top(mismatch.expected)}, and hashlib says {_top(mismatch.expected_again)}"
    said = (f"hash {_top(mismatch.expected)}, target {_top(mismatch.target_top)}, and the kernel calls it "
            f"{'a' if mismatch.hit else 'no'} hit ({mismatch.again} times of {mismatch.tries} when asked again)")
    erred = f"; the portable code erred, the hash is {_top(mismatch.expected_again)}" if mismatch.portable_erred else ""
    return f"{where}: {what}: {said}{erred}"


def mismatches_text(count: int) -> str:
    """`no mismatch`, `1 mismatch`, `2 mismatches`."""
    return "no mismatch" if not count else f"{count} mismatch{'' if count == 1 else 'es'}"


def result_lines(result: Screening) -> Iterator[str]:
    """A table of the CPUs, a table of the kernels' medians, and the sum of it."""
    medians = Medians(result.cpus)
    yield from table(["host", "CPU", "hashes", "mismatches", "slowest beside the median", "clock", "held back"],
                     [_cpu_cells(cpu, medians) for cpu in result.cpus])
    for model in dict.fromkeys(cpu.model for cpu in result.cpus):
        yield ""
        yield model
        rows = [(algorithm, kernel, str(count), hashrate_text(median))
                for of, algorithm, kernel, count, median in medians.items() if of == model]
        yield from table(["algorithm", "kernel", "CPUs", "median"], rows)
    yield ""
    yield from slow_lines(result, medians)
    for cpu in result.cpus:
        if cpu.remark:
            yield f"{cpu.host}, CPU {cpu.cpu}: {own_words(cpu.remark)}"
    if untold := sum(1 for cpu in result.cpus if cpu.throttling == Throttling()):
        yield f"Nothing is known of throttling on {counted(untold, 'CPU')}: the system has no counters of it"
    if missing := result.not_screened:
        yield f"Not screened with every kernel, for want of time or memory: {counted(len(missing), 'CPU')}"
    yield (f"{counted(len(result.cpus), 'CPU')} in {result.seconds:.0f} seconds: "
           f"{result.hashes} hashes compared, {mismatches_text(result.mismatches)}")


def slow_lines(result: Screening, medians: Medians) -> Iterator[str]:
    """The CPUs that are clearly slower than others of their model."""
    for cpu in result.cpus:
        farthest = medians.farthest(cpu)
        if farthest is not None and farthest[1] <= SLOW and medians.count(cpu, farthest[0]) >= _LEAST_CPUS:
            yield f"{cpu.host}, CPU {cpu.cpu} is slow: {_distance(*farthest)} from the median of its model"


def _cpu_cells(cpu: CpuScreening, medians: Medians) -> list[str]:
    farthest = medians.farthest(cpu)
    return [cpu.host, str(cpu.cpu), str(cpu.hashes), str(cpu.mismatch_count),
            _distance(*farthest) if farthest else "", _clock(cpu), held_back(cpu.throttling)]


def _distance(kernel: KernelScreening, distance: float) -> str:
    return f"{distance:+.1%} {kernel.algorithm} {kernel.kernel}"


def _clock(cpu: CpuScreening) -> str:
    if cpu.clock_lowest_hertz is None or cpu.clock_highest_hertz is None:
        return ""
    return f"{cpu.clock_lowest_hertz / 1e9:.2f} to {cpu.clock_highest_hertz / 1e9:.2f} GHz"


def held_back(throttling: Throttling) -> str:
    """What held a CPU back, in words; "not told" where the system has no counters."""
    told = {"by heat of the core": throttling.core_events, "by heat of the package": throttling.package_events,
            "by heat": throttling.thermal_interrupts, "machine checks": throttling.machine_checks}
    words = [f"{name}: {count}" for name, count in told.items() if count]
    if throttling.quota_seconds:
        words.append(f"by a quota: {throttling.quota_seconds:.1f} s")
    return "; ".join(words) or ("not told" if throttling == Throttling() else "no")


def _top(bits: int) -> str:
    return f"{bits:08x}…"


# JSON

def event_json(event: ScreenEvent, now: float) -> str:
    """An event as a JSON object. `now` is its time, in seconds since 1970; a mismatch has its own."""
    match event:
        case ScreenStarted():
            facts = asdict(event) | {"kernels": dict(event.kernels)}
            return json_line("screen_started", now, version=__version__, **facts)
        case ClusterScreenStarted():
            return json_line("screen_cluster_started", now, version=__version__, **asdict(event))
        case ScreenProgress():
            return json_line("screen_progress", now, **asdict(event))
        case Mismatch():
            return json_line("screen_mismatch", event.time, **mismatch_fields(event))


def mismatch_fields(mismatch: Mismatch) -> dict[str, object]:
    """A mismatch's facts, but for its time, with the header and 32-bit numbers of hashes in hex."""
    return {
        "host": mismatch.host, "cpu": mismatch.cpu, "model": mismatch.model, "microcode": mismatch.microcode,
        "algorithm": mismatch.algorithm, "kernel": mismatch.kernel, "header": mismatch.header.hex(),
        "nonce": mismatch.nonce, "target_top": f"{mismatch.target_top:08x}",
        "expected_top": f"{mismatch.expected:08x}", "expected_top_again": f"{mismatch.expected_again:08x}",
        "expected_hit": None if mismatch.hit is None else not mismatch.hit, "got_hit": mismatch.hit,
        "portable_erred": mismatch.portable_erred, "again": mismatch.again, "tries": mismatch.tries,
    }


def result_json(result: Screening, now: float) -> Iterator[str]:
    """The result as JSON objects: one for each CPU, then the sum of it."""
    medians = Medians(result.cpus)
    for cpu in result.cpus:
        yield json_line("screen_cpu", now, **cpu_fields(cpu, medians))
    yield json_line("screen_done", now, seed=result.seed, seconds=result.seconds, hashes=result.hashes,
                  mismatches=result.mismatches, cpus=len(result.cpus), cpus_not_screened=len(result.not_screened))


def missed_json(executor: str, host: str, cores: int, reason: str, now: float) -> str:
    """An executor of a cluster that took no part, as a JSON object."""
    return json_line("screen_missed", now, executor=executor, host=host, cores=cores, reason=own_words(reason))


def cpu_fields(cpu: CpuScreening, medians: Medians) -> dict[str, object]:
    """A CPU's facts. Rates are in hashes per second of CPU time, clocks in hertz; `from_median` is -0.05 where a rate
    is 5% below the median of the CPU's model. null: not known."""
    return {
        "host": cpu.host, "cpu": cpu.cpu, "model": cpu.model, "microcode": cpu.microcode, "seconds": cpu.seconds,
        "cpu_seconds": cpu.cpu_seconds, "rounds": cpu.rounds, "hashes": cpu.hashes, "mismatches": cpu.mismatch_count,
        "clock_lowest_hertz": cpu.clock_lowest_hertz, "clock_highest_hertz": cpu.clock_highest_hertz,
        "throttling": asdict(cpu.throttling), "remark": cpu.remark,
        "kernels": [{
            "algorithm": kernel.algorithm, "kernel": kernel.kernel, "hashes": kernel.hashes,
            "mismatches": kernel.mismatches, "hashrate_hashes_per_second": kernel.hashrate or None,
            "from_median": medians.distance(cpu, kernel), "clock_hertz": kernel.clock_hertz,
        } for kernel in cpu.kernels],
    }

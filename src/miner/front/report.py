"""Events as lines for people, and for programs that parse minerd's lines. Does no I/O and reads no clock.

Where minerd 2.5.1 has a line for something, its text is used here. Whatever came over the network is cut to one bounded
line of printable characters first.
"""

from collections.abc import Iterable, Iterator, Sequence

from miner.core.events import BlockFound, Hashrate, MinerEvent, NewJob, ShareDone, Started, Totals, Trouble
from miner.core.model import Job, ShareStatus
from miner.core.source import Connecting, Disconnected, Finished, MovedTo, Notice, SourceKind, Traffic, Unread
from miner.core.target import target_to_difficulty
from miner.core.text import one_line, printable
from miner.front.naming import own_words
from miner.front.pace import Pace

MAX_TRAFFIC = 4096  # characters of a message to or from the other end that are shown
MAX_TROUBLE = 500  # characters of a line on what went wrong, which may quote the other end


def khash(hashrate: float) -> str:
    """H/s as minerd writes it, without the unit: `60.11` and, from 1 MH/s on, `14877` khash/s."""
    return f"{hashrate / 1e3:.{0 if hashrate >= 1e6 else 2}f}"


def rate(hashrate: float) -> str:
    """H/s as minerd writes it, with its unit: `60.11 khash/s`. A rate below 10 H/s, for which minerd would write 0.00
    or 0.01, is in H/s."""
    return f"{hashrate:.3g} H/s" if 0 < hashrate < 10 else f"{khash(hashrate)} khash/s"


def hashrate_text(hashrate: float) -> str:
    """H/s for people: `60.11 kH/s`."""
    for unit, size in (("GH/s", 1e9), ("MH/s", 1e6), ("kH/s", 1e3)):
        if hashrate >= size:
            return f"{hashrate / size:.2f} {unit}"
    return f"{hashrate:.3g} H/s" if 0 < hashrate < 1 else f"{hashrate:.2f} H/s"


def threads_line(threads: int, algorithm: str) -> str:
    """minerd's line for the start of the threads."""
    return f"{threads} miner threads started, using '{algorithm}' algorithm."


def work_line(source: str, payee: str) -> str:
    """The line that says where work comes from and who is paid: a source's label and payee."""
    return f"Work from {one_line(source)}, paid to {one_line(payee)}"


def binding_lines(cpus: Iterable[int]) -> list[str]:
    """minerd's lines for threads that are bound to these CPUs, thread 0 first."""
    return [f"Binding thread {thread} to cpu {cpu}" for thread, cpu in enumerate(cpus)]


def thread_line(thread: int, hashes: int, hashrate: float) -> str:
    """minerd's line for what one thread has done; `hashrate` in H/s."""
    return f"thread {thread}: {hashes} hashes, {rate(hashrate)}"


def share_line(status: ShareStatus, accepted: int, submitted: int, hashrate: float) -> str:
    """minerd's line for the verdict on a share: how many of the run's shares were accepted, of how many that were
    handed in, and the hashrate in H/s."""
    word = "(yay!!!)" if status is ShareStatus.ACCEPTED else "(booooo)"
    share = 100 * accepted / submitted if submitted else 0.0
    return f"accepted: {accepted}/{submitted} ({share:.2f}%), {rate(hashrate)} {word}"


def counted(number: int, noun: str) -> str:
    """`1 block`, `2 blocks`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


class Report:
    """The lines for a run's events. `quiet` leaves out each thread's hashrate, `debug` adds more about jobs; `longpoll`
    is whether new blocks on a node's chain are told in minerd's words for a long poll."""

    def __init__(self, quiet: bool = False, debug: bool = False, longpoll: bool = True) -> None:
        self._quiet, self._debug, self._longpoll = quiet, debug, longpoll
        self._source = ""
        self._kind: SourceKind | None = None
        self._started = False
        self._pace = Pace()

    def lines(self, event: MinerEvent) -> list[str]:
        """The lines for an event, perhaps none; without time stamps."""
        lines = list(self._lines(event))
        if isinstance(event, Started | MovedTo | NewJob | Hashrate):
            lines += self._pace.lines(event)
        return lines

    def _lines(self, event: MinerEvent) -> Iterator[str]:
        match event:
            case Started():
                self._source, self._kind = event.source, event.kind
                if event.source:
                    yield work_line(event.source, event.payee)
                yield f"Kernel '{event.kernel}'"
                yield threads_line(event.threads, event.algorithm)
                yield from binding_lines(event.cpus)
                yield from map(own_words, event.remarks)
            case NewJob():
                yield from self._job_lines(event.job, event.restart)
            case Hashrate():
                if not self._quiet:
                    yield thread_line(event.thread, event.hashes, event.hashrate)
            case ShareDone():
                submitted = event.accepted + event.rejected + event.stale
                yield share_line(event.result.status, event.accepted, submitted, event.hashrate)
                yield from reason_lines(event.result.status, event.result.reason)
            case BlockFound():
                yield block_line(event.result.share.job, event.block_hash, self._source)
            case Trouble():
                yield own_words(event.message, MAX_TROUBLE)
            case Totals():
                yield totals_line(event)
            case _:
                if isinstance(event, MovedTo):
                    self._source, self._kind = event.label, event.kind
                yield from source_lines(event)

    def _job_lines(self, job: Job, restart: bool) -> Iterator[str]:
        if restart and (self._started or self._kind is not SourceKind.NODE):
            yield restart_line(self._source, self._kind, self._longpoll)
        self._started = True
        if self._debug:
            yield f"DEBUG: job {one_line(job.job_id, 64)}{at_height(job)}, share difficulty " \
                  f"{target_to_difficulty(job.share_target, job.algorithm):.6g}, " \
                  f"network difficulty {target_to_difficulty(job.network_target, job.algorithm):.6g}"


def restart_line(source: str, kind: SourceKind | None, longpoll: bool) -> str:
    """Why the threads drop what they had, in minerd's words where it knows this kind of source."""
    if kind and kind.is_stratum:
        return "Stratum requested work restart"
    if kind is SourceKind.NODE and longpoll:
        return "LONGPOLL detected new block"
    return f"New work from {one_line(source)}"


def block_line(job: Job, block_hash: str, source: str) -> str:
    """The line for a block that was found here. It names the source, lest a test chain's block be taken for money."""
    return f"BLOCK found{at_height(job)}, {one_line(source)}: {one_line(block_hash, 64)}"


def source_lines(event: Connecting | Disconnected | MovedTo | Notice | Traffic | Finished | Unread) -> Iterator[str]:
    """The lines for what happens between a miner or hub and its source of work."""
    match event:
        case Connecting(what="long-polling"):
            yield f"Long-polling activated for {one_line(event.label)}"
        case Connecting():
            yield f"Starting {one_line(event.what)} on {one_line(event.label)}"
        case Disconnected():
            yield own_words(event.reason, MAX_TROUBLE)
            yield f"...retry after {event.retry_seconds:.0f} seconds"
        case MovedTo():
            yield work_line(event.label, event.payee)
        case Notice():
            yield own_words(event.text)
        case Traffic():
            yield f"{'>' if event.sent else '<'} {printable(event.text, MAX_TRAFFIC)}"
        case Unread():
            yield f"{counted(event.events, 'event')} waited too long to be told: only the totals have them"
        case Finished():
            yield f"No more work: {own_words(event.reason)}"


def totals_line(totals: Totals) -> str:
    """The closing line of a run."""
    return (f"Done: {totals.hashes} hashes in {totals.seconds:.1f} s, {rate(totals.hashrate)}; "
            f"{counted(totals.accepted, 'share')} accepted, {totals.rejected} rejected, {totals.stale} stale; "
            f"{counted(totals.blocks, 'block')}"
            + (f", {counted(totals.aux_blocks, 'block')} on the chain mined along" if totals.aux_blocks else ""))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows and their heads as lines. Columns are two spaces apart; a column whose cells all start with a digit, or are
    empty, is set flush right."""
    columns = list(zip(heads, *rows, strict=True))
    right = [all(cell[:1].isdigit() for cell in column[1:] if cell) and len(column) > 1 for column in columns]
    widths = [max(map(len, column)) for column in columns]
    lines = [[cell.rjust(width) if flush else cell.ljust(width)
              for cell, width, flush in zip(cells, widths, right, strict=True)] for cells in (heads, *rows)]
    lines.insert(1, ["-" * width for width in widths])
    return ["  ".join(line).rstrip() for line in lines]


def reason_lines(status: ShareStatus, reason: str) -> Iterator[str]:
    """The line that says why a share was not accepted; none for one that was."""
    if status is not ShareStatus.ACCEPTED:
        word = "reject" if status is ShareStatus.REJECTED else "stale"
        yield f"{word} reason: {own_words(reason, 200) or 'none given'}"


def at_height(job: Job) -> str:
    """The height of a job's block, as ` at height 5`; "" where the source didn't say it."""
    return "" if job.height is None else f" at height {job.height}"

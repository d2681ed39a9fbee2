"""What is true of a run at one moment, for every face of it: the live screen, the web page, metrics. All frozen.

Times are seconds since 1970, durations seconds, rates hashes a second. Hashes are 64 hex digits in display order (most
significant byte first). Rows of miners are `miner.hub.events.MinerStats`.
"""

from dataclasses import dataclass

from miner.core.source import SourceKind

LATENCY_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


@dataclass(frozen=True, slots=True)
class Sample:
    """A point of the charts. `hashrate` is the mean since the point before; `miners` are those that were here. Shares
    are those whose verdict came since the point before, and `latency` is the mean time of their verdicts, None where
    there was none."""

    time: float
    hashrate: float
    miners: int
    accepted: int
    rejected: int
    stale: int
    latency: float | None


@dataclass(frozen=True, slots=True)
class Latency:
    """How long verdicts on shares took, as a histogram. `counts[i]` of them took at most `LATENCY_BOUNDS[i]` seconds
    and more than the bound before; the last count is of those beyond all bounds. `seconds` is the sum of all."""

    counts: tuple[int, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Block:
    """A block that was found. `miner` is the name of its row; `height` is None where the source didn't say it."""

    time: float
    hash: str
    height: int | None
    miner: str
    source: str


@dataclass(frozen=True, slots=True)
class Message:
    """A line that a person was told. Numbers go up by one from each message to the next."""

    number: int
    time: float
    text: str


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread of a miner that runs alone. `cpu` is None where it is bound to none."""

    number: int
    cpu: int | None
    hashrate: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A moment of a run.

    command, version    what runs: "miner", "hub" or "spark", and of which version
    time, started       now, and when the run began
    seconds             how long it is to run; 0: until it is stopped. They count from `since` on, which is 0 while the
    since               run is not that far, as while a miner's threads are made ready or a cluster has no miner yet
    goal_blocks         how many blocks it is to find, whatever time that takes; 0: no number of them
    ended               why it is over; "": it goes on
    algorithm           in the form that `Algorithm.parse` reads
    address             where miners connect to, HOST:PORT; "": nowhere
    source, payee, kind where work comes from, who is paid, and what is at the other end; kind None: nothing is known
                        yet, as while a miner starts
    trouble             why there is no contact with the source, "" where there is
    share_difficulty    of the newest job, in the algorithm's own scale; 0: there was none yet
    network_difficulty  of a block on it, in the same scale
    share_seconds       how long a share takes on average at this hashrate, None where that isn't known; of the source,
    block_seconds       not of a hub's miner; and a block
    height              of the block that is mined, None where the source doesn't say it
    job                 when the newest job came; 0: none yet
    miners, gone        rows of miners that are here, and of those that have left
    hashrate            now; `hashrate_1m` and `hashrate_15m` are moving averages over a minute and over 15
    hashes … aux_blocks sums over the run; `aux_blocks` are those of a chain that is mined along
    last_share          when the last verdict came; 0: none yet
    latency             of verdicts
    recent, long        samples, oldest first: every 2 seconds for ten minutes, every minute for a day
    found               the newest blocks, oldest first
    messages            the newest messages, oldest first
    threads             of a miner that runs alone; a hub has none
    """

    command: str
    version: str
    time: float
    started: float
    seconds: float
    since: float
    goal_blocks: int
    ended: str
    address: str
    algorithm: str
    source: str
    payee: str
    kind: SourceKind | None
    trouble: str
    share_difficulty: float
    network_difficulty: float
    share_seconds: float | None
    block_seconds: float | None
    height: int | None
    job: float
    miners: int
    gone: int
    hashrate: float
    hashrate_1m: float
    hashrate_15m: float
    hashes: int
    accepted: int
    rejected: int
    stale: int
    blocks: int
    aux_blocks: int
    last_share: float
    latency: Latency
    recent: tuple[Sample, ...]
    long: tuple[Sample, ...]
    found: tuple[Block, ...]
    messages: tuple[Message, ...]
    threads: tuple[Thread, ...]

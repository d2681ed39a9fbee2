"""A run's facts as JSON has them. `openapi.json` describes each of these objects."""

from typing import Any

from miner.core.text import one_line, printable
from miner.front.event_json import rfc3339
from miner.front.naming import own_words
from miner.front.snapshot import LATENCY_BOUNDS, Block, Message, Sample, Snapshot

Json = dict[str, Any]


def summary_json(now: Snapshot) -> Json:
    """The totals of a run."""
    return {
        "command": now.command, "version": now.version, "time": rfc3339(now.time), "started": rfc3339(now.started),
        "run_seconds": now.time - now.started, "planned_seconds": now.seconds or None,
        "ended": own_words(now.ended) or None, "address": one_line(now.address) or None,
        "algorithm": now.algorithm or None, "source": one_line(now.source) or None,
        "payee": one_line(now.payee) or None, "kind": now.kind.value if now.kind else None,
        "trouble": own_words(now.trouble) or None, "share_difficulty": now.share_difficulty or None,
        "network_difficulty": now.network_difficulty or None, "expected_share_seconds": now.share_seconds,
        "expected_block_seconds": now.block_seconds, "height": now.height, "job": _moment(now.job),
        "miners": now.miners, "miners_gone": now.gone, "hashes": now.hashes,
        "hashrate_hashes_per_second": now.hashrate, "hashrate_1m_hashes_per_second": now.hashrate_1m,
        "hashrate_15m_hashes_per_second": now.hashrate_15m, "accepted": now.accepted, "rejected": now.rejected,
        "stale": now.stale, "blocks": now.blocks, "aux_blocks": now.aux_blocks, "last_share": _moment(now.last_share),
        "verdicts": {"seconds": now.latency.seconds, "counts": list(now.latency.counts),
                     "bounds_seconds": list(LATENCY_BOUNDS)},
        "threads": [{"number": thread.number, "cpu": thread.cpu, "hashrate_hashes_per_second": thread.hashrate}
                    for thread in now.threads],
    }


def sample_json(sample: Sample) -> Json:
    """A point of the charts."""
    return {"time": rfc3339(sample.time), "hashrate_hashes_per_second": sample.hashrate, "miners": sample.miners,
            "accepted": sample.accepted, "rejected": sample.rejected, "stale": sample.stale,
            "verdict_seconds": sample.latency}


def block_json(block: Block) -> Json:
    """A block that was found."""
    return {"time": rfc3339(block.time), "block_hash": one_line(block.hash, 64), "height": block.height,
            "miner": one_line(block.miner, 64), "source": one_line(block.source)}


def message_json(message: Message) -> Json:
    """A line that a person was told."""
    return {"number": message.number, "time": rfc3339(message.time), "text": printable(message.text)}


def history_json(now: Snapshot) -> Json:
    """What led to the totals: points of the charts, blocks, messages, each oldest first."""
    return {"recent": [sample_json(sample) for sample in now.recent], "long": [sample_json(s) for s in now.long],
            "blocks": [block_json(block) for block in now.found],
            "messages": [message_json(message) for message in now.messages]}


def health_json(now: Snapshot) -> Json:
    """Whether the run has work: `ok`, or why it hasn't."""
    state = "ended" if now.ended else "no contact with the source" if now.trouble else "ok" if now.job else "starting"
    return {"status": state}


def _moment(time: float) -> str | None:
    return rfc3339(time) if time else None

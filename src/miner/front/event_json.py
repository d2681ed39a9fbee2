"""Events as JSON has them: one object each, described in docs/events.md and by the JSON Schema in events.schema.json.

`type` is the event's class in snake case, `time` is RFC 3339 in UTC. Names end in their unit where they have one.
Hashes and targets are 64 hex digits in display order (most significant byte first). Text from the other end is one
bounded line of printable characters. No event holds a password.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from miner.core.algorithm import sha256d
from miner.core.events import BlockFound, Hashrate, MinerEvent, NewJob, ShareDone, Started, Totals, Trouble
from miner.core.header import display_hash
from miner.core.model import Job, Share
from miner.core.source import Connecting, Disconnected, Finished, MovedTo, Notice, SourceKind, Traffic, Unread
from miner.core.target import target_to_difficulty
from miner.core.text import one_line, printable
from miner.front.naming import own_words
from miner.hub.events import (
    HubBlock,
    HubEvent,
    HubShare,
    HubStopped,
    HubSummary,
    MinerJoined,
    MinerLeft,
    MinerReported,
    MinerStats,
)

MAX_TRAFFIC = 4096  # characters
_MAX_RATE = 1e30  # JSON has no infinity, which a quotient by next to nothing may be
_NAME = 64  # characters of a miner's name, host, kernel

Json = dict[str, Any]


def event_json(event: MinerEvent | HubEvent, time: float) -> Json:
    """An event that came at `time` (seconds since 1970), ready for json.dumps."""
    kind = type(event)
    return {"type": _TYPES[kind], "time": rfc3339(time)} | _FIELDS[kind](event)


def json_line(kind: str, time: float, **facts: object) -> str:
    """A line of JSON in the form of an event's, for what a command prints of its own: `type` is `kind`."""
    return json.dumps({"type": kind, "time": rfc3339(time), **facts}, allow_nan=False)


def event_type(kind: type) -> str:
    """What `type` is for events of this class: `new_job` for NewJob."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def rfc3339(time: float) -> str:
    """Seconds since 1970 as `2026-01-31T12:00:00.000Z`."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def miner_json(miner: MinerStats) -> Json:
    """A miner's row."""
    return miner_words_json(miner) | miner_figures_json(miner)


def miner_words_json(miner: MinerStats) -> Json:
    """The part of a miner's row that says who it is, and seldom changes."""
    return {
        "name": one_line(miner.name, _NAME), "host": one_line(miner.host, _NAME), "agent": one_line(miner.agent, _NAME),
        "kernel": one_line(miner.kernel, _NAME), "threads": miner.threads, "connected": miner.connected,
        "since": rfc3339(miner.since), "hashrate_estimated": miner.estimated,
    }


def miner_figures_json(miner: MinerStats) -> Json:
    """The part of a miner's row that says what it does."""
    return {
        "hashes": miner.hashes, "hashrate_hashes_per_second": miner.hashrate,
        "hashrate_1m_hashes_per_second": miner.hashrate_1m, "hashrate_15m_hashes_per_second": miner.hashrate_15m,
        "accepted": miner.accepted, "rejected": miner.rejected, "stale": miner.stale, "blocks": miner.blocks,
        "aux_blocks": miner.aux_blocks, "last_share": rfc3339(miner.last_share) if miner.last_share else None,
        "difficulty": miner.difficulty,
    }


def job_json(job: Job) -> Json:
    """A job, but for its coinbase and merkle branch."""
    return {
        "id": one_line(job.job_id, _NAME), "algorithm": str(job.algorithm), "height": job.height,
        "previous_hash": display_hash(job.prev_hash), "version": job.version, "ntime": job.ntime,
        "bits": f"{job.nbits:08x}", "clean": job.clean, "extranonce2_bytes": job.extranonce2_size,
        "share_target": _target(job.share_target), "network_target": _target(job.network_target),
        "share_difficulty": target_to_difficulty(job.share_target, job.algorithm) if job.share_target else None,
        "network_difficulty": target_to_difficulty(job.network_target, job.algorithm),
    }


def _share_json(share: Share) -> Json:
    return {
        "job_id": one_line(share.job.job_id, _NAME), "height": share.job.height,
        "extranonce2": share.work.extranonce2.hex(), "ntime": share.work.ntime, "version": share.work.version,
        "nonce": share.nonce, "header_hash": display_hash(sha256d(share.header)),
    }


def _share_done(event: ShareDone) -> Json:
    result = event.result
    return {
        "status": result.status.value, "reason": one_line(result.reason), "block": result.block,
        "aux_block_hash": one_line(result.aux, _NAME) or None, "share": _share_json(result.share),
        "accepted": event.accepted, "rejected": event.rejected, "stale": event.stale,
        "hashrate_hashes_per_second": event.hashrate, "verdict_seconds": event.seconds,
    }


def _hub_share(event: HubShare) -> Json:
    return {
        "miner": one_line(event.miner, _NAME), "status": event.status.value, "reason": one_line(event.reason),
        "block": event.block, "upstream": event.upstream, "share": _share_json(event.share) if event.share else None,
        "accepted": event.accepted, "rejected": event.rejected, "stale": event.stale,
        "hashrate_hashes_per_second": event.hashrate, "verdict_seconds": event.seconds,
    }


def _block_found(event: BlockFound) -> Json:
    return {"block_hash": one_line(event.block_hash, _NAME), "height": event.result.share.job.height,
            "share": _share_json(event.result.share)}


def _started(event: Started) -> Json:
    return {"source": one_line(event.source), "payee": one_line(event.payee), "kind": _kind(event.kind),
            "algorithm": event.algorithm, "kernel": event.kernel, "threads": event.threads, "cpus": list(event.cpus),
            "remarks": [own_words(remark) for remark in event.remarks]}


def _totals(event: Totals) -> Json:
    return {"hashes": event.hashes, "run_seconds": event.seconds, "hashrate_hashes_per_second": event.hashrate,
            "accepted": event.accepted, "rejected": event.rejected, "stale": event.stale, "blocks": event.blocks,
            "aux_blocks": event.aux_blocks}


def _hub_summary(event: HubSummary) -> Json:
    return {"miners": event.connected, "miners_gone": event.gone, "hashes": event.hashes,
            "hashrate_hashes_per_second": event.hashrate, "accepted": event.accepted, "rejected": event.rejected,
            "stale": event.stale, "blocks": event.blocks, "aux_blocks": event.aux_blocks}


def _kind(kind: SourceKind | None) -> str | None:
    return kind.value if kind else None


def _target(target: int) -> str:
    return f"{target:064x}"


_FIELDS: dict[type, Callable[[Any], Json]] = {
    Job: lambda event: {"job": job_json(event)},
    Connecting: lambda event: {"what": one_line(event.what), "source": one_line(event.label)},
    Disconnected: lambda event: {"reason": own_words(event.reason), "retry_seconds": event.retry_seconds},
    MovedTo: lambda event: {"source": one_line(event.label), "payee": one_line(event.payee), "kind": _kind(event.kind)},
    Notice: lambda event: {"text": own_words(event.text)},
    Traffic: lambda event: {"sent": event.sent, "text": printable(event.text, MAX_TRAFFIC)},
    Finished: lambda event: {"reason": own_words(event.reason)},
    Unread: lambda event: {"events": event.events},
    Started: _started,
    NewJob: lambda event: {"job": job_json(event.job), "restart": event.restart,
                           "target": _target(event.target) if event.target else None},
    Hashrate: lambda event: {"thread": event.thread, "hashes": event.hashes, "span_seconds": event.seconds,
                             "hashrate_hashes_per_second": min(event.hashrate, _MAX_RATE)},
    ShareDone: _share_done,
    BlockFound: _block_found,
    Trouble: lambda event: {"message": own_words(event.message), "fatal": event.fatal},
    Totals: _totals,
    MinerJoined: lambda event: {"miner": miner_json(event.miner)},
    MinerReported: lambda event: {"miner": miner_json(event.miner)},
    MinerLeft: lambda event: {"miner": miner_json(event.miner), "reason": own_words(event.reason)},
    HubShare: _hub_share,
    HubBlock: lambda event: {"miner": one_line(event.miner, _NAME)} | _block_found(event),
    HubSummary: _hub_summary,
    HubStopped: lambda event: {"reason": own_words(event.reason), "failed": event.failed},
}
_TYPES = {kind: event_type(kind) for kind in _FIELDS}
EVENT_TYPES = tuple(_TYPES.values())

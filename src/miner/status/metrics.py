"""The facts as Prometheus takes them: https://prometheus.io/docs/practices/naming/"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from miner.core.text import one_line
from miner.front.snapshot import LATENCY_BOUNDS, Snapshot
from miner.status.rows import Rows

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _RunCollector(Collector):
    """The metrics of one moment. Label values are bounded: kinds that the program itself knows, and the names of the
    first miners that are here, at most `rows.SERIES` of them."""

    def __init__(self, now: Snapshot, rows: Rows) -> None:
        self._now, self._rows = now, rows

    def collect(self) -> Iterator[Metric]:
        now = self._now
        yield InfoMetricFamily("sparkminer", "What runs.", {
            "command": now.command, "version": now.version, "algorithm": now.algorithm,
            "source": one_line(now.source), "kind": now.kind.value if now.kind else ""})
        yield CounterMetricFamily("sparkminer_hashes", "Hashes computed.", now.hashes)
        shares = CounterMetricFamily("sparkminer_shares", "Shares, by the verdict on them.", labels=["status"])
        for status, count in (("accepted", now.accepted), ("rejected", now.rejected), ("stale", now.stale)):
            shares.add_metric([status], count)
        yield shares
        yield CounterMetricFamily("sparkminer_blocks", "Blocks found.", now.blocks)
        yield CounterMetricFamily("sparkminer_aux_blocks", "Blocks found on the chain mined along.", now.aux_blocks)
        miners = GaugeMetricFamily("sparkminer_miners", "Miners, by whether they are here.", labels=["state"])
        miners.add_metric(["here"], now.miners)
        miners.add_metric(["gone"], now.gone)
        yield miners
        for name, text, value in _gauges(now):
            if value is not None:
                yield GaugeMetricFamily(f"sparkminer_{name}", text, value)
        yield self._verdicts()
        series = GaugeMetricFamily("sparkminer_miner_hashrate_hashes_per_second",
                                   "Hashrate of a miner that is here; only the first of them have a series.",
                                   labels=["miner"])
        for miner, hashrate in self._rows.first:
            series.add_metric([miner], hashrate)
        yield series

    def _verdicts(self) -> HistogramMetricFamily:
        total, buckets = 0, []
        bounds = [*(f"{bound:g}" for bound in LATENCY_BOUNDS), "+Inf"]
        for bound, count in zip(bounds, self._now.latency.counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        return HistogramMetricFamily("sparkminer_share_verdict_seconds", "Time until the verdict on a share.",
                                     buckets=buckets, sum_value=self._now.latency.seconds)


def _gauges(now: Snapshot) -> list[tuple[str, str, float | None]]:
    return [
        ("hashrate_hashes_per_second", "Hashrate of all miners that are here.", now.hashrate),
        ("start_time_seconds", "When the run began, since 1970.", now.started),
        ("source_up", "1 while there is work, 0 while the source is away.", float(bool(now.job and not now.trouble))),
        ("share_difficulty", "Difficulty of the source's shares.", now.share_difficulty or None),
        ("network_difficulty", "Difficulty of a block.", now.network_difficulty or None),
        ("block_height", "Height of the block that is mined.", now.height),
        ("last_job_timestamp_seconds", "When the newest job came, since 1970.", now.job or None),
        ("last_share_timestamp_seconds", "When the last verdict on a share came, since 1970.", now.last_share or None),
    ]


def metrics_text(now: Snapshot, rows: Rows) -> bytes:
    """The text format's page."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_RunCollector(now, rows))
    return generate_latest(registry)

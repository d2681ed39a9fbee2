"""Opens the source of work that the settings name: the scheme of its URL says which kind it is."""

import dataclasses
import functools
from urllib.parse import urlsplit

from miner.config import NODE_SCHEMES, POOL_SCHEMES, SourceConfig
from miner.core.errors import UsageError
from miner.core.source import WorkSource


def open_source(config: SourceConfig) -> WorkSource:
    """The source that the settings name, not yet connected; with backups, all of them as one source. Raises UsageError
    for settings that won't do."""
    if config.sandbox:
        from miner.sandbox import SandboxSource

        return SandboxSource(config.algorithm)
    if config.backups:
        from miner.sources.failover import FailoverSource

        each = (dataclasses.replace(config, backups=()), *config.backups)
        return FailoverSource([functools.partial(open_source, one) for one in each])
    scheme = urlsplit(config.url).scheme
    if scheme in POOL_SCHEMES:
        from miner.stratum.client import StratumSource

        return StratumSource(config)
    if scheme in NODE_SCHEMES:
        from miner.sources.announced import AnnouncedSource

        return AnnouncedSource(config)
    raise UsageError(f"URL scheme {scheme!r} is not known: use stratum+tcp://HOST:PORT or http://HOST:PORT/")

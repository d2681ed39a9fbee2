"""Errors that this package raises on purpose.

`str(error)` is one line that names the thing and the fix. A setting in it stands in backquotes, as a caller from Python
gives it: coinbase_addr, coinbase_addr=ADDRESS, aux.url. On the command line `miner.front.naming` makes options of them.
"""


class MinerError(Exception):
    """Base class of the errors that this package raises on purpose."""


class UsageError(MinerError):
    """An argument or option is missing, unknown or does not parse. Exit code 2."""


class SourceError(MinerError):
    """A source of work gave up for good: the other end refused this miner, or stayed away beyond all retries."""


class ProtocolError(MinerError):
    """A pool, node or miner sent what its protocol or consensus doesn't allow."""


class EngineError(MinerError):
    """The native search can't run here as asked: a failed self-test, not enough memory."""


class EngineStopped(EngineError):
    """An engine was told to stop while it was being opened. Its threads have ended, its memory and CPUs are free."""

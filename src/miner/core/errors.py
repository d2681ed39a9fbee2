"""Errors that this package raises on purpose. `str(error)` is one line that names the thing and the fix."""


class MinerError(Exception):
    """Base of them all."""


class UsageError(MinerError):
    """An argument or option is missing, unknown or does not parse. Exit code 2."""


class SourceError(MinerError):
    """A source of work gave up for good: it refused us, or stayed away longer than the retries allow."""


class ProtocolError(MinerError):
    """The other side broke the protocol's rules."""


class EngineError(MinerError):
    """The native search can't run here as asked: a failed self-test, not enough memory."""


class EngineStopped(EngineError):
    """An engine was told to stop while it was being opened. It holds nothing any more."""

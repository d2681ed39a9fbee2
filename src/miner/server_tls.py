"""TLS for what this package serves: the certificate and key that its owner names."""

import ssl

from miner.core.errors import UsageError


def server_context(certificate: str, key: str, named: tuple[str, str]) -> ssl.SSLContext:
    """A context for servers that show this certificate: PEM files, the certificate's followed by those that signed it.
    TLS 1.2 and later. `named` is what messages call the two: options, or settings. Raises UsageError where they can't
    be read or don't belong together; an encrypted key is refused, since nobody is there to be asked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key or None, password=_refuse)
    except (OSError, ValueError) as error:  # SSLError is an OSError
        reason = error.strerror if not isinstance(error, ssl.SSLError) and isinstance(error, OSError) else error
        both = f"{named[0]} {certificate!r}" + (f", {named[1]} {key!r}" if key else "")
        raise UsageError(f"{both}: must be a certificate and its key in PEM, not encrypted: {reason}") from None
    return context


def _refuse() -> str:
    raise ValueError("the key is encrypted")

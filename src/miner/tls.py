"""TLS for the ports that this package listens on: a certificate from files, or one that is made for a run.

    tls = ServerTls.open(TlsFiles("cert.pem", "key.pem"))         # raises UsageError: files that won't do
    tls = ServerTls.open(None, names=["hub.example", "10.0.0.1"])  # needs the package cryptography
    asyncio.start_server(…, ssl=tls.context); print(tls.fingerprint)

Whoever connects may pin the certificate by its fingerprint (SourceConfig's `tls_fingerprint`).
"""

import datetime
import hashlib
import ipaddress
import os
import ssl
import tempfile
from asyncio import sslproto
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from miner.core.errors import UsageError

VALID_DAYS = 365  # of a certificate that is made for a run; a day before it counts too: clocks differ
BUFFER_BYTES = 16 << 10  # one TLS record


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of a certificate and its key, in PEM form. `cert` may hold the authorities' own behind it; `key` may be
    "" where the key is in the same file."""

    cert: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class ServerTls:
    """What a listening port needs. `fingerprint`: the certificate's SHA-256, 64 hex digits."""

    context: ssl.SSLContext
    fingerprint: str
    files: TlsFiles | None = None

    @classmethod
    def open(cls, files: TlsFiles | None, names: Sequence[str] = ()) -> Self:
        """With the certificate in `files`, or with one that is made for this run, for these host names and addresses.
        Raises UsageError where the files won't do, or the package cryptography is missing for the latter."""
        if files is not None:
            return cls._of(files)
        cert, key = self_signed(names)
        with tempfile.TemporaryDirectory(prefix="sparkminer-") as folder:  # readable by its owner alone
            path = Path(folder, "made.pem")
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(key + cert)
            made = cls._of(TlsFiles(str(path)))
            return cls(made.context, made.fingerprint)

    def reload(self) -> Self:
        """The certificate as it is in its files now, for connections that are made from now on; those that are there
        stay. One that was made for this run stays too. Raises UsageError, and changes nothing then, where the files
        won't do."""
        if self.files is None:
            return self
        now = self._of(self.files)
        self.context.load_cert_chain(self.files.cert, self.files.key or None, _no_password)
        return type(self)(self.context, now.fingerprint, self.files)

    @classmethod
    def _of(cls, files: TlsFiles) -> Self:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        for path in filter(None, (files.cert, files.key)):
            try:
                with Path(path).open("rb"):
                    pass
            except OSError as error:
                raise UsageError(f"TLS: can't read {path!r}: {error.strerror}") from None
        try:
            context.load_cert_chain(files.cert, files.key or None, _no_password)
            shown = Path(files.cert).read_text(encoding="ascii", errors="replace")
            start = shown.index("-----BEGIN CERTIFICATE-----")
            end = shown.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----")
            der = ssl.PEM_cert_to_DER_cert(shown[start:end])
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None)
            why = ("the key is not the certificate's" if reason == "KEY_VALUES_MISMATCH"
                   else "they hold no certificate and key in PEM form")
            raise UsageError(f"TLS: {files.cert!r} and {files.key or files.cert!r}: {why}") from None
        return cls(context, hashlib.sha256(der).hexdigest(), files)


def self_signed(names: Sequence[str]) -> tuple[bytes, bytes]:
    """A new certificate for these host names and addresses, signed by its own key (ECDSA, P-256), and that key; both in
    PEM form. Raises UsageError where the package cryptography is missing."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise UsageError("a TLS certificate for this run needs the package cryptography: "
                         "pip install 'sparkminer[hub]'") from None
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sparkminer")])
    alternatives: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            with suppress(ValueError):  # no name that a certificate can hold: the fingerprint holds all the same
                alternatives.append(x509.DNSName(name))
    now = datetime.datetime.now(datetime.UTC)
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
               .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
               .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
               .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True))
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    made = builder.sign(key, hashes.SHA256())
    return (made.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                              serialization.NoEncryption()))


@contextmanager
def small_buffers() -> Iterator[None]:
    """Meanwhile asyncio's TLS connections read into 16 KiB each in place of 256 KiB, of which thousands would fill the
    memory. For a process that does nothing but serve such connections."""
    before = sslproto.SSLProtocol.max_size
    sslproto.SSLProtocol.max_size = BUFFER_BYTES
    try:
        yield
    finally:
        sslproto.SSLProtocol.max_size = before


def _no_password() -> bytes:
    raise UsageError("TLS: the key is encrypted: nobody is there to type its password, store it without one")

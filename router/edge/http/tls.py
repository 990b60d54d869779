"""The server's TLS certificate, replaced while connections are open."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from router.errors import ConfigurationError


class ServerCertificate:
    """The server's SSLContext, with a certificate and private key in PEM that can be replaced.

    `context` stays the same object for the life of the server. Every handshake
    uses the pair that was loaded last, so that a pair is replaced as a whole,
    never the certificate before its key.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        """Load the pair, or raise ConfigurationError."""
        self.context, self.expires = _loaded(certificate, key)
        self._current = self.context
        self.context.sni_callback = self._hand_over

    def reload(self, certificate: Path, key: Path) -> None:
        """Use another pair for every later handshake; open connections keep the old one.

        Raises ConfigurationError, and keeps the pair in use, if the new one does
        not match, cannot be read, or has expired.
        """
        self.use(ReadPair(certificate, key))

    def use(self, pair: "ReadPair") -> None:
        """Use a pair that has been read and checked."""
        self._current, self.expires = pair.context, pair.expires

    def _hand_over(
        self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        # Called in every handshake, even if the client sends no server name.
        connection.context = self._current


class ReadPair:
    """A certificate and key that have been read and checked, and may be used."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Read the pair; raise ConfigurationError if it is unusable or has expired."""
        self.context, self.expires = _loaded(certificate, key)
        if self.expires <= datetime.now(UTC):
            message = f"edge.tls_certificate: expired on {self.expires:%Y-%m-%d %H:%M} UTC"
            raise ConfigurationError(message)


def _loaded(certificate: Path, key: Path) -> tuple[ssl.SSLContext, datetime]:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # An empty password: with None, OpenSSL would prompt for that of an encrypted key.
        context.load_cert_chain(certificate, key, password="")
        (leaf, *_) = x509.load_pem_x509_certificates(certificate.read_bytes())
    except (OSError, ValueError) as error:
        # A ValueError comes from a certificate that OpenSSL accepts and the parser does not.
        why = f"{type(error).__name__}: {error}" if isinstance(error, OSError) else "not readable"
        message = f"edge.tls_certificate, tls_key: cannot be used: {why}"
        raise ConfigurationError(message) from None
    return context, leaf.not_valid_after_utc

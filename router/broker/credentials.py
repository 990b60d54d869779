"""Credentials of the Kafka clients, read again before each new connection.

aiokafka takes the password and the SSL context when a client is made and uses them for
every connection of that client. Without a new look at the files, a client would fail to
reconnect after a rotation.
"""

import ssl
from pathlib import Path

from router.broker.settings import KafkaSettings
from router.errors import ConfigurationError
from router.secrets.renewed import Renewed
from router.secrets.secret_file import secret_in


class KafkaCredentials:
    """Password and SSL context of `[kafka]`."""

    def __init__(self, kafka: KafkaSettings) -> None:
        """Read them. Raises ConfigurationError."""
        self._password = _password(kafka)
        self.context, self._pair = _context(kafka)

    @property
    def password(self) -> str:
        """The current password; empty if there is none."""
        return str(self._password.now())

    def refreshed(self) -> str:
        """Load certificates that were replaced, and return the current password."""
        self._pair.now()
        return self.password


def _password(kafka: KafkaSettings) -> Renewed:
    file = kafka.sasl_password_file
    given = kafka.sasl_password.get_secret_value() if kafka.sasl_password else ""
    files = () if file is None else (file,)
    return Renewed(files, lambda: secret_in(file), given, "kafka.sasl_password_file")


def _context(kafka: KafkaSettings) -> tuple[ssl.SSLContext | None, Renewed]:
    """Return the context, and what loads replaced certificates into it.

    A certificate authority that was removed from its file stays trusted until the process ends.
    """
    what = "kafka.ssl_cafile, ssl_certfile, ssl_keyfile"
    if not kafka.security_protocol.endswith("SSL"):
        return None, Renewed((), lambda: None, None, what)
    context = ssl.create_default_context(cafile=_checked(kafka))

    def load() -> None:
        _checked(kafka)
        _load(kafka, context)

    _load(kafka, context)
    files = (kafka.ssl_cafile, kafka.ssl_certfile, kafka.ssl_keyfile)
    return context, Renewed(tuple(filter(None, files)), load, None, what)


def _checked(kafka: KafkaSettings) -> Path | None:
    """Load the files into a throwaway context first: a mismatched pair spoils a context."""
    try:
        _load(kafka, ssl.create_default_context(cafile=kafka.ssl_cafile))
    except (OSError, ValueError) as error:
        # A ValueError reports a password that is too long, without repeating it.
        message = f"kafka.ssl_cafile, ssl_certfile, ssl_keyfile: {type(error).__name__}: {error}"
        raise ConfigurationError(message) from None
    return kafka.ssl_cafile


def _load(kafka: KafkaSettings, context: ssl.SSLContext) -> None:
    if kafka.ssl_cafile is not None:
        context.load_verify_locations(cafile=kafka.ssl_cafile)
    if kafka.ssl_certfile is not None:
        password = kafka.ssl_key_password
        # Not None: OpenSSL would prompt for the password of a locked key.
        unlock = password.get_secret_value() if password else ""
        context.load_cert_chain(kafka.ssl_certfile, kafka.ssl_keyfile, unlock)

"""What a Kafka client signs in with, as it stands at each new connection.

aiokafka takes password and SSL context when a client is made and uses them for
every connection of its life. A password that is rotated meanwhile would be
wrong at the first reconnect, so it is read again before each.
"""

import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from router.broker.adapter.private import before_each_request
from router.configuration.secret_files import secret_in
from router.configuration.settings import KafkaSettings
from router.errors import ConfigurationError
from router.secrets.renewed import Renewed


class KafkaCredentials:
    """The password and the SSL context of `[kafka]`."""

    def __init__(self, kafka: KafkaSettings) -> None:
        """Read them. Raises ConfigurationError."""
        self._password = _password(kafka)
        self.context, self._pair = _context(kafka)

    @property
    def password(self) -> str:
        """The password of now; empty where there is none."""
        return str(self._password.now())

    def renewed(self, client: Any) -> None:  # noqa: ANN401 - aiokafka's AIOKafkaClient
        """Have a client sign in with what is valid at each new connection."""
        before_each_request(client, self._now)

    def _now(self) -> str:
        self._pair.now()
        return self.password


class ClientOptions(Mapping[str, Any]):
    """Client options that are made anew whenever one is asked for, with the password of now."""

    def __init__(self, make: Callable[[], Mapping[str, Any]]) -> None:
        """Remember how they are made."""
        self._make = make

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - whatever the client takes
        """Return an option as it is now."""
        return self._make()[key]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._make())

    def __len__(self) -> int:
        """Count them."""
        return len(self._make())

    def __repr__(self) -> str:
        """Name the options, and no value."""
        return f"ClientOptions({', '.join(self)})"


def _password(kafka: KafkaSettings) -> Renewed:
    file = kafka.sasl_password_file
    given = kafka.sasl_password.get_secret_value() if kafka.sasl_password else ""
    files = () if file is None else (file,)
    return Renewed(files, lambda: secret_in(file), given, "kafka.sasl_password_file")


def _context(kafka: KafkaSettings) -> tuple[ssl.SSLContext | None, Renewed]:
    """Return the context, and what loads certificates that were replaced into the same one.

    A certificate authority that is no longer in the file stays trusted until the process ends.
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
    """Load the files into a context of no use first: a pair that does not fit spoils a context."""
    try:
        _load(kafka, ssl.create_default_context(cafile=kafka.ssl_cafile))
    except (OSError, ValueError) as error:
        # A ValueError is about a password that is too long, and does not repeat it.
        message = f"kafka.ssl_cafile, ssl_certfile, ssl_keyfile: {type(error).__name__}: {error}"
        raise ConfigurationError(message) from None
    return kafka.ssl_cafile


def _load(kafka: KafkaSettings, context: ssl.SSLContext) -> None:
    if kafka.ssl_cafile is not None:
        context.load_verify_locations(cafile=kafka.ssl_cafile)
    if kafka.ssl_certfile is not None:
        password = kafka.ssl_key_password
        # Not None: OpenSSL would ask at the terminal for the password of a locked key.
        unlock = password.get_secret_value() if password else ""
        context.load_cert_chain(kafka.ssl_certfile, kafka.ssl_keyfile, unlock)

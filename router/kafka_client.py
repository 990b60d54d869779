"""The Kafka client settings, as FastStream and as aiokafka take them."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

from aiokafka.abc import AbstractTokenProvider
from faststream.kafka.security import parse_security
from faststream.security import (
    BaseSecurity,
    SASLOAuthBearer,
    SASLPlaintext,
    SASLScram256,
    SASLScram512,
)

from router.errors import ConfigurationError
from router.settings import KafkaSettings

_SASL = {
    "PLAIN": SASLPlaintext,
    "SCRAM-SHA-256": SASLScram256,
    "SCRAM-SHA-512": SASLScram512,
}


class TokenFile(AbstractTokenProvider):  # type: ignore[misc] # aiokafka publishes no types
    """OAUTHBEARER: the token is read from its file for every connection, so it may be renewed."""

    def __init__(self, path: Path) -> None:
        """Remember where the token lies."""
        self._path = path

    async def token(self) -> str:
        """Return the token of now."""
        text = await asyncio.to_thread(self._path.read_text, encoding="utf-8")
        return text.strip()


def broker_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Return what `faststream.kafka.KafkaBroker` takes."""
    options = _common(kafka)
    options["security"] = _security(kafka)
    return options


def client_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Return what the clients of aiokafka take."""
    return _common(kafka) | parse_security(_security(kafka))


def _common(kafka: KafkaSettings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "bootstrap_servers": [part.strip() for part in kafka.bootstrap_servers.split(",")],
        "client_id": kafka.client_id,
    }
    if kafka.sasl_token_file is not None:
        options["sasl_oauth_token_provider"] = TokenFile(kafka.sasl_token_file)
    return options


def _security(kafka: KafkaSettings) -> BaseSecurity | None:
    protocol = kafka.security_protocol
    if protocol == "PLAINTEXT":
        return None
    context = _ssl_context(kafka) if protocol.endswith("SSL") else None
    use_ssl = context is not None
    if protocol == "SSL":
        return BaseSecurity(ssl_context=context, use_ssl=True)
    if kafka.sasl_mechanism == "OAUTHBEARER":
        return SASLOAuthBearer(ssl_context=context, use_ssl=use_ssl)
    password = kafka.sasl_password.get_secret_value() if kafka.sasl_password else ""
    mechanism = _SASL[kafka.sasl_mechanism or "PLAIN"]
    return mechanism(kafka.sasl_username or "", password, ssl_context=context, use_ssl=use_ssl)


def _ssl_context(kafka: KafkaSettings) -> ssl.SSLContext:
    password = kafka.ssl_key_password
    try:
        context = ssl.create_default_context(cafile=kafka.ssl_cafile)
        if kafka.ssl_certfile is not None:
            context.load_cert_chain(
                kafka.ssl_certfile,
                kafka.ssl_keyfile,
                # Not None: OpenSSL would ask at the terminal for the password of a locked key.
                password.get_secret_value() if password else "",
            )
    except (OSError, ValueError) as error:
        # A ValueError is about a password that is too long, and does not repeat it.
        message = f"kafka.ssl_cafile, ssl_certfile, ssl_keyfile: {type(error).__name__}: {error}"
        raise ConfigurationError(message) from None
    return context

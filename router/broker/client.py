"""The Kafka client settings, as FastStream and as aiokafka take them."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aiokafka.abc import AbstractTokenProvider
from aiokafka.admin import AIOKafkaAdminClient
from faststream.kafka.security import parse_security
from faststream.security import (
    BaseSecurity,
    SASLOAuthBearer,
    SASLPlaintext,
    SASLScram256,
    SASLScram512,
)

from router.broker.adapter.bootstrap import close_cancelled_starts
from router.broker.adapter.private import connections_of
from router.broker.credentials import KafkaCredentials
from router.broker.topics.creation import forbid_topic_creation
from router.configuration.settings import KafkaSettings
from router.contract.secret_text import trimmed

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
        return trimmed(text)


def broker_options(
    kafka: KafkaSettings, credentials: KafkaCredentials | None = None
) -> dict[str, Any]:
    """Return what `faststream.kafka.KafkaBroker` takes, with the password of now."""
    options = _common(kafka)
    options["security"] = _security(kafka, credentials or KafkaCredentials(kafka))
    return options


def client_options(
    kafka: KafkaSettings, credentials: KafkaCredentials | None = None
) -> dict[str, Any]:
    """Return what the clients of aiokafka take, with the password of now."""
    own = credentials or KafkaCredentials(kafka)
    return _common(kafka) | parse_security(_security(kafka, own))


def admin_factory(
    options: Mapping[str, Any],
    renewed: Callable[[Any], None] = lambda _client: None,
    request_milliseconds: int = 40_000,
) -> Callable[[], AIOKafkaAdminClient]:
    """Return a factory of admin clients; `options` and `renewed` as a publisher takes them."""

    def make() -> AIOKafkaAdminClient:
        admin = AIOKafkaAdminClient(**options, request_timeout_ms=request_milliseconds)
        renewed(connections_of(admin))
        return admin

    return make


def _common(kafka: KafkaSettings) -> dict[str, Any]:
    # Here, since every client of a process is made with these options.
    forbid_topic_creation()
    close_cancelled_starts()
    options: dict[str, Any] = {
        "bootstrap_servers": [part.strip() for part in kafka.bootstrap_servers.split(",")],
        "client_id": kafka.client_id,
    }
    if kafka.sasl_token_file is not None:
        options["sasl_oauth_token_provider"] = TokenFile(kafka.sasl_token_file)
    return options


def _security(kafka: KafkaSettings, credentials: KafkaCredentials) -> BaseSecurity | None:
    protocol = kafka.security_protocol
    if protocol == "PLAINTEXT":
        return None
    context = credentials.context
    use_ssl = context is not None
    if protocol == "SSL":
        return BaseSecurity(ssl_context=context, use_ssl=True)
    if kafka.sasl_mechanism == "OAUTHBEARER":
        return SASLOAuthBearer(ssl_context=context, use_ssl=use_ssl)
    mechanism = _SASL[kafka.sasl_mechanism or "PLAIN"]
    name = kafka.sasl_username or ""
    return mechanism(name, credentials.password, ssl_context=context, use_ssl=use_ssl)

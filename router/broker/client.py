"""Makes the Kafka clients: producers, consumers and admin clients.

Each client signs in with the credentials in force at each new connection, and none creates
a topic by asking for it.
"""

import asyncio
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.abc import AbstractTokenProvider
from aiokafka.admin import AIOKafkaAdminClient

from router.broker.adapter.bootstrap import watch_starts
from router.broker.adapter.private import KafkaClient, before_each_request
from router.broker.connection import KafkaConnection
from router.broker.topics.creation import forbid_topic_creation
from router.secrets.secret_text import trimmed


class TokenFile(AbstractTokenProvider):  # type: ignore[misc] # aiokafka publishes no types
    """OAUTHBEARER token in a file, read for every connection because it may be renewed."""

    def __init__(self, path: Path) -> None:
        """Keep the path."""
        self._path = path

    async def token(self) -> str:
        """Return the current token."""
        text = await asyncio.to_thread(self._path.read_text, encoding="utf-8")
        return trimmed(text)


def make_producer(kafka: KafkaConnection, **options: Any) -> AIOKafkaProducer:  # noqa: ANN401 - aiokafka's
    """Make a producer; it connects when it is started."""
    producer = AIOKafkaProducer(**{**options, **client_options(kafka)})
    keep_signed_in(producer, kafka)
    return producer


def make_consumer(kafka: KafkaConnection, *topics: str, **options: Any) -> AIOKafkaConsumer:  # noqa: ANN401 - aiokafka's
    """Make a consumer that commits nothing by itself; it connects when it is started."""
    consumer = AIOKafkaConsumer(
        *topics, **{**options, **client_options(kafka), "enable_auto_commit": False}
    )
    keep_signed_in(consumer, kafka)
    return consumer


def make_admin(kafka: KafkaConnection, **options: Any) -> AIOKafkaAdminClient:  # noqa: ANN401 - aiokafka's
    """Make an admin client; it connects when it is started."""
    admin = AIOKafkaAdminClient(**{**options, **client_options(kafka)})
    keep_signed_in(admin, kafka)
    return admin


def keep_signed_in(client: KafkaClient, kafka: KafkaConnection) -> None:
    """Make a client use the credentials in force at each new connection."""
    before_each_request(client, kafka.credentials.refreshed)


def client_options(kafka: KafkaConnection) -> dict[str, Any]:
    """Return the options that all clients have in common, with the current password."""
    return {**_address(kafka), **_security(kafka), **_token(kafka), **kafka.overrides}


def broker_options(kafka: KafkaConnection) -> dict[str, Any]:
    """Return the options of `faststream.kafka.KafkaBroker`, except its `security`."""
    return {**_address(kafka), **_token(kafka), **kafka.overrides}


def _address(kafka: KafkaConnection) -> dict[str, Any]:
    # Here, because every client of a process is made with these options.
    forbid_topic_creation()
    watch_starts()
    return {"bootstrap_servers": kafka.servers, "client_id": kafka.settings.client_id}


def _security(kafka: KafkaConnection) -> dict[str, Any]:
    settings = kafka.settings
    if settings.security_protocol == "PLAINTEXT":
        return {}
    options: dict[str, Any] = {
        "security_protocol": settings.security_protocol,
        "ssl_context": kafka.credentials.context,
    }
    if settings.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism != "OAUTHBEARER":
            options["sasl_plain_username"] = settings.sasl_username
            options["sasl_plain_password"] = kafka.credentials.password
    return options


def _token(kafka: KafkaConnection) -> dict[str, Any]:
    path = kafka.settings.sasl_token_file
    return {} if path is None else {"sasl_oauth_token_provider": TokenFile(path)}

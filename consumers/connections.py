"""Broker and database of a consumer, as the configuration names them."""

from collections.abc import Callable, Mapping
from typing import Any

from router.broker.credentials import ClientOptions, KafkaCredentials
from router.configuration.database_url import database_url_now
from router.configuration.settings import KafkaSettings, Settings, read_database
from router.errors import ConfigurationError


def kafka_options(kafka: KafkaSettings) -> tuple[Mapping[str, Any], Callable[[Any], None]]:
    """Return client options with the password as it is at each use, and what renews a client's.

    The second makes an aiokafka client sign in with what is valid at each new connection.
    """
    credentials = KafkaCredentials(kafka)

    def options() -> Mapping[str, Any]:
        from router.broker.client import broker_options  # many commands never ask the broker

        return broker_options(kafka, credentials)

    return ClientOptions(options), credentials.renewed


def database_url(settings: Settings, own: Mapping[str, Any], under: str) -> Callable[[], str]:
    """Return a function for the URL of a consumer's database, which reads its file at each call.

    The consumer's own table comes before `[database]`.
    """
    database = read_database(dict(own), under) if own else settings.database
    if database.url is None:
        message = (
            "database.url: missing, and no `payrouter dev` runs here; set it, or database.url_file"
        )
        raise ConfigurationError(message)
    return database_url_now(database, under if own else "database")

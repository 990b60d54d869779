"""Connections of the tests to a broker without authentication."""

from router.broker.connection import KafkaConnection
from router.broker.credentials import KafkaCredentials
from router.broker.settings import KafkaSettings

NOWHERE = "127.0.0.1:1"
"""An address that nothing listens at."""


def connection_to(bootstrap: str = NOWHERE, **overrides: object) -> KafkaConnection:
    """Return a connection to this broker; `overrides` are options of every client."""
    settings = KafkaSettings(bootstrap_servers=bootstrap)
    return KafkaConnection(settings, KafkaCredentials(settings), overrides)

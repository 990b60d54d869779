"""How the tests connect to a broker that asks nobody to sign in."""

from router.broker.connection import KafkaConnection
from router.broker.credentials import KafkaCredentials
from router.broker.settings import KafkaSettings

NOWHERE = "127.0.0.1:1"
"""An address that nothing listens at."""


def connection_to(bootstrap: str = NOWHERE, **overrides: object) -> KafkaConnection:
    """Return a connection to this broker; `overrides` are options of every client."""
    settings = KafkaSettings(bootstrap_servers=bootstrap)
    return KafkaConnection(settings, KafkaCredentials(settings), overrides)

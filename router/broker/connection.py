"""Settings and credentials of the Kafka clients; imports no Kafka client, so it costs nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from router.broker.credentials import KafkaCredentials
from router.broker.rights import principal_of
from router.broker.settings import KafkaSettings


@dataclass(frozen=True)
class KafkaConnection:
    """How to connect to the broker: `[kafka]`, with the credentials in force.

    `router.broker.client` makes clients from it. `overrides` are options of aiokafka that
    replace those of every client.
    """

    settings: KafkaSettings
    credentials: KafkaCredentials = field(repr=False)
    overrides: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, settings: KafkaSettings) -> Self:
        """Read the credentials. Raises ConfigurationError."""
        return cls(settings, KafkaCredentials(settings))

    @property
    def bootstrap(self) -> str:
        """The brokers, separated by commas, as Kafka's own tools take them."""
        return ",".join(self.servers)

    @property
    def servers(self) -> Sequence[str]:
        """The brokers, each as host:port."""
        return [server.strip() for server in self.settings.bootstrap_servers.split(",")]

    @property
    def principal(self) -> str:
        """Our user, as access control lists name it."""
        return principal_of(self.settings.sasl_username)

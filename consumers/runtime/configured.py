"""A consumer together with its configuration."""

from dataclasses import dataclass

from consumers.runtime.service import Service
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.tables import RuntimeTables


@dataclass(frozen=True)
class Consumer:
    """A declared service, and the settings it runs with."""

    service: Service
    settings: ConsumerSettings

    @property
    def topics(self) -> frozenset[str]:
        """The topics it reads, as the broker names them."""
        return frozenset(map(self.settings.topics.name, self.service.topics))

    @property
    def tables(self) -> RuntimeTables:
        """The runtime's tables of this consumer."""
        return RuntimeTables.of(self.service.schema)

"""Click's object: gives the commands the installed consumers, imported when they are needed."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from consumers.installed import names
from router.commands.invocation import Invocation

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from pydantic import BaseModel

    from consumers.runtime.configured import Consumer
    from router.contract.topics import Topics, TopicsBeside
    from router.terminal.options import ConfigurationPlace


class Installation:
    """The consumers, as commands and completion need them."""

    def names(self) -> Sequence[str]:
        """Return the names of the consumers, without importing them."""
        return names()

    def check(
        self, tables: Mapping[str, dict[str, Any]], used: Collection[str] | None = None
    ) -> None:
        """Raise ConfigurationError for each problem in the tables `[consumers.NAME]`.

        Only the consumers in `used` are imported to check their options, None for all of them.
        """
        from consumers.tables import check_tables

        check_tables(tables, used)

    def shown(self, tables: Mapping[str, dict[str, Any]], *, whole: bool = False) -> dict[str, Any]:
        """Return the same tables with every secret masked.

        `whole` with every setting of every consumer, None if it is not set.
        """
        if not tables and not whole:
            return {}
        from consumers.configuration import shown_consumers, whole_consumers

        return whole_consumers(tables) if whole else shown_consumers(tables)

    def models(self) -> "tuple[type[BaseModel], Mapping[str, type[BaseModel]]]":
        """Return the model of every `[consumers.NAME]`, and those of each consumer's own keys."""
        from consumers import discovery
        from consumers.runtime.settings import Tuning

        return Tuning, {name: each.options for name, each in discovery.discover().items()}

    def topics(self, names: "Topics") -> "TopicsBeside":
        """Return the topics that the consumers need in addition to those of the edge."""
        from consumers import discovery

        return discovery.topics_beside(names, discovery.discover())

    def metrics(self) -> "Mapping[str, CollectorRegistry]":
        """Return what each kind of consumer process measures, by the name of the kind."""
        from consumers.catalogue import declared

        return declared()

    def consumer(self, place: "ConfigurationPlace", name: str) -> "Consumer":
        """Return one consumer. Raises UsageError if there is none of this name."""
        from consumers.configuration import one_consumer

        return one_consumer(Invocation(place, self), name)

    def consumers(self, place: "ConfigurationPlace") -> "Sequence[Consumer]":
        """Return every consumer."""
        from consumers.configuration import every_consumer

        return every_consumer(Invocation(place, self))

"""First argument of the edge's commands: options for the configuration, and the consumers."""

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import click

from router.terminal.options import ConfigurationPlace, located

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from pydantic import BaseModel

    from router.contract.topics import Topics, TopicsBeside


class InstalledConsumers(Protocol):
    """The consumers, as the edge's commands need them: they may not import them."""

    def check(
        self, tables: Mapping[str, dict[str, Any]], used: Collection[str] | None = None
    ) -> None:
        """Raise ConfigurationError for each problem in the tables `[consumers.NAME]`.

        Only the consumers in `used` are imported to check their options, None for all of them.
        """

    def shown(self, tables: Mapping[str, dict[str, Any]], *, whole: bool = False) -> dict[str, Any]:
        """Return the same tables with every secret masked.

        `whole` with every setting of every consumer, None if it is not set.
        """

    def models(self) -> "tuple[type[BaseModel], Mapping[str, type[BaseModel]]]":
        """Return the model of every `[consumers.NAME]`, and those of each consumer's own keys."""

    def topics(self, names: "Topics") -> "TopicsBeside":
        """Return the topics that the consumers need in addition to those of the edge."""

    def metrics(self) -> "Mapping[str, CollectorRegistry]":
        """Return what each kind of consumer process measures, by the name of the kind."""


@dataclass(frozen=True)
class Invocation:
    """One run of a command."""

    place: ConfigurationPlace
    consumers: InstalledConsumers


def invoked(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--config` and `--data-dir` to a command; its first argument is an Invocation."""

    @located
    @functools.wraps(command)
    def wrapped(place: ConfigurationPlace, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - click's
        return command(Invocation(place, click.get_current_context().obj), *args, **options)

    return wrapped

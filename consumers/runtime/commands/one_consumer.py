"""Gives a command the consumer it is about, with its settings of the configuration in force."""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import click

from router.terminal.completion import complete_consumer
from router.terminal.options import ConfigurationPlace, located

if TYPE_CHECKING:
    from consumers.runtime.configured import Consumer


class ConfiguredConsumers(Protocol):
    """Click's object, as these commands use it: reads the configuration in force."""

    def consumer(self, place: ConfigurationPlace, name: str) -> "Consumer":
        """Return one consumer. Raises UsageError if there is none of this name."""

    def consumers(self, place: ConfigurationPlace) -> "Sequence[Consumer]":
        """Return every consumer."""


def one_consumer(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument NAME, `--config` and `--data-dir`; the first argument is a Consumer."""

    @click.argument("name", shell_complete=complete_consumer)
    @located
    @functools.wraps(command)
    def wrapped(place: ConfigurationPlace, *args: Any, name: str, **options: Any) -> Any:  # noqa: ANN401 - click's
        return command(_configured().consumer(place, name), *args, **options)

    return wrapped


def one_or_all_consumers(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an optional argument NAME; the first argument is a list with it, or with all."""

    @click.argument("name", required=False, shell_complete=complete_consumer)
    @located
    @functools.wraps(command)
    def wrapped(  # click's
        place: ConfigurationPlace,
        *args: Any,  # noqa: ANN401
        name: str | None,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        found = _configured()
        chosen = [found.consumer(place, name)] if name else found.consumers(place)
        return command(chosen, *args, **options)

    return wrapped


def all_consumers(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--config` and `--data-dir`; the first argument is a list with every consumer."""

    @located
    @functools.wraps(command)
    def wrapped(place: ConfigurationPlace, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - click's
        return command(_configured().consumers(place), *args, **options)

    return wrapped


def settings_of(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add `--config` and `--data-dir`; the first argument is the ConsumerSettings of NAME.

    For the own commands of a consumer: `payrouter NAME …`.
    """

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        @located
        @functools.wraps(command)
        def wrapped(place: ConfigurationPlace, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - click's
            return command(_configured().consumer(place, name).settings, *args, **options)

        return wrapped

    return decorated


def _configured() -> ConfiguredConsumers:
    found: ConfiguredConsumers = click.get_current_context().obj
    return found

"""Checks the whole configuration and reports every problem on every level at once."""

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Protocol

from router.configuration.endpoint_settings import valid_endpoints
from router.configuration.problems import Problems
from router.configuration.secret_files import with_secrets_read
from router.configuration.settings import Settings, settings_from
from router.configuration.sources import Sources
from router.errors import ConfigurationError


class CheckConsumers(Protocol):
    """Raises ConfigurationError for the problems of the consumers' tables."""

    def __call__(
        self, tables: Mapping[str, dict[str, Any]], used: Collection[str] | None = None
    ) -> None:
        """Check the options of the consumers in `used`, None for all."""


def checked_settings(
    sources: Sources,
    check_consumers: CheckConsumers,
    public_url: str | None = None,
    consumers: Collection[str] | None = None,
) -> Settings:
    """Return the settings; raises ConfigurationError with every problem there is.

    The endpoints' providers, and the options of consumers that are not in `consumers`, are
    checked only if something else is wrong as well: a consumer runs even if the edge would refuse
    an endpoint. `public_url` is the one in use if `[edge]` has none.
    """
    tables = _tables(sources.values.get("consumers"))
    problems = Problems(list(sources.problems))
    with problems.gathered():
        settings = settings_from(sources.values)
    ours = Problems()
    with ours.gathered():
        check_consumers(tables, consumers)
    if not problems.lines and not ours.lines:
        return settings
    with problems.gathered():
        check_consumers(tables)
    problems.lines += _of_providers(sources.values, problems.lines, public_url)
    raise ConfigurationError(*_located(sources, problems.lines))


@contextlib.contextmanager
def problems_located(sources: Sources) -> Iterator[None]:
    """Add to the problems that the block raises the line or the variable that each is in."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(*_located(sources, error.problems)) from None


def _located(sources: Sources, lines: Iterable[str]) -> list[str]:
    """Return each problem once, with the line of the file or the variable that it is in."""
    from router.configuration.origins import Origins  # only for a configuration that is wrong

    origins = Origins(sources)
    return [origins.located(line) for line in dict.fromkeys(lines)]


def _of_providers(values: Mapping[str, Any], known: list[str], public_url: str | None) -> list[str]:
    """Return the providers' problems with those endpoints that have none so far."""
    from router.edge.endpoints import (
        join_endpoints,
    )  # a consumer needs no gateway, unless all is reported

    read, _ = with_secrets_read(values)
    endpoints = {
        name: endpoint
        for name, endpoint in valid_endpoints(read).items()
        if not any(line.startswith((f"endpoints.{name}.", f"endpoints.{name}:")) for line in known)
    }
    edge = values.get("edge")
    given = edge.get("public_url") if isinstance(edge, Mapping) else None
    _, problems = join_endpoints(endpoints, given if isinstance(given, str) else public_url)
    return problems


def _tables(value: object) -> dict[str, dict[str, Any]]:
    tables = value.items() if isinstance(value, Mapping) else ()
    return {name: table for name, table in tables if isinstance(table, dict)}

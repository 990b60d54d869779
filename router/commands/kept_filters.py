"""Filters that `payrouter quarantine` and `payrouter refused` share."""

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from router.terminal.completion import complete_endpoint, complete_provider
from router.terminal.options import since_option

_FILTERS = (
    click.option("--id", "ids", multiple=True, help="Id or its beginning; may be repeated."),
    click.option("--reason", help="Reason, such as stale or not_parseable."),
    click.option("--provider", shell_complete=complete_provider, help="Gateway."),
    click.option("--endpoint", shell_complete=complete_endpoint, help="Endpoint."),
    since_option("Received at this time or later"),
)


def filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the filters to a command; it gets them as `filters`, by name."""

    @functools.wraps(command)
    def wrapped(
        *args: Any,  # noqa: ANN401 - click's
        ids: tuple[str, ...],
        reason: str | None,
        provider: str | None,
        endpoint: str | None,
        since: datetime | None,
        **options: Any,  # noqa: ANN401 - click's
    ) -> Any:  # noqa: ANN401 - click's
        filters = {
            "ids": ids,
            "reason": reason,
            "provider": provider,
            "endpoint": endpoint,
            "since": since,
        }
        return command(*args, filters=filters, **options)

    return functools.reduce(lambda inner, option: option(inner), reversed(_FILTERS), wrapped)

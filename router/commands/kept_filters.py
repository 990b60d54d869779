"""Filters that `payrouter quarantine` and `payrouter refused` share."""

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from router.terminal.completion import complete_endpoint, complete_from, complete_provider
from router.terminal.options import since_option

REASONS = (
    "address",
    "ambiguous",
    "amount_unrepresentable",
    "body_incomplete",
    "body_too_large",
    "body_too_slow",
    "content_type",
    "event_header_contradicts",
    "field_malformed",
    "field_missing",
    "future",
    "headers_too_large",
    "id_duplicated",
    "id_malformed",
    "id_missing",
    "internal",
    "live_money",
    "method",
    "not_ours",
    "not_parseable",
    "signature_duplicated",
    "signature_malformed",
    "signature_missing",
    "signature_wrong",
    "stale",
    "test_money",
    "time_duplicated",
    "time_malformed",
    "time_missing",
    "unknown_event",
    "unknown_status",
)
"""The reasons of `router.edge.outcomes` for which a delivery is stored, without importing it."""

_FILTERS = (
    click.option("--id", "ids", multiple=True, help="Id or its beginning; may be repeated."),
    click.option(
        "--reason",
        shell_complete=complete_from(lambda: REASONS),
        help="Reason, such as stale or not_parseable.",
    ),
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

"""`payrouter verify`: why a captured request is genuine or not."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.text import Text

from router.app import build_endpoints, utc_now
from router.captured import Captured, read_captured
from router.delivery import Delivery
from router.errors import ConfigurationError
from router.explain import Step, explain
from router.intake import Endpoint
from router.invocation import (
    EXIT_PROBLEM,
    Invocation,
    console,
    endpoint_name,
    invoked,
    json_option,
)
from router.providers._signing import from_unix_ms

_MARKS = {True: ("ok", "green"), False: ("no", "red"), None: ("", "")}


@click.command()
@click.argument("provider")
@click.option(
    "--file",
    "path",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The request: request line, headers, an empty line, the body.",
)
@click.option("--endpoint", help="Endpoint it was for; default: the first one of the provider.")
@click.option("--at", help="When it arrived, ISO 8601 or Unix milliseconds; default: now.")
@invoked
@json_option
def verify(
    invocation: Invocation,
    provider: str,
    path: Path,
    endpoint: str | None,
    at: str | None,
    *,
    as_json: bool,
) -> None:
    """Explain step by step why a captured request verifies or not. Tells no secret."""
    settings = invocation.settings()
    name = endpoint_name(settings, provider, endpoint)
    found = build_endpoints(settings)[name]
    own = settings.endpoints[name].token
    token = own.get_secret_value() if own else None
    captured = read_captured(path.read_bytes())
    moment = utc_now() if at is None else _moment(at)
    told = explain(_delivery(captured, found, token, moment), found, moment, token)
    steps = [Step("file", captured.mended), *told.steps] if captured.mended else told.steps
    if as_json:
        steps_told = [step.as_json() for step in steps]
        click.echo(json.dumps({"verified": told.verified, "steps": steps_told}))
    else:
        _show(name, steps, verified=told.verified)
    if not told.verified:
        raise SystemExit(EXIT_PROBLEM)


def _delivery(
    captured: Captured, endpoint: Endpoint, token: str | None, moment: datetime
) -> Delivery:
    target = captured.target
    if token is not None:
        path, mark, query = target.partition("?")
        target = path.replace(token, "{token}") + mark + query
    return Delivery(
        endpoint.name,
        endpoint.account,
        captured.method,
        target,
        captured.headers,
        captured.body,
        moment,
    )


def _moment(text: str) -> datetime:
    try:
        if text.isdecimal():
            return from_unix_ms(text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = "--at: expected a time such as 2026-11-22T10:00:00Z, or Unix milliseconds"
        raise ConfigurationError(message) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _show(name: str, steps: Sequence[Step], *, verified: bool) -> None:
    out = console()
    for step in steps:
        mark, colour = _MARKS[step.good]
        out.print(Text(f"{mark:<3}", style=colour) + Text(f"{step.what}: ", style="bold"), end="")
        out.print(Text(step.found), soft_wrap=True)
    verdict = "would be taken in by" if verified else "would NOT be taken in by"
    out.print(Text(f"\nthis request {verdict} endpoint {name}"))

"""`payrouter verify`: why a captured request is genuine or not."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.text import Text

from router.commands.invocation import (
    EXIT_PROBLEM,
    Invocation,
    console,
    endpoint_name,
    invoked,
    json_option,
)
from router.commands.refused import read_sample
from router.configuration.settings import Settings
from router.contract.refused import Refused
from router.delivery import Delivery
from router.edge.app import utc_now
from router.edge.endpoints import build_endpoints
from router.edge.intake import Endpoint
from router.edge.refused.masking import MASK
from router.edge.refused.sample import missing_of, sampled_delivery
from router.errors import ConfigurationError
from router.providers._signing import from_unix_ms
from router.quarantine.captured import Captured, read_captured
from router.quarantine.explain import Explanation, Step, explain, explain_incomplete, headers_read

_MARKS = {True: ("ok", "green"), False: ("no", "red"), None: ("", "")}


@click.command()
@click.argument("provider")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The request: request line, headers, an empty line, the body.",
)
@click.option("--refused", "sample", help="A refused delivery: its id, or the beginning of it.")
@click.option("--endpoint", help="Endpoint it was for; default: the first one of the provider.")
@click.option("--at", help="When it arrived, ISO 8601 or Unix milliseconds; default: now.")
@invoked
@json_option
def verify(  # noqa: PLR0913 - one argument per option
    invocation: Invocation,
    provider: str,
    path: Path | None,
    sample: str | None,
    endpoint: str | None,
    at: str | None,
    *,
    as_json: bool,
) -> None:
    """Explain step by step why a request verifies or not. Tells no secret.

    The request comes from a file, or is one that the edge refused: then it is
    checked as of its arrival, unless --at says otherwise.
    """
    settings = invocation.settings()
    if (path is None) == (sample is None):
        message = "expected either --file or --refused"
        raise click.UsageError(message)
    if path is not None:
        name = endpoint_name(settings, provider, endpoint)
        told = _of_file(settings, name, path, at)
    else:
        kept = read_sample(settings, sample or "")
        name = endpoint_name(settings, provider, endpoint or kept.endpoint)
        told = _of_sample(settings, name, kept, at)
    if as_json:
        steps = [step.as_json() for step in told.steps]
        click.echo(json.dumps({"verified": told.verified, "steps": steps}))
    else:
        _show(name, told.steps, verified=told.verified)
    if not told.verified:
        raise SystemExit(EXIT_PROBLEM)


def _of_file(settings: Settings, name: str, path: Path, at: str | None) -> Explanation:
    endpoint, token = _endpoint(settings, name)
    captured = read_captured(path.read_bytes())
    moment = utc_now() if at is None else _moment(at)
    told = explain(_delivery(captured, endpoint, token, moment), endpoint, moment, token)
    if captured.corrected is None:
        return told
    return replace(told, steps=[Step("file", captured.corrected), *told.steps])


def _of_sample(settings: Settings, name: str, kept: Refused, at: str | None) -> Explanation:
    endpoint, token = _endpoint(settings, name)
    delivery, missing = sampled_delivery(kept), missing_of(kept)
    if missing is None and MASK in headers_read(delivery, endpoint):
        missing = "the value of a header that it needs was masked"
    if missing is None:
        moment = kept.received_at if at is None else _moment(at)
        told = explain(delivery, endpoint, moment, token)
    else:
        told = explain_incomplete(delivery, endpoint, missing, token)
    return replace(told, steps=[*_sample_steps(kept, missing), *told.steps])


def _sample_steps(kept: Refused, missing: str | None) -> Iterator[Step]:
    when = kept.received_at.isoformat()
    yield Step("refused", f"{when} from {kept.source}, {kept.reason}: {kept.detail}")
    if missing is not None and kept.body_bytes is not None:
        yield Step("body", f"{kept.body_bytes} bytes, SHA-256 {kept.body_sha256}")


def _endpoint(settings: Settings, name: str) -> tuple[Endpoint, str | None]:
    token = settings.endpoints[name].token
    return build_endpoints(settings)[name], token.get_secret_value() if token else None


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

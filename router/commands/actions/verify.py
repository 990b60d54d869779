"""Explains why a captured request is genuine or not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.text import Text

from router.commands.actions.configured import endpoint_name, load_settings
from router.commands.actions.refused import read_sample
from router.commands.invocation import Invocation
from router.configuration.settings import Settings
from router.contract.refused import Refused
from router.delivery import Delivery
from router.edge.app import utc_now
from router.edge.endpoints import build_endpoints
from router.edge.intake import Endpoint
from router.errors import ConfigurationError
from router.providers._signing import from_unix_ms
from router.quarantine.captured import Captured, read_captured
from router.quarantine.explain import Explanation, Step, explain
from router.quarantine.stored import KeyedEndpoint, explain_refused
from router.terminal.exits import EXIT_PROBLEM
from router.terminal.output import console, show_json

_MARKS = {True: ("ok", "green"), False: ("no", "red"), None: ("", "")}


@dataclass(frozen=True)
class CapturedRequest:
    """The request in question: in a file, or a refused sample's id, as of a time."""

    provider: str
    endpoint: str | None
    path: Path | None
    sample: str | None
    at: str | None


def explain_request(invocation: Invocation, request: CapturedRequest, *, as_json: bool) -> None:
    """Print each step of the verification; exits with status 1 if the request does not verify."""
    settings = load_settings(invocation)
    name, explanation = _explained(settings, request)
    if as_json:
        steps = [step.as_json() for step in explanation.steps]
        show_json({"verified": explanation.verified, "steps": steps})
    else:
        _show(name, explanation.steps, verified=explanation.verified)
    if not explanation.verified:
        raise SystemExit(EXIT_PROBLEM)


def _explained(settings: Settings, request: CapturedRequest) -> tuple[str, Explanation]:
    if request.path is not None:
        name = endpoint_name(settings, request.provider, request.endpoint)
        return name, _of_file(settings, name, request.path, request.at)
    kept = read_sample(settings, request.sample or "")
    name = endpoint_name(settings, request.provider, request.endpoint or kept.endpoint)
    return name, _of_sample(settings, name, kept, request.at)


def _of_file(settings: Settings, name: str, path: Path, at: str | None) -> Explanation:
    endpoint, token = _endpoint(settings, name)
    captured = read_captured(path.read_bytes())
    moment = utc_now() if at is None else _moment(at)
    explanation = explain(_delivery(captured, endpoint, token, moment), endpoint, moment, token)
    if captured.corrected is None:
        return explanation
    return replace(explanation, steps=[Step("file", captured.corrected), *explanation.steps])


def _of_sample(settings: Settings, name: str, kept: Refused, at: str | None) -> Explanation:
    keyed = KeyedEndpoint(*_endpoint(settings, name))
    return explain_refused(kept, keyed, None if at is None else _moment(at))


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
        out.print(Text(step.whole), soft_wrap=True)
    verdict = "would be accepted by" if verified else "would NOT be accepted by"
    out.print(Text(f"\nthis request {verdict} endpoint {name}"))

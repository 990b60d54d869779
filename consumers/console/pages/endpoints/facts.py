"""Facts about endpoints from the configuration, without any of its secrets."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from consumers.console.access.viewer import Viewer
from router.configuration.endpoint_settings import EndpointSettings, Mode
from router.configuration.settings import Settings
from router.edge.endpoints import join_endpoints
from router.edge.intake import Endpoint
from router.providers import Asymmetric, endpoint_target

TOKEN = "•••"  # noqa: S105 - what is shown instead of one


@dataclass(frozen=True)
class EndpointFacts:
    """An endpoint. `url` has its token masked; `keys` are fingerprints.

    `problem` is why an edge with this configuration would not start with it: the console's copy
    may lack the secrets.
    """

    name: str
    provider: str
    account: str
    mode: Mode
    url: str
    has_token: bool
    keys: Sequence[str]
    allowed: Sequence[str] | None
    deadline_seconds: float
    tolerance_seconds: float | None
    problem: str | None = None


def read_facts(settings: Settings, viewer: Viewer) -> Sequence[EndpointFacts]:
    """Return the endpoints of the accounts that a viewer may see, by name."""
    seen = {
        name: own
        for name, own in sorted(settings.endpoints.items())
        if viewer.accounts is None or own.account in viewer.accounts
    }
    built, problems = join_endpoints(seen, settings.edge.public_url)
    return [
        _facts(name, own, settings.edge.public_url, built, problems) for name, own in seen.items()
    ]


def _facts(
    name: str,
    own: EndpointSettings,
    edge_url: str | None,
    built: Mapping[str, Endpoint],
    problems: Collection[str],
) -> EndpointFacts:
    endpoint = built.get(name)
    target = endpoint_target(name, has_token=own.token is not None).replace("{token}", TOKEN)
    tolerance = None if endpoint is None else endpoint.tolerance
    return EndpointFacts(
        name=name,
        provider=own.provider,
        account=own.account,
        mode=own.mode,
        url=f"{own.public_url or edge_url or ''}{target}",
        has_token=own.token is not None,
        keys=[] if endpoint is None else _fingerprints(endpoint),
        allowed=own.allow_from,
        deadline_seconds=own.deadline_seconds,
        tolerance_seconds=None if tolerance is None else tolerance.total_seconds(),
        problem=_problem(name, problems),
    )


def _problem(name: str, problems: Collection[str]) -> str | None:
    starts = (f"endpoints.{name}.", f"endpoints.{name}:")
    return next((line for line in problems if line.startswith(starts)), None)


def _fingerprints(endpoint: Endpoint) -> Sequence[str]:
    public = endpoint.provider.public_keys if isinstance(endpoint.provider, Asymmetric) else ()
    return [key.fingerprint for key in (*endpoint.keys, *public)]

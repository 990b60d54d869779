"""Writes the URL that is pasted into a gateway's dashboard or request."""

from collections.abc import Sequence
from urllib.parse import urlencode

from router.commands.actions.configured import load_settings
from router.commands.invocation import Invocation
from router.configuration.endpoint_settings import EndpointSettings
from router.edge.endpoints import build_endpoints
from router.edge.intake import Endpoint
from router.errors import ConfigurationError
from router.providers import EndpointContext, Referencing


def endpoint_url(
    invocation: Invocation, name: str, reference: str | None, parameters: Sequence[str]
) -> str:
    """Return the whole URL of an endpoint, token included."""
    settings = load_settings(invocation)
    if name not in settings.endpoints:
        known = f"there are {', '.join(settings.endpoints)}"
        hint = known if settings.endpoints else "is `payrouter dev` running here?"
        message = f"there is no endpoint {name}; {hint}"
        raise ConfigurationError(message)
    own = settings.endpoints[name]
    found = build_endpoints(settings)[name]
    target = _target(found, reference, parameters)
    return _place(found, own, settings.edge.public_url).url(target)


def _place(found: Endpoint, own: EndpointSettings, of_edge: str | None) -> EndpointContext:
    public_url = own.public_url or of_edge
    if public_url is None:
        message = f"endpoints.{found.name}.public_url: missing, here and under edge"
        raise ConfigurationError(message)
    token = own.token.get_secret_value() if own.token else None
    return EndpointContext(found.name, public_url, token, found.keys)


def _target(found: Endpoint, reference: str | None, parameters: Sequence[str]) -> str:
    if reference is None and not parameters:
        return found.target
    if not isinstance(found.provider, Referencing):
        option = "--parameter" if reference is None else "--order"
        message = f"{option}: {found.provider.name} sends the order itself, one URL is for all"
        raise ConfigurationError(message)
    own = [_parameter(text, found.provider) for text in parameters]
    queries = [urlencode(own)] if own else []
    if reference is not None:
        queries.insert(0, _order_query(found, found.provider, reference))
    return f"{found.target}?{'&'.join(queries)}"


def _order_query(found: Endpoint, provider: Referencing, reference: str) -> str:
    try:
        return provider.order_query(reference)
    except ConfigurationError as error:
        message = f"endpoints.{found.name}.{error}"
        raise ConfigurationError(message) from None


def _parameter(text: str, provider: Referencing) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        message = f"--parameter: expected NAME=VALUE, not {text}"
        raise ConfigurationError(message)
    if name in provider.reserved:
        message = f"--parameter: the gateway uses the name {name} itself; choose another"
        raise ConfigurationError(message)
    return name, value

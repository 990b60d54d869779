"""`payrouter endpoint url`: the URL that is pasted into a gateway's dashboard or request."""

from collections.abc import Sequence
from urllib.parse import urlencode

import click

from router.commands.invocation import Invocation, invoked
from router.configuration.settings import EndpointSettings
from router.edge.endpoints import build_endpoints
from router.edge.intake import Endpoint
from router.errors import ConfigurationError
from router.providers import EndpointContext, Referencing


@click.group()
def endpoint() -> None:
    """Tell what a gateway has to be told of an endpoint."""


@endpoint.command()
@click.argument("name")
@click.option("--order", "reference", help="Of this order: where the gateway calls one URL each.")
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="Of your own in that URL; may be repeated. A name of the gateway's is refused.",
)
@invoked
def url(
    invocation: Invocation, name: str, reference: str | None, parameters: tuple[str, ...]
) -> None:
    """Print the whole URL of endpoint NAME, token included: it is a secret."""
    settings = invocation.settings()
    if name not in settings.endpoints:
        message = f"there is no endpoint {name}; there are {', '.join(settings.endpoints)}"
        raise ConfigurationError(message)
    own = settings.endpoints[name]
    found = build_endpoints(settings)[name]
    target = _target(found, reference, parameters)
    click.echo(_place(found, own, settings.edge.public_url).url(target))


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
        message = f"{option}: {found.provider.name} names the order itself, one URL is for all"
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
        message = f"--parameter: {name} is a name of the gateway's own, its value would be unclear"
        raise ConfigurationError(message)
    return name, value

"""`payrouter endpoint url`: the URL that is pasted into a gateway's dashboard or request."""

import click

from router.app import build_endpoints
from router.errors import ConfigurationError
from router.intake import Endpoint
from router.invocation import Invocation, invoked
from router.providers import Place, Referencing
from router.settings import EndpointSettings


@click.group()
def endpoint() -> None:
    """Tell what a gateway has to be told of an endpoint."""


@endpoint.command()
@click.argument("name")
@click.option("--order", "reference", help="Of this order: where the gateway calls one URL each.")
@invoked
def url(invocation: Invocation, name: str, reference: str | None) -> None:
    """Print the whole URL of endpoint NAME, token included: it is a secret."""
    settings = invocation.settings()
    if name not in settings.endpoints:
        message = f"there is no endpoint {name}; there are {', '.join(settings.endpoints)}"
        raise ConfigurationError(message)
    own = settings.endpoints[name]
    found = build_endpoints(settings)[name]
    click.echo(_place(found, own, settings.edge.public_url).url(_target(found, reference)))


def _place(found: Endpoint, own: EndpointSettings, of_edge: str | None) -> Place:
    public_url = own.public_url or of_edge
    if public_url is None:
        message = f"endpoints.{found.name}.public_url: missing, here and under edge"
        raise ConfigurationError(message)
    token = own.token.get_secret_value() if own.token else None
    return Place(found.name, public_url, token, found.keys)


def _target(found: Endpoint, reference: str | None) -> str:
    if reference is None:
        return found.target
    if not isinstance(found.provider, Referencing):
        message = f"--order: {found.provider.name} names the order itself, one URL is for all"
        raise ConfigurationError(message)
    try:
        return f"{found.target}?{found.provider.order_query(reference)}"
    except ConfigurationError as error:
        message = f"endpoints.{found.name}.{error}"
        raise ConfigurationError(message) from None

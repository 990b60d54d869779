"""Makes the configured endpoints: joins each with its provider, after all checks of a start."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ValidationError

from router.configuration.addresses import Network, networks
from router.configuration.endpoint_settings import EndpointSettings
from router.configuration.problems import Problems, nearest, problem_lines
from router.configuration.settings import Settings
from router.configuration.values import PUBLISHED
from router.contract.identity import gateway_name
from router.edge.gate import Gate
from router.edge.intake import Endpoint
from router.errors import ConfigurationError
from router.providers import (
    Asymmetric,
    Configurable,
    EndpointContext,
    Key,
    NoOptions,
    Provider,
    Published,
    discover,
)
from router.providers._signing import fingerprint


def build_endpoints(settings: Settings) -> dict[str, Endpoint]:
    """Join each configured endpoint with its provider, or raise ConfigurationError."""
    if not settings.endpoints:
        message = "endpoints: none is configured, so no webhook could be accepted"
        raise ConfigurationError(message)
    built, problems = join_endpoints(settings.endpoints, settings.edge.public_url)
    if problems:
        raise ConfigurationError(*problems)
    return built


def join_endpoints(
    endpoints: Mapping[str, EndpointSettings], public_url: str | None
) -> tuple[dict[str, Endpoint], list[str]]:
    """Join each endpoint with its provider; return the valid ones and the problems of others."""
    providers, built, problems = discover(), {}, Problems()
    for name, endpoint in endpoints.items():
        with problems.gathered():
            built[name] = _endpoint(name, endpoint, public_url, providers)
    return built, problems.lines


def checked_options(settings: Settings) -> dict[str, BaseModel]:
    """Return each endpoint's provider options, after every check that a start makes."""
    build_endpoints(settings)
    providers = discover()
    return {
        name: _options(name, providers[endpoint.provider], endpoint.options)
        for name, endpoint in settings.endpoints.items()
    }


def _endpoint(
    name: str, settings: EndpointSettings, public_url: str | None, providers: Mapping[str, Provider]
) -> Endpoint:
    _check_names(name, settings)
    provider = providers.get(settings.provider)
    if provider is None:
        message = (
            f"endpoints.{name}.provider: unknown provider {settings.provider};"
            f" expected one of {', '.join(sorted(providers))}"
            f"{nearest(settings.provider, providers)}"
        )
        raise ConfigurationError(message)
    keys = _keys(settings)
    token = settings.token.get_secret_value() if settings.token else None
    context = EndpointContext(name, settings.public_url or public_url, token, keys)
    provider = _configured(provider, _options(name, provider, settings.options), context)
    if not keys and not (isinstance(provider, Asymmetric) and provider.public_keys):
        message = f"endpoints.{name}: no secret: set secrets or secret_files"
        raise ConfigurationError(message)
    tolerance = provider.tolerance
    if settings.tolerance_seconds is not None:
        tolerance = timedelta(seconds=settings.tolerance_seconds)
    return Endpoint(
        name,
        settings.account,
        provider,
        keys,
        tolerance,
        settings.deadline_seconds,
        has_token=token is not None,
        mode=settings.mode,
    )


def _check_names(name: str, settings: EndpointSettings) -> None:
    for place, given in (
        (f"endpoints.{name}", name),
        (f"endpoints.{name}.provider", settings.provider),
    ):
        try:
            gateway_name(given)
        except ValueError as error:
            message = f"{place}: choose another name, {error}"
            raise ConfigurationError(message) from None


def _options(name: str, provider: Provider, options: dict[str, Any]) -> BaseModel:
    model = provider.options if isinstance(provider, Configurable) else NoOptions
    try:
        return model.model_validate(options)
    except ValidationError as error:
        common = EndpointSettings.model_fields.keys() - {"options"}
        lines = problem_lines(error, f"endpoints.{name}", model, common)
        raise ConfigurationError(*lines) from None


def _configured(provider: Provider, options: BaseModel, context: EndpointContext) -> Provider:
    if not isinstance(provider, Configurable):
        return provider
    try:
        return provider.configured(options, context)
    except ConfigurationError as error:
        lines = [f"endpoints.{context.name}.{problem}" for problem in error.problems]
        raise ConfigurationError(*lines) from None


def _keys(settings: EndpointSettings) -> list[Key]:
    secrets: Iterable[bytes] = (s.get_secret_value().encode() for s in settings.secrets)
    return [Key(secret, fingerprint(secret)) for secret in dict.fromkeys(secrets)]


def gates_of(settings: Settings, endpoints: dict[str, Endpoint]) -> dict[str, Gate]:
    """Pair each endpoint with its token and allowed networks, or raise ConfigurationError."""
    gates, problems = {}, Problems()
    for name, endpoint in endpoints.items():
        own = settings.endpoints[name]
        token = own.token.get_secret_value().encode() if own.token else None
        with problems.gathered():
            gates[name] = Gate(endpoint, token, _allowed(name, own, endpoint.provider))
    problems.refuse()
    return gates


def _allowed(
    name: str, settings: EndpointSettings, provider: Provider
) -> tuple[Network, ...] | None:
    if settings.allow_from != (PUBLISHED,):
        return None if settings.allow_from is None else networks(settings.allow_from)
    if not isinstance(provider, Published):
        message = f"endpoints.{name}.allow_from: {provider.name} publishes no addresses"
        raise ConfigurationError(message)
    return networks(provider.addresses)

"""Endpoints whose provider has settings, assembled as the edge does."""

import copy
from collections.abc import Mapping
from typing import Any

from router.configuration.settings import settings_from
from router.edge.endpoints import build_endpoints
from router.edge.intake import Endpoint
from router.providers import Configurable, discover
from tests.parts.providers.deliveries import Gateway


def endpoint(provider: str, **settings: object) -> Endpoint:
    """Assemble one endpoint, or raise ConfigurationError."""
    table = {"provider": provider, "account": "shop-eu", **settings}
    values = {"endpoints": {"shop": copy.deepcopy(table)}}
    return build_endpoints(settings_from(values))["shop"]


def gateway(provider: str, **settings: object) -> Gateway:
    """Assemble one endpoint and use its first key."""
    made = endpoint(provider, **settings)
    return Gateway(made.provider, made.keys[0])


def example(provider: str, **changes: object) -> dict[str, Any]:
    """Return the settings of a provider's example, some changed by their path."""
    found = discover()[provider]
    assert isinstance(found, Configurable)
    settings = copy.deepcopy(dict(found.example().settings))
    for path, value in changes.items():
        place, last = _place(settings, path)
        if value is ...:
            place.pop(last, None)
        else:
            place[last] = value
    return settings


def _place(settings: Any, path: str) -> tuple[Any, str]:  # noqa: ANN401 - nested tables
    *outer, last = path.split("__")
    for name in outer:
        settings = settings.setdefault(name, {})
        assert isinstance(settings, Mapping)
    return settings, last

"""A provider may have settings for an endpoint, read by its own model."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from router import providers
from router.configuration.settings import settings_from
from router.contract.event import Event
from router.delivery import Delivery, VerifiedDelivery
from router.edge.endpoints import build_endpoints, checked_options
from router.errors import ConfigurationError
from router.providers import (
    OPTIONS,
    Answer,
    EndpointContext,
    Example,
    Key,
    Provider,
    ProviderError,
    Simulation,
    TextList,
    discover,
)
from router.providers.blockatm import PROVIDER

_HIDDEN = "sck_hidden-0123456789"


class _Options(BaseModel):
    model_config = OPTIONS

    places: TextList = ()
    size: int = 1
    password: SecretStr | None = None


@dataclass(frozen=True)
class _Picky:
    """A provider of another distribution, with options."""

    name: str = "picky"
    methods: frozenset[str] = frozenset({"POST"})
    content_types: frozenset[str] = frozenset({"text/plain"})
    tolerance: timedelta | None = None
    answer: Answer = field(default_factory=lambda: PROVIDER.answer)
    kinds: dict[str, Sequence[str]] = field(default_factory=dict)
    options: type[BaseModel] = _Options
    public_keys: tuple[Key, ...] = ()
    addresses: tuple[str, ...] = ("203.0.113.0/24",)
    seen: tuple[Any, ...] = ()

    def configured(self, options: _Options, place: EndpointContext) -> Provider:
        if options.size == 13:
            message = "size: 13 brings no luck"
            raise ConfigurationError(message)
        keys = (Key(b"public", "fp:public"),) if options.size == 2 else ()
        window = timedelta(seconds=options.size)
        return replace(self, seen=(options, place), public_keys=keys, tolerance=window)

    def example(self) -> Example:
        return Example({"size": "2"})

    def verify(self, delivery: Delivery, keys: Sequence[Key]) -> VerifiedDelivery:
        raise NotImplementedError

    def normalize(self, verified: VerifiedDelivery) -> Sequence[Event]:
        raise NotImplementedError

    def simulate(self, wanted: Simulation, key: Key, target: str) -> Delivery:
        raise NotImplementedError

    def sign(self, delivery: Delivery, key: Key) -> Delivery:
        raise NotImplementedError


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Return a function that installs a provider as another distribution would."""

    def install(provider: object, name: str = "picky") -> None:
        entry = SimpleNamespace(name=name, load=lambda: provider)
        monkeypatch.setattr(providers, "entry_points", lambda **_: [entry])
        discover.cache_clear()

    yield install
    discover.cache_clear()


def _values(**endpoint: object) -> dict[str, Any]:
    own = {"provider": "picky", "secrets": [_HIDDEN], **endpoint}
    return {"endpoints": {"shop": own}, "edge": {"public_url": "https://pay.example/"}}


def test_provider_without_options_fits_the_protocol(installed: Callable[[object], None]) -> None:
    installed(replace(PROVIDER, name="picky"))

    assert discover()["picky"].name == "picky"
    assert build_endpoints(settings_from(_values()))["shop"].provider.name == "picky"


def test_options_reach_the_provider_and_the_configured_one_is_used(
    installed: Callable[[object], None],
) -> None:
    installed(_Picky())
    values = _values(places="one", size="7", token="a-token-0123456789")

    endpoint = build_endpoints(settings_from(values))["shop"]

    assert isinstance(endpoint.provider, _Picky)
    options, place = endpoint.provider.seen
    assert options == _Options(places=("one",), size=7)
    assert endpoint.tolerance == timedelta(seconds=7)
    assert place.url(endpoint.target + "?a=%41&b={token}") == (
        "https://pay.example/webhooks/shop/a-token-0123456789?a=%41&b={token}"
    )
    assert "a-token" not in repr(place)
    assert _HIDDEN not in repr(place)


def test_public_url_of_an_endpoint_overrides_that_of_the_edge(
    installed: Callable[[object], None],
) -> None:
    installed(_Picky())

    endpoint = build_endpoints(settings_from(_values(public_url="http://[::1]:80/a/")))["shop"]

    assert isinstance(endpoint.provider, _Picky)
    assert endpoint.provider.seen[1].url("/x") == "http://[::1]:80/a/x"


@pytest.mark.parametrize(
    ("endpoint", "line"),
    [
        ({"plcaes": _HIDDEN}, "endpoints.shop.plcaes: unknown key"),
        ({"options": {"size": 3}}, "endpoints.shop.options: unknown key"),
        ({"size": _HIDDEN}, "endpoints.shop.size: "),
        ({"places": ["a", 5]}, "endpoints.shop.places.1: "),
        ({"size": 13}, "endpoints.shop.size: 13 brings no luck"),
        ({"secrets": []}, "endpoints.shop: no secret: set secrets or secret_files"),
    ],
)
def test_a_wrong_option_is_one_line_that_names_the_key_and_no_secret(
    endpoint: dict[str, Any], line: str, installed: Callable[[object], None]
) -> None:
    installed(_Picky())
    settings = settings_from(_values(**endpoint))

    with pytest.raises(ConfigurationError) as refused:
        build_endpoints(settings)

    assert str(refused.value).startswith(line)
    assert _HIDDEN not in str(refused.value) + repr(settings)
    assert len(str(refused.value).splitlines()) == 1


def test_with_public_keys_a_secret_may_be_missing(installed: Callable[[object], None]) -> None:
    installed(_Picky())

    endpoint = build_endpoints(settings_from(_values(secrets=[], size=2)))["shop"]

    assert list(endpoint.keys) == []


def test_options_are_shown_by_their_own_model(installed: Callable[[object], None]) -> None:
    installed(_Picky())

    options = checked_options(settings_from(_values(password=_HIDDEN)))

    assert _HIDDEN not in str(options["shop"].model_dump(mode="json"))


def test_options_that_accept_any_key_fail_the_start(installed: Callable[[object], None]) -> None:
    installed(_Picky(options=BaseModel))

    with pytest.raises(ProviderError, match="its options accept any key"):
        discover()


def test_provider_cannot_be_named_operator(installed: Callable[..., None]) -> None:
    installed(_Picky(name="operator"), "operator")

    with pytest.raises(ProviderError, match="provider operator: choose another name, operator is"):
        discover()


@pytest.mark.parametrize(
    ("endpoint", "provider", "place"),
    [
        ("operator", "blockatm", "endpoints.operator:"),
        ("shop", "operator", "endpoints.shop.provider:"),
    ],
)
def test_endpoint_cannot_take_the_name_operator(endpoint: str, provider: str, place: str) -> None:
    table = {"provider": provider, "account": "shop", "secrets": [_HIDDEN]}

    with pytest.raises(ConfigurationError) as refused:
        build_endpoints(settings_from({"endpoints": {endpoint: table}}))

    reason = "choose another name, operator is reserved for facts that an operator recorded"
    assert str(refused.value) == f"{place} {reason}"

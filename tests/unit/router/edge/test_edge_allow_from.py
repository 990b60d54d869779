"""An endpoint may be open to some addresses only, which is checked first."""

from collections.abc import Mapping
from typing import Any

import pytest

from router.edge.routes import Edge
from tests.parts.edge.asgi import Header, RequestResult, ask, edge_of
from tests.parts.edge.edge_server import configuration
from tests.parts.edge.mutations import GENUINE

_OPEN_TO = {"allow_from": ["203.0.113.0/24", "2001:db8::1"]}


def _edge(endpoint: Mapping[str, Any], proxies: list[str] | None = None) -> Edge:
    values = configuration("127.0.0.1:1", "t.", trusted_proxies=proxies or [])
    values["endpoints"]["shop"].update(endpoint)
    return edge_of(values)


async def _ask(
    edge: Edge, peer: str | None, *more: Header, body: bytes = GENUINE.body, method: str = "POST"
) -> RequestResult:
    headers = [(name.lower().encode(), value.encode()) for name, value in GENUINE.headers]
    return await ask(edge, method, b"/webhooks/shop", [*headers, *more], body, peer=peer)


@pytest.mark.parametrize("peer", ["203.0.113.7", "2001:db8::1", "::ffff:203.0.113.7"])
async def test_delivery_from_an_allowed_address_is_accepted(peer: str) -> None:
    assert (await _ask(_edge(_OPEN_TO), peer)).status == 200


@pytest.mark.parametrize("peer", ["203.0.114.7", "2001:db8::2", "127.0.0.1", None])
async def test_genuine_delivery_from_another_address_is_forbidden_and_not_stored(
    peer: str | None,
) -> None:
    answered = await _ask(_edge(_OPEN_TO), peer)

    assert (answered.status, answered.body, answered.published) == (403, b"forbidden\n", ())


async def test_address_is_checked_before_method_and_signature() -> None:
    edge = _edge(_OPEN_TO)

    assert (await _ask(edge, "192.0.2.1", method="PUT")).status == 403
    assert (await _ask(edge, "192.0.2.1", body=b"forged")).status == 403
    assert (await _ask(edge, "203.0.113.7", body=b"forged")).status == 401


async def test_a_forwarded_address_counts_only_from_a_trusted_proxy() -> None:
    forwarded = (b"x-forwarded-for", b"203.0.113.7")
    open_to_proxy = {"allow_from": ["10.0.0.1"]}

    assert (await _ask(_edge(_OPEN_TO), "10.0.0.1", forwarded)).status == 403
    assert (await _ask(_edge(_OPEN_TO, ["10.0.0.0/8"]), "10.0.0.1", forwarded)).status == 200
    assert (await _ask(_edge(_OPEN_TO, ["10.0.0.0/8"]), "192.0.2.1", forwarded)).status == 403
    assert (await _ask(_edge(open_to_proxy, ["10.0.0.0/8"]), "10.0.0.1", forwarded)).status == 403


async def test_endpoint_without_allow_from_is_open_to_all() -> None:
    assert (await _ask(_edge({}), None)).status == 200

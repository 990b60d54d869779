"""BlockBee with the whole edge: statuses, answers and stored deliveries, in every form."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from router.delivery import Delivery
from router.edge.routes import Edge
from router.providers.blockbee import PROVIDER
from tests.parts.edge.asgi import RequestResult, ask, edge_of
from tests.parts.providers.blockbee_deliveries import (
    CHECKOUT,
    CONFIRMED,
    FORM,
    JSON,
    ORIGIN,
    PAYOUT,
    PENDING,
    TOKEN,
    changed,
    got,
    posted,
    posted_bytes,
    public_pem,
)


def _edge(**options: object) -> Edge:
    endpoint: dict[str, Any] = {
        "provider": "blockbee",
        "account": "shop-eu",
        "token": TOKEN,
        "public_keys": [public_pem()],
        "deadline_seconds": 20,
        **options,
    }
    return edge_of({"endpoints": {"bee": endpoint}, "edge": {"public_url": ORIGIN}})


async def _ask(
    edge: Edge, delivery: Delivery, token: str = TOKEN, peer: str | None = None
) -> RequestResult:
    path, _, query = delivery.target.partition("?")
    return await ask(
        edge,
        delivery.method,
        path.replace("{token}", token).encode(),
        [(name.encode(), value.encode()) for name, value in delivery.headers],
        delivery.body,
        query=query.encode("latin-1"),
        peer=peer,
    )


def _topics(asked: RequestResult) -> list[str]:
    return [record.topic for record in asked.published]


@pytest.mark.parametrize(
    "delivery",
    [
        got(PENDING, "order_id=A%201"),
        got(CONFIRMED),
        posted(CONFIRMED),
        posted(CHECKOUT, media=JSON),
        posted(CHECKOUT, media=f"{FORM}; charset=utf-8"),
    ],
    ids=["get-pending", "get", "form", "json", "form-charset"],
)
async def test_genuine_delivery_is_stored_and_answered_as_blockbee_expects(
    delivery: Delivery,
) -> None:
    asked = await _ask(_edge(), delivery)

    assert (asked.status, asked.body) == (200, b"*ok*")
    assert dict(asked.headers)[b"content-type"] == b"text/plain"
    assert _topics(asked) == ["payment"]


async def test_stored_get_can_be_verified_again() -> None:
    delivery = got(CONFIRMED, "order_id=A%201&x=%7e")
    (record,) = (await _ask(_edge(), delivery)).published
    raw = json.loads(record.value)["raw"]

    assert (raw["method"], raw["target"], raw["body"]) == ("GET", delivery.target, "")
    assert TOKEN.encode() not in record.value


@pytest.mark.parametrize(
    ("members", "options", "status", "topics"),
    [
        (changed(CONFIRMED, coin="moon_usdt"), {}, 200, ["quarantine"]),
        (changed(PAYOUT, id=...), {}, 200, ["quarantine"]),
        (changed(CONFIRMED, uuid="TEST_1"), {}, 200, ["quarantine"]),
        (changed(CONFIRMED, uuid="TEST_1"), {"mode": "test"}, 200, ["payment"]),
        (CONFIRMED, {"mode": "test"}, 200, ["quarantine"]),
        (CONFIRMED, {"expected_addresses": ["other"]}, 200, ["quarantine"]),
        (CHECKOUT, {"expected_payments": ["other"]}, 200, ["quarantine"]),
    ],
)
async def test_outcome_of_each_delivery_signed_by_blockbee(
    members: Mapping[str, object], options: dict[str, Any], status: int, topics: list[str]
) -> None:
    for delivery in (got(members), posted(members)):
        asked = await _ask(_edge(**options), delivery)
        assert (asked.status, _topics(asked)) == (status, topics)


async def test_two_quarantined_gets_are_two_records() -> None:
    edge = _edge()
    first = await _ask(edge, got(changed(CONFIRMED, coin="moon_a")))
    other = await _ask(edge, got(changed(CONFIRMED, coin="moon_b")))
    ids = {json.loads(asked.published[0].value)["id"] for asked in (first, other)}

    assert len(ids) == 2


async def test_genuine_delivery_without_the_token_is_not_found() -> None:
    for token in (TOKEN[:-1], TOKEN.swapcase(), "x"):
        assert (await _ask(_edge(), posted(CONFIRMED), token)).status == 404
    bare = await ask(_edge(), "POST", b"/webhooks/bee", [], b"")
    assert bare.status == 404


@pytest.mark.parametrize(
    ("delivery", "reason"),
    [
        (posted_bytes(b"[]", media=JSON), "not_parseable"),
        (posted_bytes(b"pending=0&pending=1&uuid=1&address_in=a"), "ambiguous"),
        (posted_bytes(json.dumps(CONFIRMED).encode(), media=FORM), "content_type"),
        (posted_bytes(b"\xef\xbb\xbf{}", media="text/plain"), "not_parseable"),
    ],
)
async def test_malformed_message_goes_to_quarantine(delivery: Delivery, reason: str) -> None:
    (record,) = (await _ask(_edge(), delivery)).published

    assert (record.topic, json.loads(record.value)["reason"]) == ("quarantine", reason)


@pytest.mark.parametrize("media", ["text/plain", "", "application/jsonp", "text/plain; charset=x"])
async def test_a_body_that_is_clearly_a_form_or_json_is_read_under_any_other_content_type(
    media: str,
) -> None:
    for body in (json.dumps(CONFIRMED), urlencode(CONFIRMED)):
        asked = await _ask(_edge(), posted_bytes(body.encode(), media=media))
        assert (asked.status, _topics(asked)) == (200, ["payment"])


async def test_the_published_addresses_are_those_of_the_gateway() -> None:
    edge = _edge(allow_from="published")

    for address in PROVIDER.addresses:
        assert (await _ask(edge, posted(CONFIRMED), peer=address)).status == 200
    assert (await _ask(edge, posted(CONFIRMED), peer="192.0.2.1")).status == 403

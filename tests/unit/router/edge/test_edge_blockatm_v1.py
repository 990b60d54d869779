"""BlockATM's version 1 with the whole edge: statuses, topics, keys."""

import json
from dataclasses import replace
from typing import Any

import pytest

from router.delivery import Delivery
from router.edge.routes import Edge
from tests.parts.edge.asgi import RequestResult, ask, edge_of
from tests.parts.providers.blockatm_deliveries import KEY, PAYOUT, body_of, signed
from tests.parts.providers.blockatm_v1 import (
    BATCH,
    PAYMENT,
    QR_PAYOUT,
    ROW,
    TEST_KEY,
    changed,
    v1_signed,
)

_SECRET = KEY.secret.decode()


def _edge(**endpoint: object) -> Edge:
    own = {"provider": "blockatm", "account": "shop-eu", "deadline_seconds": 20, **endpoint}
    return edge_of({"endpoints": {"shop": own}})


async def _ask(edge: Edge, delivery: Delivery) -> RequestResult:
    headers = [(name.encode(), value.encode()) for name, value in delivery.headers]
    headers.append((b"content-type", b"application/json"))
    return await ask(edge, "POST", b"/webhooks/shop", headers, delivery.body)


def _sent(members: Any, *words: str) -> Delivery:  # noqa: ANN401 - members of a body
    return v1_signed(json.dumps(members).encode(), *words)


@pytest.mark.parametrize(
    ("delivery", "topics"),
    [
        (_sent(PAYMENT, "Payment"), ["payment"]),
        (_sent(QR_PAYOUT, "QR-Payout"), ["payout"]),
        (_sent(BATCH, "Payout"), ["payout", "payout"]),
        (_sent(changed(BATCH, detailList=[ROW, {}]), "Payout"), ["payout", "quarantine"]),
        (_sent(changed(BATCH, status=7), "Payout"), ["quarantine"]),
    ],
    ids=["payment", "single payout", "batch", "batch in part", "unknown status"],
)
async def test_genuine_delivery_is_stored_and_answered(
    delivery: Delivery, topics: list[str]
) -> None:
    asked = await _ask(_edge(v1_public_keys=TEST_KEY), delivery)

    assert (asked.status, asked.body) == (200, b"OK")
    assert [record.topic for record in asked.published] == topics


async def test_records_of_a_batch_are_keyed_by_their_orders() -> None:
    asked = await _ask(_edge(v1_public_keys=TEST_KEY), _sent(BATCH))

    assert [record.key for record in asked.published] == [
        b'["shop-eu","TX1"]',
        b'["shop-eu","TX2"]',
    ]


@pytest.mark.parametrize(
    ("delivery", "status"),
    [
        (replace(_sent(PAYMENT), body=json.dumps(changed(PAYMENT, amount="9")).encode()), 401),
        (replace(_sent(PAYMENT), headers=_sent(PAYMENT).headers[1:]), 401),
        (replace(_sent(PAYMENT), headers=_sent(PAYMENT).headers * 2), 401),
    ],
)
async def test_forged_delivery_is_refused_and_publishes_nothing(
    delivery: Delivery, status: int
) -> None:
    asked = await _ask(_edge(v1_public_keys=TEST_KEY, secrets=[_SECRET]), delivery)

    assert (asked.status, asked.published) == (status, ())


async def test_endpoint_may_accept_both_versions_or_either() -> None:
    first, second = _sent(PAYMENT), signed(body_of(PAYOUT), "payout")
    both = _edge(v1_public_keys=[TEST_KEY], secrets=[_SECRET])
    only_first, only_second = _edge(v1_public_keys=[TEST_KEY]), _edge(secrets=[_SECRET])

    statuses = [
        [(await _ask(edge, delivery)).status for delivery in (first, second)]
        for edge in (both, only_first, only_second)
    ]

    assert statuses == [[200, 200], [200, 401], [401, 200]]

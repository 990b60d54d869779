"""Every documented status and the digits of an amount, from HTTP to Kafka."""

import json

import pytest

from tests.parts.brokers import Broker
from tests.parts.edge.blockatm_requests import Webhook, payment_webhook, webhook
from tests.parts.edge.edge_server import ready_edge
from tests.parts.providers.blockatm_deliveries import PAYOUT, body_of

_STATUSES: list[tuple[str, str | int, str]] = [
    ("payment", "PENDING", "payment.pending"),
    ("payment", "WAITING_PAYMENT", "payment.pending"),
    ("payment", "SUCCESS", "payment.confirmed"),
    ("payment", "EXPIRED", "payment.expired"),
    ("payment", "CANCELLED", "payment.cancelled"),
    ("payment", 9, "payment.confirmed"),
    ("payment", 1, "payment.pending"),
    ("payment", 0, "payment.pending"),
    ("payment", -1, "payment.expired"),
    ("payment", -2, "payment.failed"),
    ("payment", -3, "payment.cancelled"),
    ("payout", "SUCCESS", "payout.confirmed"),
    ("payout", "REFUSE", "payout.failed"),
    ("payout", "PENDING", "payout.pending"),
    ("payout", 0, "payout.pending"),
    ("payout", 1, "payout.confirmed"),
    ("payout", 2, "payout.failed"),
]


def _with_status(kind: str, status: str | int, number: int) -> Webhook:
    if kind == "payment":
        return payment_webhook(id=number, status=status)
    return webhook(body_of(PAYOUT, bizOrderNo=f"B-{number}", status=status), "payout")


async def test_every_documented_status_becomes_exactly_its_type(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        for number, (kind, status, _) in enumerate(_STATUSES):
            sent = _with_status(kind, status, number)
            assert (await edge.post(sent.headers, sent.body)).status == 200
        records = await edge.records()

    values = [json.loads(record.value) for record in records]
    found = {value["provider_reference"].removeprefix("B-"): value["type"] for value in values}
    assert len(records) == len(_STATUSES)
    assert found == {str(number): wanted for number, (_, _, wanted) in enumerate(_STATUSES)}


@pytest.mark.parametrize("amount", ["13.410037", "0.000000000000000001", "2000.00", "0", "1E+3"])
async def test_amount_keeps_its_digits(broker: Broker, topics_prefix: str, amount: str) -> None:
    sent = payment_webhook(amount=amount)

    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        await edge.post(sent.headers, sent.body)
        (record,) = await edge.records()

    exact = {"1E+3": "1000"}.get(amount, amount)
    assert json.loads(record.value)["amount"] == exact

"""The stream of `payrouter dev --rate` is one that gateways could send."""

import asyncio
import contextlib
import itertools
import random
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta

import pytest

from router.contract.amounts import parse_amount
from router.delivery import Delivery
from router.edge.intake import Endpoint
from router.evaluation.ordering import NotPlaced
from router.evaluation.send import Answered, SimulatedOrder, as_gateway
from router.evaluation.stream import PlannedDelivery, planned_stream, play
from router.providers import discover
from tests.parts.providers.blockatm_deliveries import KEY
from tests.parts.providers.blockbee_deliveries import SECRETS, bee, private_pem
from tests.parts.waiting import eventually

SHOP = Endpoint("shop", "shop-eu", discover()["blockatm"], [KEY], timedelta(hours=27), 2.5)
OTHER = Endpoint("other", "shop-us", discover()["blockatm"], [KEY], timedelta(hours=27), 2.5)
BEE = as_gateway(Endpoint("bee", "shop-eu", bee(), SECRETS, None, 2.5), private_pem())


def planned(count: int, seed: int = 7) -> list[PlannedDelivery]:
    return list(itertools.islice(planned_stream([SHOP, OTHER], random.Random(seed)), count))


def histories(stream: list[PlannedDelivery]) -> dict[str, list[SimulatedOrder]]:
    found = defaultdict(list)
    for item in stream:
        found[item.order.reference].append(item.order)
    return found


def test_there_are_several_orders_over_every_endpoint() -> None:
    stream = planned(500)
    assert len(histories(stream)) > 100
    assert {item.endpoint.name for item in stream} == {"shop", "other"}


def test_most_payments_are_pending_first_and_confirmed_later() -> None:
    told = [
        [order.type for order in orders if order.kind == "payment"]
        for orders in histories(planned(500)).values()
    ]
    finished = [types for types in told if "payment.confirmed" in types]
    in_order = [types for types in finished if types[0] == "payment.pending"]
    assert len(in_order) > len(finished) / 2


def test_stream_has_repeats_late_expired_and_payouts() -> None:
    stream = planned(500)
    told = [[order.type for order in orders] for orders in histories(stream).values()]
    assert max(max(Counter(types).values()) for types in told) > 1
    assert any(
        types.index("payment.confirmed") < types.index("payment.pending")
        for types in told
        if {"payment.confirmed", "payment.pending"} <= set(types)
    )
    assert {"payment.expired", "payout.confirmed"} <= {item.order.type for item in stream}


def test_an_order_keeps_its_amount_its_currency_and_its_endpoint() -> None:
    stream = planned(500)
    for orders in histories(stream).values():
        assert len({(order.amount, order.currency) for order in orders}) == 1
        assert parse_amount(orders[0].amount) > 0
    endpoints = {(item.order.reference, item.endpoint.name) for item in stream}
    assert len(endpoints) == len(histories(stream))


def test_every_payment_has_an_order_usually_placed_before_it() -> None:
    told = [[order.type for order in orders] for orders in histories(planned(2000)[:-100]).values()]
    paid = [types for types in told if any(kind.startswith("payment") for kind in types)]
    first = [types for types in paid if types[0] == "order.placed"]
    assert all(types.count("order.placed") <= 1 for types in paid)
    assert len(paid) > len(first) > len(paid) * 0.8


def test_every_turn_sends_one_delivery_and_few_wait() -> None:
    stream = planned(2000)
    late = [turn - item.turn for turn, item in enumerate(stream)]
    assert min(late) >= 0
    assert max(late) < 20


def test_same_seed_makes_the_same_stream_except_its_prefix() -> None:
    first, second = planned(200), planned(200)
    assert [i.order.amount for i in first] == [i.order.amount for i in second]


def test_gateway_sends_only_its_own_types() -> None:
    stream = itertools.islice(planned_stream([BEE], random.Random(7)), 500)
    told = histories([item for item in stream if item.order.kind != "order"]).values()
    variants = [{order.variant for order in orders} for orders in told]

    types = {order.type for orders in told for order in orders}
    assert types == {"payment.pending", "payment.confirmed"}
    assert {len(forms) for forms in variants} == {1}
    assert {"custom-get", "checkout-json"} <= set().union(*variants)


def test_payouts_are_sent_only_by_gateways_that_report_their_amount() -> None:
    stream = list(itertools.islice(planned_stream([BEE, SHOP], random.Random(7)), 500))

    assert "payout.confirmed" in BEE.provider.variants  # type: ignore[attr-defined]
    assert {item.endpoint.name for item in stream if item.order.kind == "payout"} == {"shop"}


def test_gateway_without_pending_sends_no_pending() -> None:
    brief = replace(discover()["blockatm"], kinds={"payment": ("confirmed",)})  # type: ignore[type-var]
    endpoint = Endpoint("brief", "shop-eu", brief, [KEY], None, 2.5)
    stream = itertools.islice(planned_stream([endpoint], random.Random(7)), 100)

    assert {item.order.type for item in stream} == {"order.placed", "payment.confirmed"}


def test_gateway_that_can_send_nothing_is_left_out() -> None:
    silent = replace(SHOP, name="silent", provider=discover()["standard_webhooks"])
    first = itertools.islice(planned_stream([silent, SHOP], random.Random(7)), 50)
    assert {item.endpoint.name for item in first} == {"shop"}
    assert list(planned_stream([silent], random.Random(7))) == []


async def played(
    answer: Answered | OSError, count: int, placed: list[SimulatedOrder] | None = None
) -> tuple[list[Delivery], list[str]]:
    """Run until this many deliveries were sent; return them and the reported failures."""
    placed = [] if placed is None else placed
    sent: list[Delivery] = []
    complaints: list[str] = []
    enough = asyncio.Event()
    loop = asyncio.get_running_loop()

    def send(delivery: Delivery, name: str) -> Answered:
        assert name == delivery.endpoint
        sent.append(delivery)
        if len(sent) == count:
            loop.call_soon_threadsafe(enough.set)
        if isinstance(answer, OSError):
            raise answer
        return answer

    async def place(endpoint: Endpoint, order: SimulatedOrder) -> None:
        assert endpoint is SHOP
        placed.append(order)
        if isinstance(answer, OSError):
            raise NotPlaced(str(answer))

    playing = asyncio.create_task(play([SHOP], 1000, send, place, complaints.append))
    async with asyncio.timeout(30):
        await enough.wait()
        if not isinstance(answer, Answered) or not answer.kept:
            await eventually(lambda: len(complaints) >= count, "complaints", pause=0.01)
    playing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await playing
    return sent, complaints


async def test_simulated_deliveries_are_genuine_and_successes_are_not_reported() -> None:
    placed: list[SimulatedOrder] = []
    sent, complaints = await played(Answered(200, b"OK"), 5, placed)
    assert complaints == []
    assert placed
    assert {order.type for order in placed} == {"order.placed"}
    for delivery in sent:
        assert SHOP.provider.verify(delivery, SHOP.keys).signed_at is not None


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (Answered(503, b"later"), "the edge answered 503"),
        (OSError("connection refused"), "connection refused"),
    ],
    ids=["refused", "nobody there"],
)
async def test_failures_are_reported_and_the_stream_continues(
    answer: Answered | OSError, complaint: str
) -> None:
    sent, complaints = await played(answer, 3)
    assert len(sent) >= 3
    assert set(complaints) == {complaint}

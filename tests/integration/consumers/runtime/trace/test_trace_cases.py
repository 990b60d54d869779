"""`payrouter trace` ends with the open cases of what it found, and never hides one."""

from dataclasses import replace

import pytest

from consumers.ledger.service import SERVICE as LEDGER
from consumers.runtime.cases.finding import Finding
from consumers.runtime.store.migrate import upgrade
from router.contract.quarantine import Replayed
from router.contract.topics import Topics
from router.contract.wire import encode_replayed
from tests.parts.contract.events import event
from tests.parts.runtime.commands import Payrouter, install_only
from tests.parts.runtime.counting import TRACE, record
from tests.parts.runtime.members import Feed
from tests.parts.runtime.parcels import NOW, SERVICE, TABLES, held_record, parcel
from tests.parts.runtime.quarantining import quarantined
from tests.parts.runtime.tracing import booked, traced

WEIGHT = Finding("parcel-heavy", {"weight": "40 kg"})
IN_THE_BOOKS = "payment.confirmed of 2000.00 USDT, in the books, last as transaction 1"

PARCELS = replace(SERVICE, topics=("payout",))
"""The parcels do not read payments here, so that none of them is missing."""


@pytest.fixture
async def feed(feed: Feed) -> Feed:
    """Yield the feed with a booked payment, and the tables of the ledger and the parcels."""
    await upgrade(feed.engine, LEDGER)
    await upgrade(feed.engine, SERVICE)
    await booked(feed, event())
    return feed


@pytest.fixture
def payrouter(payrouter: Payrouter, monkeypatch: pytest.MonkeyPatch) -> Payrouter:
    """Yield the command with both consumers."""
    install_only(monkeypatch, LEDGER, PARCELS)
    return payrouter


async def test_open_case_of_the_order_is_the_verdict_until_it_is_closed(
    feed: Feed, payrouter: Payrouter
) -> None:
    await parcel(feed.engine, "A-1", WEIGHT)
    await parcel(feed.engine, "A-2", WEIGHT)

    found = await traced(payrouter, "A-1")

    (case,) = found["cases"]
    assert (case["kind"], case["reference"]) == ("parcel-heavy", "A-1")
    assert found["verdict"] == (
        f"{IN_THE_BOOKS}, but needs an operator: parcel-heavy: payrouter cases show {case['case']}"
    )
    assert found["trouble"]
    people = (await payrouter("trace", "A-1")).out.splitlines()
    assert f"    payrouter cases show {case['case']}" in people[people.index("open cases") :]
    await payrouter("cases", "close", case["case"], "--reason", "repacked", "--yes")
    closed = await traced(payrouter, "A-1")
    assert (closed["cases"], closed["trouble"]) == ([], False)
    assert closed["verdict"] == f"{IN_THE_BOOKS}; nothing to do"


async def test_case_of_the_payment_is_found_without_an_order(
    feed: Feed, payrouter: Payrouter
) -> None:
    await parcel(feed.engine, "P-1", WEIGHT, reference=None, provider_reference="8210003616")

    (case,) = (await traced(payrouter, "A-1"))["cases"]

    assert case["provider_reference"] == "8210003616"


async def test_order_that_is_known_by_its_case_alone_is_found(
    feed: Feed, payrouter: Payrouter
) -> None:
    await parcel(feed.engine, "A-9", WEIGHT)

    assert len((await traced(payrouter, "A-9"))["cases"]) == 1
    assert len((await traced(payrouter, "pay-A-9"))["cases"]) == 1
    assert not (await traced(payrouter, "A-9", "--account", "shop-us", status=1))["found"]


async def test_dead_record_is_the_verdict_until_its_case_is_closed(
    feed: Feed, payrouter: Payrouter
) -> None:
    await held_record(feed.engine, TABLES, record(7, event()))
    found = await traced(payrouter, "A-1")
    assert found["verdict"] == "dead in parcels: payrouter dlq show parcels 1"
    (case,) = found["cases"]
    assert case["kind"] == "dead-record"

    await payrouter("cases", "close", case["case"], "--reason", "sent by mistake", "--yes")

    closed = await traced(payrouter, "A-1")
    assert closed["verdict"] == f"{IN_THE_BOOKS}; nothing to do"


async def test_replayed_delivery_is_no_longer_without_effect(
    feed: Feed, payrouter: Payrouter
) -> None:
    (kept,) = await quarantined(feed, '{"orderNo":"A-1"}')
    assert "quarantined without effect" in (await traced(payrouter, "A-1"))["verdict"]
    note = Replayed(
        quarantined=kept.id,
        provider=kept.provider,
        endpoint=kept.endpoint,
        account=kept.account,
        events=(),
        at=NOW,
        by="me@here",
    )
    topic = Topics(feed.prefix).quarantine
    out = encode_replayed(note, topic, TRACE)
    await feed.producer.send_and_wait(topic, out.value, out.key, partition=0)

    found = await traced(payrouter, "A-1")

    assert found["verdict"] == f"{IN_THE_BOOKS}; nothing to do"
    (line,) = [each for each in found["lines"] if each["what"] == "quarantined"]
    assert line["facts"]["replayed"] == f"{NOW:%Y-%m-%d %H:%M:%S} by me@here"
    assert not line["trouble"]

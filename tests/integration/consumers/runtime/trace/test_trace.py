"""`payrouter trace` finds a payment in every state, on real Kafka and PostgreSQL."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.service import SERVICE as LEDGER
from consumers.runtime.apply.brake import lock_brakes, pull_brake
from consumers.runtime.service import Service
from consumers.runtime.store.migrate import upgrade
from consumers.runtime.trail import TrailQuery, TrailStep
from tests.parts.contract.events import event
from tests.parts.runtime.commands import Payrouter, Said, install_only
from tests.parts.runtime.counting import SERVICE as COUNTING
from tests.parts.runtime.counting import TABLES, held_in, numbered
from tests.parts.runtime.members import Feed, halted
from tests.parts.runtime.quarantining import quarantined
from tests.parts.runtime.told import holds, refusing
from tests.parts.runtime.tracing import booked, told, traced

TX = "0x7614a9840d9422feaef4671e0ee98dd7092ebcba6e41076285f99d0b2b0de5fe"


@pytest.fixture
async def feed(feed: Feed) -> Feed:
    """Yield the feed, with the tables of the ledger and of the counting consumer."""
    await upgrade(feed.engine, LEDGER)
    return feed


@pytest.fixture
def services(payrouter: Payrouter, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that sets the installed consumers."""
    del payrouter  # sets up the services that this fixture changes

    def there_are(*names: Service) -> None:
        install_only(monkeypatch, *names)

    there_are(COUNTING, LEDGER)
    return there_are


async def test_paid_order_is_traced_from_its_delivery_to_the_books(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    services(LEDGER)
    paid = event(tx_hash=TX, network="Ethereum")
    await booked(feed, paid)
    found = await traced(payrouter, "A-1")
    assert told(found["lines"]) == [
        ("deliveries", "delivered"),
        ("events", "recorded"),
        ("books", "posted"),
    ]
    delivered, recorded, posted = (line["facts"] for line in found["lines"])
    assert delivered["endpoint"] == "blockatm-main"
    assert recorded["offset"] == f"{feed.topic}-0@0"
    assert (recorded["amount"], recorded["tx"]) == ("2000.00 USDT", TX)
    assert posted == {
        "transaction": "1",
        "line 1": "shop-eu:blockatm:wallet:Ethereum 2000.00 USDT",
        "line 2": "shop-eu:blockatm:payments -2000.00 USDT",
    }
    assert found["verdict"] == (
        "payment.confirmed of 2000.00 USDT, in the books, last as transaction 1; nothing to do"
    )
    assert not found["trouble"]
    assert found["events"] == [str(paid.id)]
    assert found["orders"] == [{"account": "shop-eu", "reference": "A-1"}]
    for other in (TX, str(paid.id), "8210003616"):
        assert (await traced(payrouter, other))["lines"] == found["lines"]


async def test_transaction_hash_finds_the_whole_order(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    services(LEDGER)
    pending = numbered(1, type="payment.pending")
    paid = event(id=numbered(2).id, reference="A-1", tx_hash=TX)
    await booked(feed, pending, paid)
    found = await traced(payrouter, TX)
    assert found["events"] == sorted([str(pending.id), str(paid.id)])


async def test_failed_after_paid_is_marked_and_needs_an_operator(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    services(LEDGER)
    failed = event(id=numbered(7).id, type="payment.failed")
    await booked(feed, event(), failed)
    found = await traced(payrouter, "A-1")
    (marked,) = [line for line in found["lines"] if line["trouble"]]
    assert (marked["group"], marked["what"]) == ("books", "called off after paid")
    assert marked["event_id"] == str(failed.id)
    assert "needs an operator: called-off-after-paid: payrouter cases show" in found["verdict"]
    assert found["trouble"]


async def test_an_event_that_no_consumer_could_apply_is_found_by_its_order(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    services(COUNTING)
    await feed.send([numbered(1), numbered(10)])
    async with feed.member(refusing(1), attempts=1):
        (dead,) = await holds(feed, "dead", 1)
        await feed.applied(1)
    found = await traced(payrouter, "A-1")
    assert told(found["lines"]) == [("held", "dead in counting")]
    facts = found["lines"][0]["facts"]
    assert (facts["number"], facts["reason"]) == (str(dead.id), "exhausted")
    assert facts["error"] == "ValueError: not this one"
    assert facts["offset"] == f"{feed.topic}-0@0"
    assert found["verdict"] == f"dead in counting: payrouter dlq show counting {dead.id}"
    assert (await traced(payrouter, str(numbered(1).id)))["verdict"] == found["verdict"]
    # A-10 was applied, and is unrelated to A-1.
    assert await held_in(feed.engine, "dead") != []
    other = await traced(payrouter, str(numbered(10).id))
    assert told(other["lines"]) == [("events", "received by counting")]


async def test_held_event_with_the_text_in_another_field_is_not_found(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    services(COUNTING)
    await feed.send([numbered(1, customer={"id": "A-2"})])
    async with feed.member(refusing(1), attempts=1):
        await holds(feed, "dead", 1)
    assert not (await traced(payrouter, "A-2", status=1))["found"]
    other = await traced(payrouter, "A-1", "--account", "shop-us", status=1)
    assert not other["found"]


async def test_parked_event_has_the_time_of_its_next_retry(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    services(COUNTING)
    later = event(id=numbered(8).id, reference="A-1", type="payment.refunded")
    await feed.send([numbered(1), later])
    async with feed.member(refusing(1), park_seconds=600, park_longest_seconds=600):
        await holds(feed, "parked", 2)
    found = await traced(payrouter, "A-1")
    assert told(found["lines"]) == [("held", "parked in counting")] * 2
    assert [line["facts"]["reason"] for line in found["lines"]] == ["failed", "behind"]
    assert found["verdict"].startswith("parked in counting, next retry at 20")
    assert "payrouter parked list counting --id" in found["verdict"]
    assert "(and 1 more)" in found["verdict"]


async def test_dead_record_without_an_event_is_found_by_its_content(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    services(COUNTING)
    await feed.send_raw(b'{"reference": "A-1", "amount"')
    await feed.send_raw(b'{"reference": "A-12"}')
    async with feed.member():
        await holds(feed, "dead", 2)
    found = await traced(payrouter, "A-1")
    (line,) = found["lines"]
    assert line["facts"]["reason"] == "unreadable"
    assert line["facts"]["offset"] == f"{feed.topic}-0@0"


async def test_record_held_and_then_applied_is_not_a_problem(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    services(COUNTING)
    await feed.send([numbered(1)])
    async with feed.member(refusing(1), attempts=1):
        await holds(feed, "dead", 1)
    async with feed.member():
        await payrouter("dlq", "replay", "counting", "--yes")
    found = await traced(payrouter, str(numbered(1).id))
    assert told(found["lines"]) == [
        ("events", "received by counting"),
        ("held", "was held in counting"),
    ]
    assert found["lines"][1]["facts"]["outcome"] == "applied"
    assert not found["trouble"]


async def test_brake_comes_before_parked_records(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    services(COUNTING)
    await feed.send([numbered(1)])
    async with feed.member(refusing(1), brake_after=1) as process:
        await halted(process, "brake")
    found = await traced(payrouter, "A-1")
    assert found["verdict"] == (
        f"counting does not apply records of {feed.topic} because of its brake:"
        " payrouter brake show counting"
    )


async def test_brake_of_an_unrelated_topic_is_ignored(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    services(COUNTING, LEDGER)
    await feed.send([numbered(1)])
    async with feed.member():
        await feed.applied(1)
    await booked(feed, numbered(1))
    async with feed.engine.begin() as transaction:
        await lock_brakes(transaction, TABLES, ["order"])
        await pull_brake(transaction, TABLES, "order", 20, "order-0 offset 7: not an order")
    found = await traced(payrouter, "A-1")
    assert "brake" not in found["verdict"]
    assert not found["trouble"]


async def test_consumer_that_has_not_received_it_is_named(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    del services
    await booked(feed, event())
    found = await traced(payrouter, "A-1")
    assert found["verdict"] == "not received by counting yet: payrouter offsets show counting"
    assert found["trouble"]


async def test_a_quarantined_delivery_is_found_by_the_order_in_its_body(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    del services
    await quarantined(feed, '{"orderNo":"A-10"}', '{"orderNo":"A-1","status":"PAUSED"}')
    found = await traced(payrouter, "A-1")
    (line,) = found["lines"]
    assert (line["group"], line["what"], line["trouble"]) == ("deliveries", "quarantined", True)
    assert line["facts"]["offset"] == f"{feed.prefix}quarantine-0@1"
    assert found["verdict"] == (
        "a delivery of shop is quarantined without effect (unknown_status):"
        " status: 'PAUSED' is none of the known ones; fix the cause, then replay it:"
        f" payrouter quarantine replay --id {line['facts']['id']} --yes"
    )
    assert (await traced(payrouter, line["facts"]["id"]))["lines"] == found["lines"]
    assert not (await traced(payrouter, "A-1", "--account", "shop-us", status=1))["found"]


async def test_only_the_newest_quarantined_deliveries_are_read(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    del services
    await quarantined(feed, '{"orderNo":"A-1"}', *['{"orderNo":"A-2"}'] * 5)
    found = await traced(payrouter, "A-1", "--quarantine-limit", "5", status=1)
    assert found["searched"] == "counting, ledger, and 5 records on quarantine, 0 refused"
    assert found["notes"] == ["of the quarantine, the newest 5 of each partition were read"]
    assert (await traced(payrouter, "A-1", "--quarantine-limit", "6"))["notes"] == []
    unread = await traced(payrouter, "A-1", "--quarantine-limit", "0", status=1)
    assert unread["notes"] == ["quarantine and refused deliveries were not read"]


async def test_absent_broker_is_a_note_and_not_an_error(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    services(LEDGER)
    await booked(feed, event())
    monkeypatch.setenv("PAYROUTER_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    found = await traced(payrouter, "A-1")
    listens = "127.0.0.1:1: nothing listens there: check kafka.bootstrap_servers,"
    why = f"could not be read to the end: {listens} and whether a broker runs"
    assert found["notes"] == [f"the quarantine {why}", f"the refused deliveries {why}"]
    assert found["verdict"].endswith("nothing to do")


async def test_empty_result_names_the_searched_sources(
    payrouter: Payrouter, services: Callable[..., None]
) -> None:
    del services
    said = await payrouter("trace", "A-1")
    assert (said.status, said.out) == (1, "")
    first, second, *_ = said.err.splitlines()
    assert first == "nothing found of A-1"
    assert second == "searched: counting, ledger, and 0 records on quarantine, 0 refused"
    assert not (await traced(payrouter, "A-1", status=1))["found"]


async def test_absent_database_leaves_the_other_findings_with_status_one(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    del services
    payrouter.configure(
        '[consumers.counting.database]\nurl = "postgresql://user:hunter2@127.0.0.1:1/missing"'
    )
    await booked(feed, event())
    found = await traced(payrouter, "A-1", status=1)
    assert ("books", "posted") in told(found["lines"])
    (note,) = found["notes"]
    assert note.startswith("counting could not be queried: cannot read the database missing")
    assert "hunter2" not in note
    assert found["verdict"].startswith("as far as could be read: payment.confirmed")


async def test_failing_trail_does_not_hide_the_others(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    async def failing(_connection: AsyncConnection, _sought: TrailQuery) -> Sequence[TrailStep]:
        message = "secret"
        raise KeyError(message)

    services(replace(COUNTING, trail=failing), LEDGER)
    await booked(feed, event())
    found = await traced(payrouter, "A-1", status=1)
    assert found["notes"] == ["counting could not be queried: its trail fails with KeyError"]
    assert ("books", "posted") in told(found["lines"])


async def test_findings_of_one_consumer_are_searched_in_the_others(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    async def by_order(_connection: AsyncConnection, sought: TrailQuery) -> Sequence[TrailStep]:
        return [
            TrailStep(event().received_at, "reserved", order=order, facts={"sku": "S-1"})
            for order in sorted(sought.orders)
        ]

    services(replace(COUNTING, trail=by_order), LEDGER)
    await booked(feed, event())
    found = await traced(payrouter, "8210003616")
    assert ("counting", "reserved") in told(found["lines"])


async def test_orders_of_two_merchants_are_distinguished(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    services(LEDGER)
    await booked(feed, event(), event(id=numbered(9).id, account="shop-us"))
    both = await traced(payrouter, "A-1")
    assert both["notes"] == ["several merchants have it: shop-eu, shop-us; --account names one"]
    one = await traced(payrouter, "A-1", "--account", "shop-us")
    assert {line["event_id"] for line in one["lines"]} == {str(numbered(9).id)}
    assert one["notes"] == []


async def test_trace_fits_one_screen(
    feed: Feed, payrouter: Payrouter, services: Callable[..., None]
) -> None:
    services(LEDGER)
    await booked(feed, event(tx_hash=TX, network="Ethereum"))
    said: Said = await payrouter("trace", "A-1")
    assert said.status == 0
    lines = said.out.splitlines()
    assert lines[0].startswith("A-1  shop-eu")
    titles = [line.split()[0] for line in lines if line[:1].strip()]
    assert titles[1:4] == ["deliveries", "events", "books"]
    assert lines[-1].endswith("nothing to do")

"""`payrouter trace` ends with the open cases of ledger and inventory, and their commands."""

import pytest

from consumers.inventory.handler import handler
from consumers.inventory.service import SERVICE as INVENTORY
from consumers.inventory.tables import PAYMENT
from consumers.ledger.service import SERVICE as LEDGER
from consumers.runtime.store.migrate import upgrade
from router.contract.event import Event
from tests.parts.contract.orders import order
from tests.parts.inventory.shop import TOPIC, Shop, paid
from tests.parts.runtime.commands import Payrouter, install_only
from tests.parts.runtime.members import Feed
from tests.parts.runtime.tracing import applied_by, booked, traced


@pytest.fixture
async def shop(feed: Feed) -> Shop:
    """Yield an inventory with ten teas, in the database of a ledger."""
    await upgrade(feed.engine, LEDGER)
    await upgrade(feed.engine, INVENTORY)
    shop = Shop(feed.engine)
    await shop.set("tea", 10)
    return shop


@pytest.fixture
def payrouter(payrouter: Payrouter, monkeypatch: pytest.MonkeyPatch) -> Payrouter:
    """Yield the command with both consumers."""
    install_only(monkeypatch, LEDGER, INVENTORY)
    return payrouter


async def applied(feed: Feed, shop: Shop, *events: Event) -> None:
    """Apply these events to the ledger and to the inventory."""
    await booked(feed, *events)
    await applied_by(INVENTORY, handler(shop.policy, TOPIC), feed, *events)


async def test_open_cases_of_books_and_order_are_the_verdict_with_their_commands(
    feed: Feed, shop: Shop, payrouter: Payrouter
) -> None:
    await shop.apply(order())
    await applied(feed, shop, paid(amount=None))

    found = await traced(payrouter, "A-1")

    cases = {each["kind"]: each for each in found["cases"]}
    assert set(cases) == {"amount-unknown", "cannot-compare"}
    assert found["trouble"]
    assert "nothing to do" not in found["verdict"]
    assert any(kind in found["verdict"] for kind in cases)
    lines = (await payrouter("trace", "A-1")).out.splitlines()
    end = lines[lines.index("open cases") :]
    for kind, case in cases.items():
        assert any(kind in line for line in end)
        assert f"    payrouter cases show {case['case']}" in end
        shown = await payrouter("cases", "show", case["case"])
        assert shown.status == 0, shown.err
        assert "payrouter trace " in shown.out


async def test_verdict_is_clear_once_the_facts_settle_the_cases(
    feed: Feed, shop: Shop, payrouter: Payrouter
) -> None:
    await shop.apply(order())
    await applied(feed, shop, paid(amount=None), paid())

    found = await traced(payrouter, "A-1")

    assert (found["cases"], found["trouble"]) == ([], False)
    assert "nothing to do" in found["verdict"]


async def test_payment_without_its_order_is_found_by_the_number_of_the_gateway(
    feed: Feed, shop: Shop, payrouter: Payrouter
) -> None:
    await applied(feed, shop, paid(reference=None, provider_reference="P-1"))
    assert (await traced(payrouter, "P-1"))["cases"] == []
    await shop.execute(f"UPDATE {PAYMENT} SET created_at = created_at - interval '31 minutes'")

    found = await traced(payrouter, "P-1")

    assert [each["kind"] for each in found["cases"]] == ["payment-without-order"]
    assert found["trouble"]

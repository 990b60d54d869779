"""`payrouter inventory decide` shows an order, and records a decision about it once."""

import asyncio
import json
import shlex
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import permutations
from typing import Any

import pytest
from click.testing import Result
from pydantic import SecretStr
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from consumers.inventory.identity import order_id
from consumers.inventory.service import SERVICE
from consumers.runtime.apply.outbox import read_unsent, set_aside
from consumers.runtime.commands.actions.held_admin import Operation, list_operations
from consumers.runtime.settings import ConsumerSettings, Tuning
from consumers.runtime.store.tables import RuntimeTables
from router.contract.order import Order
from router.contract.order_fields import OrderFields, read_order
from router.contract.topics import Topics
from tests.parts.connections import connection_to
from tests.parts.contract.orders import order
from tests.parts.databases import somebody_waits
from tests.parts.inventory.shop import TOPIC, Shop, paid
from tests.parts.runtime.own_commands import run_own
from tests.parts.templates import Templates
from tests.parts.waiting import eventually

TABLES = RuntimeTables.of("inventory")
TOPICS = Topics("t.", renamed=(("order", "shop.orders"),))
REASON = "--reason=paid in cash"


def ask(url: str, *arguments: str) -> Result:
    settings = ConsumerSettings(
        "inventory", connection_to(), SecretStr(url), TOPICS, Tuning(), accounts=("shop-eu",)
    )
    return run_own(SERVICE, settings, ["decide", *arguments])


def shown(url: str, *arguments: str) -> Any:  # noqa: ANN401 - JSON
    """Run the command, by default an acceptance of A-1, and return its JSON."""
    result = ask(url, *(arguments or ("A-1", "accept")), REASON, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def confirmed(url: str, *arguments: str) -> Result:
    """Run the command that the first run prints, without waiting."""
    command = shlex.split(shown(url, *arguments)["command"])
    assert command[:3] == ["payrouter", "inventory", "decide"]
    return ask(url, *command[3:], "--wait", "0")


def within(url: str, act: Callable[[Shop], Awaitable[Any]]) -> Any:  # noqa: ANN401
    """Run a function on the inventory at a URL."""

    async def done() -> Any:  # noqa: ANN401 - the result of `act`
        return await act(Shop(create_async_engine(url, poolclass=NullPool)))

    return asyncio.run(done())


async def outgoing(shop: Shop) -> list[Order]:
    """Read the decisions in the outbox, as a consumer of the topic reads them."""
    async with shop.engine.connect() as connection:
        records = [each for _, each in await read_unsent(connection, TABLES, 100)]
    own = [each for each in records if each.topic == "t.shop.orders"]
    read = read_order(OrderFields(type="/other"))
    found = [read(each.value, each.headers) for each in own]
    assert all(isinstance(each, Order) for each in found)
    assert [each.key for each in own] == [each.key for each in found if isinstance(each, Order)]
    return [each for each in found if isinstance(each, Order)]


async def operations(shop: Shop) -> list[Operation]:
    async with shop.engine.connect() as connection:
        return list(await list_operations(connection, TABLES))


async def apply_decisions(shop: Shop) -> None:
    """Apply the decisions of the outbox, as the consumer does once the relay has sent them."""
    await shop.each(*await outgoing(shop))


@pytest.fixture
def undecided(inventory_url: str) -> str:
    """Return the URL of an inventory with an order whose money cannot be compared."""

    async def fill(shop: Shop) -> None:
        await shop.set("tea", 10)
        await shop.each(order(), paid(currency="BTC", amount="0.1"))

    within(inventory_url, fill)
    return inventory_url


def test_without_yes_the_order_and_the_effect_are_shown_and_nothing_happens(undecided: str) -> None:
    found = shown(undecided)
    assert found["done"] is False
    known = found["order"]
    assert [known[name] for name in ("status", "total", "received")] == [
        *("reserved", "30 USDT", "0.1 BTC")
    ]
    quantities = {"quantity": 2, "reserved": 2, "sold": 0, "oversold": 0}
    assert known["lines"] == [{"sku": "tea", **quantities}]
    assert known["payments"][0]["received"] == "0.1 BTC"
    assert known["cases"] == ["cannot-compare"]
    assert found["would"] == {
        "decision": "accept",
        "status": "committed",
        "stock": [{"sku": "tea", "reserved": -2, "sold": 2, "oversold": 0}],
        "opens": [],
        "closes": ["cannot-compare"],
        "outcomes": ["committed"],
    }
    assert within(undecided, outgoing) == []
    assert [each.what for each in within(undecided, operations)] == []
    assert within(undecided, lambda shop: shop.status()) == "reserved"


def test_text_names_what_changes_and_the_command_to_repeat(undecided: str) -> None:
    said = ask(undecided, "A-1", "accept", REASON).stdout
    version = shown(undecided)["order"]["version"]
    for words in (
        "order A-1 of shop-eu",
        "0.1 BTC",
        "status: reserved -> committed",
        "stock of tea: reserved -2, sold +2",
        "closes cannot-compare",
        "nothing is decided yet",
        f"payrouter inventory decide A-1 accept --reason 'paid in cash' --version {version} --yes",
    ):
        assert words in said


@pytest.mark.parametrize("reference", ["-A 1", "it's; rm", "--yes"])
@pytest.mark.parametrize("reason", ["-1", 'it\'s "paid"'])
def test_the_printed_command_works_as_it_is(
    inventory_url: str, reference: str, reason: str
) -> None:
    within(inventory_url, lambda shop: shop.apply(order(reference=reference)))
    asked = ask(inventory_url, "--json", f"--reason={reason}", "--", reference, "accept")
    command = shlex.split(json.loads(asked.stdout)["command"])
    assert ask(inventory_url, "--wait=0", *command[3:]).exit_code == 0
    (message,) = within(inventory_url, outgoing)
    assert message.decided is not None
    assert (message.reference, message.decided.reason) == (reference, reason)


def test_a_confirmed_decision_is_published_with_its_author_and_recorded(undecided: str) -> None:
    result = confirmed(undecided)
    assert result.exit_code == 0, result.stderr
    assert "waits for the consumer" in result.stdout
    (message,) = within(undecided, outgoing)
    assert message.decided is not None
    assert (message.decided.decision, message.decided.reason) == ("accept", "paid in cash")
    (done,) = within(undecided, operations)
    assert done.who == message.decided.by
    assert done.what == "inventory decide"
    said = f"event {message.id}: accept A-1 of shop-eu: paid in cash"
    assert done.detail == f"order {order_id('shop-eu', 'A-1')}, {said}"
    assert within(undecided, lambda shop: shop.status()) == "reserved"
    within(undecided, apply_decisions)
    assert within(undecided, lambda shop: shop.status()) == "committed"
    assert within(undecided, lambda shop: shop.cases()) == []


@pytest.mark.parametrize("change", ["money", "cancelled", "lapsed", "decided"])
def test_an_order_that_changed_since_it_was_shown_is_refused(undecided: str, change: str) -> None:
    version = shown(undecided)["order"]["version"]

    async def happen(shop: Shop) -> None:
        if change == "money":
            await shop.apply(paid(provider_reference="another"))
        elif change == "cancelled":
            await shop.apply(order("order.cancelled"))
        else:
            await shop.with_policy(hold_seconds=0).expire()
            await shop.with_policy(hold_seconds=0).lapse()

    if change == "decided":
        assert confirmed(undecided, "A-1", "refuse").exit_code == 0
    else:
        within(undecided, happen)
    before = within(undecided, outgoing)
    result = ask(undecided, "A-1", "accept", REASON, "--version", version, "--yes")
    assert result.exit_code == 1
    assert "has changed since that version" in result.stderr
    assert within(undecided, outgoing) == before


def test_of_two_operators_who_saw_the_same_order_one_is_refused(undecided: str) -> None:
    command = shlex.split(shown(undecided)["command"])[3:]
    assert ask(undecided, *command, "--wait", "0").exit_code == 0
    second = ask(undecided, *command, "--wait", "0")
    assert second.exit_code == 1
    assert "decided accept A-1 of shop-eu" in second.stderr
    assert len(within(undecided, outgoing)) == 1


def test_of_two_operators_at_the_same_moment_one_is_refused(undecided: str) -> None:
    accept = shlex.split(shown(undecided)["command"])[3:]
    refuse = ["refuse" if each == "accept" else each for each in accept]

    async def both(_: Shop) -> list[Result]:
        asked = [asyncio.to_thread(ask, undecided, *each, "--wait=0") for each in (accept, refuse)]
        return await asyncio.gather(*asked)

    found = within(undecided, both)
    assert sorted(each.exit_code for each in found) == [0, 1], [each.stderr for each in found]
    assert len(within(undecided, outgoing)) == 1
    assert len(within(undecided, operations)) == 1


def test_a_waiting_decision_is_shown_and_a_later_one_wins(undecided: str) -> None:
    assert confirmed(undecided, "A-1", "accept").exit_code == 0
    (waiting,) = shown(undecided)["order"]["waiting"]
    assert "accept A-1 of shop-eu" in waiting["decision"]
    assert confirmed(undecided, "A-1", "refuse").exit_code == 0
    first, second = within(undecided, outgoing)
    assert first.at < second.at

    async def in_reverse(shop: Shop) -> None:
        await shop.each(second, first)

    within(undecided, in_reverse)
    found = shown(undecided)["order"]
    assert (found["status"], found["decision"]["decision"]) == ("released", "refuse")
    assert found["waiting"] == []


def test_the_facts_are_checked_under_the_lock_of_the_order(undecided: str) -> None:
    """A payment that holds the order is waited for, and changes the version."""
    command = shlex.split(shown(undecided)["command"])[3:]

    async def race(shop: Shop) -> Result:
        locked = text("SELECT 1 FROM inventory.orders WHERE reference = 'A-1' FOR UPDATE")
        async with shop.engine.begin() as transaction:
            await transaction.execute(locked)
            deciding = asyncio.create_task(asyncio.to_thread(ask, undecided, *command))
            await somebody_waits(shop.engine)
            assert not deciding.done()
            change = "UPDATE inventory.orders SET status = 'lapsed' WHERE reference = 'A-1'"
            await transaction.execute(text(change))
        return await deciding

    result = within(undecided, race)
    assert result.exit_code == 1
    assert "has changed since that version" in result.stderr


def test_a_decision_that_the_broker_refuses_is_reported(undecided: str) -> None:
    command = shlex.split(shown(undecided)["command"])[3:]

    async def refuse(shop: Shop) -> Result:
        deciding = asyncio.create_task(asyncio.to_thread(ask, undecided, *command, "--json"))
        await eventually(partial(_numbers, shop), "the decision is in the outbox")
        (number,) = await _numbers(shop)
        async with shop.engine.begin() as transaction:
            await set_aside(transaction, TABLES, number, "TopicAuthorizationFailedError")
        return await deciding

    result = within(undecided, refuse)
    assert result.exit_code == 1
    assert json.loads(result.stdout)["refused"] == "TopicAuthorizationFailedError"
    assert "payrouter outbox retry inventory" in result.stderr


async def _numbers(shop: Shop) -> list[int]:
    box = TABLES.outbox
    async with shop.engine.connect() as connection:
        return list(await connection.scalars(select(box.c.id).where(box.c.topic != TOPIC)))


def test_an_applied_decision_is_reported(undecided: str) -> None:
    command = shlex.split(shown(undecided)["command"])[3:]

    async def run(shop: Shop) -> Result:
        deciding = asyncio.create_task(asyncio.to_thread(ask, undecided, *command))
        await eventually(partial(outgoing, shop), "the decision is in the outbox")
        await apply_decisions(shop)
        return await deciding

    assert within(undecided, run).stdout.endswith("the inventory has applied it\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("A-2", "accept"), "there is no order A-2; it can be decided about once"),
        (("A-9", "accept"), "order A-9 was never placed; a payment waits"),
        (("A-8", "accept"), "there is no order A-8; a payment waits for it"),
        (("A-3", "accept"), "several merchants have an order A-3: shop-eu, shop-us"),
        (("A-1", "accept", "--account=shop-us"), "there is no order A-1 of shop-us"),
    ],
    ids=str,
)
def test_an_order_that_cannot_be_decided_about_is_explained(
    undecided: str, arguments: tuple[str, ...], problem: str
) -> None:
    async def more(shop: Shop) -> None:
        await shop.each(order("order.cancelled", reference="A-9"), paid(reference="A-8"))
        await shop.apply(paid(reference="A-9", provider_reference="P-9"))
        both = [order(reference="A-3", account=each) for each in ("shop-eu", "shop-us")]
        await shop.each(*both)

    within(undecided, more)
    result = ask(undecided, *arguments, REASON)
    assert result.exit_code == 1
    assert problem in result.stderr
    assert within(undecided, outgoing) == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("A-1", "sell", REASON), "'sell' is not one of"),
        (("A-1", "accept"), "--reason"),
        (("A-1", "accept", "--reason="), "--reason: 1 to 512 characters"),
        (("A-1", "accept", "--reason=  "), "--reason: 1 to 512 characters"),
        (("A-1", "accept", "--reason=" + "x" * 513), "--reason: 1 to 512 characters"),
        (("A-1", "accept", "--reason=a\x07b"), "none of them a control character"),
        (("", "accept", REASON), "ORDER: 1 to 512 characters"),
        (("A-1", "accept", REASON, "--account="), "--account: 1 to 512"),
        (("A-1", "accept", REASON, "--yes"), "--yes and --version need each other"),
        (("A-1", "accept", REASON, "--version=1"), "--yes and --version need each other"),
        (("A-1", "accept", REASON, "--wait=nan"), "--wait"),
    ],
    ids=str,
)
def test_wrong_usage_is_refused(undecided: str, arguments: tuple[str, ...], problem: str) -> None:
    result = ask(undecided, *arguments)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert within(undecided, operations) == []


def test_a_read_only_database_is_reported_in_one_line_and_nothing_is_decided(
    undecided: str,
) -> None:
    command = shlex.split(shown(undecided)["command"])[3:]

    async def alter(shop: Shop, word: str) -> None:
        name = shop.engine.url.database
        async with shop.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text("SET default_transaction_read_only = off"))
            setting = f'ALTER DATABASE "{name}" SET default_transaction_read_only = {word}'
            await connection.execute(text(setting))

    within(undecided, lambda shop: alter(shop, "on"))
    result = ask(undecided, *command)
    within(undecided, lambda shop: alter(shop, "off"))
    assert result.exit_code == 1
    assert "read-only transaction" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert within(undecided, outgoing) == []


def test_a_decision_is_recorded_in_full_or_not_at_all(
    undecided: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends after the record was put into the outbox, before the audit."""
    command = shlex.split(shown(undecided)["command"])[3:]

    async def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("consumers.inventory.deciding.reading.record_operation", killed)
    assert ask(undecided, *command).exit_code == 130
    assert within(undecided, outgoing) == []


@pytest.mark.parametrize("places", list(permutations(range(3))))
def test_a_replay_into_an_emptied_database_restores_the_decision(
    undecided: str, templates: Templates, places: tuple[int, ...]
) -> None:
    assert confirmed(undecided).exit_code == 0
    (decision,) = within(undecided, outgoing)
    told = [order(), paid(currency="BTC", amount="0.1"), decision]

    async def replay(shop: Shop) -> tuple[str | None, list[str], Any]:
        await shop.set("tea", 10)
        await shop.each(*(told[each] for each in places))
        return await shop.status(), await shop.cases(), await shop.stock()

    with templates.copied(SERVICE) as url:
        assert within(url, replay) == ("committed", [], {"tea": (10, 0, 2, 0)})
        known = shown(url)["order"]["decision"]
    assert (known["decision"], known["reason"]) == ("accept", "paid in cash")
    assert known["changed_since"] is False

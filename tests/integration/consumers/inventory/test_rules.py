"""Effects of orders and payments on the stock, rule by rule."""

import pytest

from consumers.runtime.fate import Fate
from router.contract.order_fields import OtherOrderMessage
from tests.parts.contract.orders import order
from tests.parts.inventory.shop import Shop, ordered, paid

APPLIED, STALE = Fate.APPLIED, Fate.STALE


@pytest.fixture
async def tea(shop: Shop) -> Shop:
    """Return a shop with ten teas."""
    await shop.set("tea", 10)
    return shop


async def test_a_placed_order_is_reserved(tea: Shop) -> None:
    assert await tea.apply(order()) == [APPLIED]
    assert await tea.status() == "reserved"
    assert await tea.stock() == {"tea": (10, 2, 0, 0)}
    assert await tea.outcome_names() == ["reserved"]
    await tea.check_books()


async def test_a_paid_order_is_committed_once(tea: Shop) -> None:
    await tea.each(order(), paid("pending"), paid(), paid("overpaid", "31"), paid("pending"))
    assert await tea.status() == "committed"
    assert await tea.stock() == {"tea": (10, 0, 2, 0)}
    assert await tea.outcome_names() == ["reserved", "committed"]
    assert await tea.troubles() == []
    await tea.check_books()


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled"])
async def test_a_failed_payment_releases_the_order_once(tea: Shop, status: str) -> None:
    await tea.each(order(), paid(status, None), paid(status, None), paid("failed", None))
    assert await tea.status() == "released"
    assert await tea.stock() == {"tea": (10, 0, 0, 0)}
    words = await tea.outcomes()
    assert [word for word, _ in words] == ["inventory.reserved", "inventory.released"]
    assert words[1][1] == {"reason": f"payment {status}"}
    await tea.check_books()


async def test_a_reservation_holds_while_one_of_its_payments_is_open(tea: Shop) -> None:
    other = {"provider": "blockbee", "provider_reference": "other"}
    await tea.each(order(), paid("pending"), paid("pending", **other), paid("expired", None))
    assert await tea.status() == "reserved"
    await tea.apply(paid("failed", None, **other))
    assert await tea.status() == "released"


async def test_the_platform_cancels_an_order(tea: Shop) -> None:
    assert await tea.each(order(), order("order.cancelled"), order("order.cancelled")) == [
        APPLIED,
        APPLIED,
        STALE,
    ]
    assert await tea.status() == "cancelled"
    assert await tea.stock() == {"tea": (10, 0, 0, 0)}
    assert await tea.outcome_names() == ["reserved", "released"]


async def test_an_order_cancelled_before_it_is_placed_reserves_nothing(tea: Shop) -> None:
    await tea.each(order("order.cancelled"), order())
    assert await tea.status() == "cancelled"
    assert await tea.stock() == {"tea": (10, 0, 0, 0)}


@pytest.mark.parametrize("release", ["expired", "cancelled", "lapsed"])
async def test_paid_after_release_takes_stock_again(tea: Shop, release: str) -> None:
    taking = tea.with_policy(paid_after_cancelled="take")
    await released(taking, release)
    await taking.apply(paid())
    assert await tea.status() == "committed"
    assert await tea.stock() == {"tea": (10, 0, 2, 0)}
    assert await tea.outcome_names() == ["reserved", "released", "committed"]
    assert await tea.cases() == (["cancelled-with-money"] if release == "cancelled" else [])
    await tea.check_books()


@pytest.mark.parametrize("release", ["expired", "cancelled", "lapsed"])
async def test_paid_after_release_is_oversold_if_the_stock_is_sold_to_others(
    tea: Shop, release: str
) -> None:
    taking = tea.with_policy(paid_after_cancelled="take")
    await released(taking, release)
    await taking.apply(ordered(2, lines=[{"sku": "tea", "quantity": 9}]))
    await taking.apply(paid())
    assert await tea.status() == "oversold"
    assert await tea.stock() == {"tea": (10, 9, 1, 1)}
    assert "oversold" in await tea.troubles()
    assert (
        "inventory.oversold",
        {"was": was(release), "oversold": "tea=1"},
    ) in await tea.outcomes()
    await tea.check_books()


def was(release: str) -> str:
    return "released" if release == "expired" else release


async def released(shop: Shop, how: str) -> None:
    await shop.apply(order())
    if how == "lapsed":
        await shop.expire()
        await shop.lapse()
    elif how == "cancelled":
        await shop.apply(order("order.cancelled"))
    else:
        await shop.apply(paid("expired", None))
    assert await shop.status() == was(how)


async def test_a_payment_before_its_order_waits_for_it(tea: Shop) -> None:
    assert await tea.apply(paid()) == [APPLIED]
    assert await tea.stock() == {"tea": (10, 0, 0, 0)}
    await tea.apply(order())
    assert await tea.status() == "committed"
    assert await tea.stock() == {"tea": (10, 0, 2, 0)}
    assert await tea.history() == [
        "payment waiting",
        "placed",
        "reserved",
        "payment found",
        "committed",
    ]
    await tea.check_books()


async def test_a_payment_that_failed_before_its_order_releases_it(tea: Shop) -> None:
    await tea.each(paid("expired", None), order())
    assert await tea.status() == "released"
    assert await tea.stock() == {"tea": (10, 0, 0, 0)}


async def test_order_and_payments_in_one_batch_are_applied_in_their_order(tea: Shop) -> None:
    await tea.apply(paid("pending"), order(), ordered(2), paid(), paid(reference="A-3"), ordered(3))
    assert await tea.statuses() == {"A-1": "committed", "A-2": "reserved", "A-3": "committed"}
    assert await tea.stock() == {"tea": (10, 2, 4, 0)}
    await tea.check_books()


async def test_of_two_orders_for_the_last_item_one_is_short(shop: Shop) -> None:
    await shop.set("tea", 3)
    await shop.apply(ordered(1), ordered(2))
    assert await shop.statuses() == {"A-1": "reserved", "A-2": "short"}
    assert await shop.stock() == {"tea": (3, 2, 0, 0)}
    assert ("inventory.short", {"missing": "tea=1"}) in await shop.outcomes()


async def test_an_order_is_reserved_completely_or_not_at_all(tea: Shop) -> None:
    lines = [{"sku": "tea", "quantity": 2}, {"sku": "mug", "quantity": 1}]
    await tea.apply(order(lines=lines))
    assert await tea.status() == "short"
    assert await tea.stock() == {"mug": (0, 0, 0, 0), "tea": (10, 0, 0, 0)}


async def test_lines_of_the_same_article_count_together(shop: Shop) -> None:
    await shop.set("tea", 3)
    await shop.apply(order(lines=[{"sku": "tea", "quantity": 2}, {"sku": "tea", "quantity": 2}]))
    assert await shop.status() == "short"


async def test_a_short_order_that_is_paid_takes_the_available_stock(shop: Shop) -> None:
    await shop.set("tea", 1)
    await shop.each(order(), paid())
    assert await shop.status() == "oversold"
    assert await shop.stock() == {"tea": (1, 0, 1, 1)}


async def test_new_stock_covers_oversold_orders_the_oldest_first(shop: Shop) -> None:
    await shop.each(ordered(1), paid(), ordered(2), paid(reference="A-2"))
    assert await shop.stock() == {"tea": (0, 0, 0, 4)}
    assert await shop.set("tea", 3) == ["A-1", "A-2"]
    assert await shop.statuses() == {"A-1": "committed", "A-2": "oversold"}
    assert await shop.stock() == {"tea": (3, 0, 3, 1)}
    assert await shop.set("tea", 10) == ["A-2"]
    assert await shop.stock() == {"tea": (10, 0, 4, 0)}
    assert (await shop.outcome_names())[-2:] == ["committed", "committed"]
    await shop.check_books()


async def test_two_merchants_with_the_same_order_number_never_mix(shop: Shop) -> None:
    await shop.set("tea", 10)
    await shop.set("tea", 5, account="shop-us")
    await shop.each(order(), order(account="shop-us"), paid(account="shop-us"))
    assert await shop.status() == "reserved"
    assert await shop.status(account="shop-us") == "committed"
    assert await shop.stock() == {"tea": (10, 2, 0, 0)}
    assert await shop.stock("shop-us") == {"tea": (5, 0, 2, 0)}


async def test_two_gateways_paying_one_order_commit_it_once(tea: Shop) -> None:
    other = paid(provider="blockbee", provider_reference="other")
    await tea.each(order(), paid(), other)
    assert await tea.stock() == {"tea": (10, 0, 2, 0)}
    assert await tea.outcome_names() == ["reserved", "committed"]
    assert await tea.troubles() == ["paid twice"]


async def test_two_partial_payments_commit_an_order(tea: Shop) -> None:
    await tea.each(order(), paid(amount="10"))
    assert await tea.status() == "reserved"
    await tea.apply(paid(amount="20", provider_reference="rest"))
    assert await tea.status() == "committed"


async def test_too_little_in_the_orders_currency_is_not_paid(tea: Shop) -> None:
    await tea.each(order(), paid(amount="29.999999999999999999"))
    assert await tea.status() == "reserved"
    assert await tea.troubles() == ["paid too little"]
    await tea.apply(paid(amount="30.000000000000000000"))
    assert await tea.status() == "committed"


async def test_an_order_that_costs_nothing_is_committed_at_once(tea: Shop) -> None:
    await tea.apply(order(total="0"))
    assert await tea.status() == "committed"


async def test_underpaid_waits(tea: Shop) -> None:
    await tea.each(order(), paid("underpaid", "29.8"))
    assert await tea.status() == "reserved"
    await tea.apply(paid("confirmed", "30"))
    assert await tea.status() == "committed"


@pytest.mark.parametrize(("amount", "status"), [("29.7", "committed"), ("29.6", "reserved")])
@pytest.mark.parametrize("word", ["underpaid", "confirmed"])
async def test_underpaid_is_accepted_within_the_tolerance(
    tea: Shop, word: str, amount: str, status: str
) -> None:
    lenient = tea.with_policy(underpaid="accept_within", underpaid_tolerance="0.01")
    await lenient.each(order(), paid(word, amount))
    assert await tea.status() == status


async def test_overpaid_commits_or_waits_by_policy(tea: Shop) -> None:
    await tea.each(order(), paid("overpaid", "31"))
    assert await tea.status() == "committed"
    strict = tea.with_policy(overpaid="wait")
    await strict.each(ordered(2), paid("overpaid", "31", reference="A-2"))
    assert await tea.status("A-2") == "reserved"
    assert await tea.troubles() == ["overpaid"]


async def test_a_cancelled_paid_order_keeps_or_returns_its_stock(tea: Shop) -> None:
    await tea.each(order(), paid(), order("order.cancelled"))
    assert await tea.status() == "committed"
    assert await tea.troubles() == ["cancelled with money"]
    returning = tea.with_policy(cancelled_after_paid="return")
    await returning.each(
        ordered(2), paid(reference="A-2"), order("order.cancelled", reference="A-2")
    )
    assert await tea.status("A-2") == "cancelled"
    assert await tea.stock() == {"tea": (10, 0, 2, 0)}
    await tea.check_books()


async def test_stock_returned_by_a_cancellation_is_not_sold_again_by_the_same_money(
    tea: Shop,
) -> None:
    returning = tea.with_policy(cancelled_after_paid="return")
    await returning.each(order(), paid(), order("order.cancelled"), paid("overpaid", "31"))
    assert await tea.status() == "cancelled"
    assert await tea.stock() == {"tea": (10, 0, 0, 0)}


async def test_a_cancelled_order_that_is_paid_takes_no_stock_by_policy(
    tea: Shop,
) -> None:
    leaving = tea.with_policy(paid_after_cancelled="leave")
    await leaving.each(order(), order("order.cancelled"), paid())
    assert await tea.status() == "cancelled"
    assert await tea.stock() == {"tea": (10, 0, 0, 0)}
    assert await tea.troubles() == ["cancelled with money"]


async def test_a_payment_called_off_after_it_was_paid_changes_nothing(tea: Shop) -> None:
    await tea.each(order(), paid(), paid("failed", None))
    assert await tea.status() == "committed"
    assert await tea.troubles() == ["called off after paid"]


async def test_a_repeated_order_changes_nothing_and_a_different_one_is_noted(tea: Shop) -> None:
    await tea.apply(order())
    assert await tea.apply(order(total="30")) == [STALE]
    await tea.apply(order(lines=[{"sku": "tea", "quantity": 3}]))
    assert await tea.stock() == {"tea": (10, 2, 0, 0)}
    assert await tea.troubles() == ["placed otherwise"]


async def test_a_message_handled_long_ago_is_stale(tea: Shop) -> None:
    placed, payment = order(), paid()
    await tea.apply(placed, payment)
    before = await tea.history()
    assert await tea.apply(payment, placed, payment) == [STALE] * 3
    otherwise = order(total="31")
    assert await tea.apply(otherwise) == [APPLIED]
    assert await tea.apply(otherwise, paid(reference="A-9"), placed) == [STALE, APPLIED, STALE]
    twice = ordered(2)
    assert await tea.apply(twice, twice) == [APPLIED, STALE]
    assert (await tea.history())[: len(before)] == before
    assert await tea.stock() == {"tea": (10, 2, 2, 0)}
    await tea.check_books()


async def test_other_messages_and_other_families_are_ignored(tea: Shop) -> None:
    payout = paid(type="payout.confirmed")
    other = OtherOrderMessage(payout.id, "[]")
    assert await tea.apply(other, payout) == [STALE, STALE]
    assert await tea.history() == []

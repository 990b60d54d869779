"""Is the order paid? Every row of the table in docs/inventory.md, and options that change it."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from consumers.inventory import cases
from consumers.inventory.policy import Policy
from consumers.inventory.rules.wants import Want
from router.contract.event import Event
from tests.parts.contract.orders import order
from tests.parts.inventory.memory import MemoryShop
from tests.parts.inventory.shop import paid
from tests.parts.source import ROOT

PAGE = (ROOT / "docs" / "inventory.md").read_text(encoding="utf-8")
_ROW = re.compile(
    r"^\| `([^`]+)` \| `([^`]+)` \| (?:`([^`]*)`)? ?\| ([\w ]+) \| (?:`([\w-]+)`)? ?\|$"
)


@dataclass(frozen=True)
class AnswerRow:
    """A row of the table."""

    total: str
    payments: str
    options: str
    answer: str
    kind: str

    def __str__(self) -> str:
        """Name the row."""
        return f"{self.total}: {self.payments} {self.options}"

    @property
    def events(self) -> Iterator[Event]:
        """The events of each payment."""
        for number, payment in enumerate(self.payments.split(" + ")):
            for told in payment.split("; "):
                yield _event(told, f"P-{number}")


def _event(told: str, number: str) -> Event:
    """Read `confirmed 0.05 BTC, expected 3000 EUR, price met`."""
    first, *others = told.split(", ")
    status, *money = first.split()
    facts: dict[str, Any] = {"amount": None, "currency": None}
    if money:
        facts = {"amount": money[0], "currency": money[1]}
    for other in others:
        name, _, value = other.partition(" ")
        if name == "expected":
            facts["expected_amount"], facts["expected_currency"] = value.split()
        elif name == "converted":
            facts["converted"], facts["converted_currency"] = value.split()
        else:
            facts |= {"price met": {"price_met": True}, "claimed": {"amount_claimed": True}}[other]
    return paid(status, **facts, provider_reference=number)


def rows() -> list[AnswerRow]:
    _, _, behind = PAGE.partition("\n| order's total |")
    lines = behind.partition("\n\n")[0].splitlines()[2:]
    found = [_ROW.match(line) for line in lines]
    assert all(found), lines
    return [AnswerRow(*(text or "" for text in each.groups())) for each in found if each]


ROWS = rows()


def shop_of(row: AnswerRow) -> MemoryShop:
    policy = Policy.model_validate(tomllib.loads(row.options.replace(", under", "\nunder")))
    shop = MemoryShop(policy)
    total, currency = (None, None) if row.total == "none" else row.total.split()
    shop.apply(order(total=total, currency=currency))
    return shop


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_of_the_table_is_the_answer(row: AnswerRow) -> None:
    shop = shop_of(row)
    for event in row.events:
        shop.apply(event)
    assert shop.judgement().answer == row.answer
    assert shop.cases() == ([row.kind] if row.kind else [])
    assert (shop.want() is Want.GOODS) == (row.answer == "yes")


@pytest.mark.parametrize("row", [row for row in ROWS if row.answer != "yes"], ids=str)
def test_an_order_that_is_not_paid_is_never_sold(row: AnswerRow) -> None:
    shop = shop_of(row)
    events = sorted(row.events, key=lambda each: each.type.status != "confirmed", reverse=True)
    for event in events:
        shop.apply(event)
        assert shop.status() != "committed"
    shop.pass_time(2 * 3600)
    assert shop.status() in {"lapsed", "released"}


def test_the_table_has_every_answer_and_every_kind_about_money() -> None:
    assert {row.answer for row in ROWS} == {"yes", "no", "cannot compare"}
    about_money = {
        *(cases.CANNOT_COMPARE, cases.PAID_TOO_LITTLE, cases.PAID_TWICE, cases.OVERPAID),
        *(cases.NO_LONGER_PAID, cases.PARTIAL_REFUND, cases.DISPUTED),
    }
    assert {row.kind for row in ROWS} - {""} == {kind.name for kind in about_money}


def test_the_page_names_every_kind() -> None:
    assert [kind.name for kind in cases.KINDS if f"`{kind.name}`" not in PAGE] == []
    assert len({kind.name for kind in cases.KINDS}) == len(cases.KINDS)

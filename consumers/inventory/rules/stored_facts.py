"""The facts of a payment as JSON, the column `facts` of its row."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from consumers.inventory.rules.facts import (
    Conversion,
    ConversionKey,
    MoneyKey,
    PaymentFacts,
    Price,
    ReportedAmount,
    StatedAmount,
    StatedKey,
    TransferKind,
)
from router.contract.amounts import value_text

FactsColumn = Mapping[str, Any]
"""Lists by the name of the fact; amounts are text, equal facts have equal columns."""


def facts_column(facts: PaymentFacts) -> FactsColumn:
    """Return facts as JSON."""
    column = {
        "statuses": sorted(facts.statuses),
        "money": [
            [*key, _text(each.amount), _moment(each.first)]
            for key, each in sorted(facts.money.items(), key=lambda item: item[0])
        ],
        "prices": [[price.currency, value_text(price.amount)] for price in sorted(facts.prices)],
        "met": sorted(facts.met),
        "conversions": [
            [*key, value_text(each.amount), _moment(each.moment), value_text(each.value)]
            for key, each in sorted(facts.conversions.items(), key=lambda item: item[0])
        ],
        "stated": [
            [*key, each.currency, value_text(each.amount), _moment(each.moment)]
            for key, each in sorted(facts.stated.items(), key=lambda item: item[0])
        ],
    }
    return {name: values for name, values in column.items() if values}


def facts_of(column: FactsColumn) -> PaymentFacts:
    """Return the facts that a column has."""
    return PaymentFacts(
        statuses=frozenset(column.get("statuses", ())),
        money={
            MoneyKey(TransferKind(kind), currency, movement, claimed_by): ReportedAmount(
                None if amount is None else Decimal(amount), datetime.fromisoformat(first)
            )
            for kind, currency, movement, claimed_by, amount, first in column.get("money", ())
        },
        prices=frozenset(
            Price(currency, Decimal(amount)) for currency, amount in column.get("prices", ())
        ),
        met=frozenset(column.get("met", ())),
        conversions={
            ConversionKey(currency, into, claimed_by): Conversion(
                Decimal(amount), datetime.fromisoformat(moment), Decimal(value)
            )
            for currency, into, claimed_by, amount, moment, value in column.get("conversions", ())
        },
        stated={
            StatedKey(TransferKind(kind), movement): StatedAmount(
                datetime.fromisoformat(moment), Decimal(amount), currency
            )
            for kind, movement, currency, amount, moment in column.get("stated", ())
        },
    )


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else value_text(amount)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()

"""The keys of `[….mapping.fields]` and `[….mapping.events]`: facts and their paths, by event."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import PydanticKnownError

from router.contract.event import EventType
from router.contract.fields import Text
from router.providers import OPTIONS, TextList
from router.providers._mapping.conditions import Condition, Conditions
from router.providers._reading import Path

IGNORE: Final = "ignore"
"""The meaning of an event that concerns neither money nor an order."""

CURRENCIES: Final[Mapping[str, str]] = {
    "amount": "currency",
    "movement_amount": "currency",
    "expected_amount": "expected_currency",
    "converted": "converted_currency",
    "fee": "fee_currency",
    "fee_returned": "fee_currency",
    "gas": "gas_currency",
}
"""The fact that has the currency of each amount."""


class FieldPaths(BaseModel):
    """`[….mapping.fields]`: paths of an event's facts in the body."""

    model_config = OPTIONS

    provider_reference: Path | None = None
    reference: Path | None = None
    amount: Path | None = None
    currency: Path | None = None
    movement: Path | None = None
    movement_amount: Path | None = None
    expected_amount: Path | None = None
    expected_currency: Path | None = None
    converted: Path | None = None
    converted_currency: Path | None = None
    fee: Path | None = None
    fee_currency: Path | None = None
    fee_returned: Path | None = None
    gas: Path | None = None
    gas_currency: Path | None = None
    network: Path | None = None
    chain_id: Path | None = None
    tx_hash: Path | None = None
    from_address: Path | None = None
    to_address: Path | None = None
    customer_id: Path | None = None
    customer_email: Path | None = None
    occurred_at: Path | None = None

    def given(self) -> dict[str, str]:
        """Return the paths that are set, by fact."""
        return self.model_dump(exclude_none=True)


class Fixed(BaseModel):
    """`[….mapping.fixed]`: constant facts that the body does not contain."""

    model_config = OPTIONS

    currency: Text | None = None
    expected_currency: Text | None = None
    converted_currency: Text | None = None
    fee_currency: Text | None = None
    gas_currency: Text | None = None
    network: Text | None = None


class EventRow(BaseModel):
    """`[….mapping.events.WORD]`: the meaning of a word, if the conditions hold.

    `fields` replace those of the mapping, and `without` names facts that this event lacks.
    """

    model_config = OPTIONS

    type: EventType | Literal["ignore"]
    only_if: Conditions | None = None
    fields: FieldPaths = FieldPaths()
    without: TextList = ()
    price_met: bool | None = None
    amount_claimed: bool | None = None


def _rows(value: object) -> object:
    if isinstance(value, str):
        words = [*(each.value for each in EventType), IGNORE]
        if value not in words:
            kind: Literal["enum"] = "enum"
            raise PydanticKnownError(kind, {"expected": ", ".join(map(repr, words))})
        return ({"type": value},)
    return value if isinstance(value, list | tuple) else (EventRow.model_validate(value),)


EventRows = Annotated[tuple[EventRow, ...], BeforeValidator(_rows), Field(min_length=1)]
"""A type, a table with conditions, or a list of such tables."""


@dataclass(frozen=True)
class MappedEvent:
    """One meaning of a word, with all its paths; `type` is None for an event to ignore."""

    name: str
    type: EventType | None
    only_if: Mapping[str, Condition]
    paths: Mapping[str, str]
    constants: Mapping[str, bool] = field(default_factory=dict)

    def path(self, fact: str) -> str | None:
        """Return the path of a fact, None if this event has none."""
        return self.paths.get(fact)


def mapped_events(
    words: Mapping[str, tuple[EventRow, ...]], fields: FieldPaths
) -> Mapping[str, tuple[MappedEvent, ...]]:
    """Return the meanings of each word, each with the paths of the mapping and its own."""
    return {
        word: tuple(
            _mapped(word if len(rows) == 1 else f"{word}[{number}]", row, fields)
            for number, row in enumerate(rows)
        )
        for word, rows in words.items()
    }


def _mapped(name: str, row: EventRow, fields: FieldPaths) -> MappedEvent:
    paths = {**fields.given(), **row.fields.given()}
    constants = {"price_met": row.price_met, "amount_claimed": row.amount_claimed}
    return MappedEvent(
        name,
        row.type if isinstance(row.type, EventType) else None,
        row.only_if or {},
        {fact: path for fact, path in paths.items() if fact not in row.without},
        {fact: value for fact, value in constants.items() if value is not None},
    )

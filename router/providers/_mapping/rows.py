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
    """`[endpoints.NAME.mapping.fields]`: paths of an event's facts in the body."""

    model_config = OPTIONS

    provider_reference: Path | None = Field(
        None,
        description="Path of the gateway's id of the payment; required.",
        examples=["payment.id"],
    )
    reference: Path | None = Field(
        None, description="Path of the order's number.", examples=["payment.order"]
    )
    amount: Path | None = Field(
        None, description="Path of the total so far of the payment.", examples=["payment.amount"]
    )
    currency: Path | None = Field(
        None, description="Path of the currency of amounts.", examples=["payment.currency"]
    )
    movement: Path | None = Field(
        None, description="Path of the gateway's id of one transfer.", examples=["transfer.id"]
    )
    movement_amount: Path | None = Field(
        None, description="Path of the amount of that transfer.", examples=["transfer.amount"]
    )
    expected_amount: Path | None = Field(
        None,
        description="Path of the amount that the gateway expects.",
        examples=["invoice.amount"],
    )
    expected_currency: Path | None = Field(
        None, description="Path of its currency.", examples=["invoice.currency"]
    )
    converted: Path | None = Field(
        None,
        description="Path of the amount as the gateway converted it.",
        examples=["payment.fiat"],
    )
    converted_currency: Path | None = Field(
        None,
        description="Path of the currency it was converted to.",
        examples=["payment.fiat_currency"],
    )
    fee: Path | None = Field(
        None, description="Path of the gateway's fee.", examples=["payment.fee"]
    )
    fee_currency: Path | None = Field(
        None, description="Path of the fee's currency.", examples=["payment.fee_currency"]
    )
    fee_returned: Path | None = Field(
        None, description="Path of the fee that the gateway gave back.", examples=["refund.fee"]
    )
    gas: Path | None = Field(
        None, description="Path of the cost of the transaction on chain.", examples=["payment.gas"]
    )
    gas_currency: Path | None = Field(
        None, description="Path of the currency of that cost.", examples=["payment.gas_currency"]
    )
    network: Path | None = Field(
        None, description="Path of the network's name.", examples=["payment.network"]
    )
    chain_id: Path | None = Field(
        None, description="Path of the network's chain id.", examples=["payment.chain_id"]
    )
    tx_hash: Path | None = Field(
        None, description="Path of the transaction's hash.", examples=["payment.tx_hash"]
    )
    from_address: Path | None = Field(
        None, description="Path of the address that paid.", examples=["payment.from"]
    )
    to_address: Path | None = Field(
        None, description="Path of the address that was paid.", examples=["payment.to"]
    )
    customer_id: Path | None = Field(
        None, description="Path of the customer's number.", examples=["customer.id"]
    )
    customer_email: Path | None = Field(
        None, description="Path of the customer's mail address.", examples=["customer.email"]
    )
    occurred_at: Path | None = Field(
        None, description="Path of the time at which it happened.", examples=["created_at"]
    )

    def given(self) -> dict[str, str]:
        """Return the paths that are set, by fact."""
        return self.model_dump(exclude_none=True)


class Fixed(BaseModel):
    """`[endpoints.NAME.mapping.fixed]`: constant facts that the body does not contain."""

    model_config = OPTIONS

    currency: Text | None = Field(None, description="Currency of amounts.", examples=["USDT"])
    expected_currency: Text | None = Field(
        None, description="Currency of expected amounts.", examples=["USD"]
    )
    converted_currency: Text | None = Field(
        None, description="Currency of converted amounts.", examples=["USD"]
    )
    fee_currency: Text | None = Field(None, description="Currency of fees.", examples=["USDT"])
    gas_currency: Text | None = Field(
        None, description="Currency of the cost on chain.", examples=["TRX"]
    )
    network: Text | None = Field(None, description="Name of the network.", examples=["TRON"])


class EventRow(BaseModel):
    """`[endpoints.NAME.mapping.events.NAME]`: the meaning of a word, if the conditions hold."""

    model_config = OPTIONS

    type: EventType | Literal["ignore"] = Field(
        description="Type of the event, or `ignore`.", examples=["payment.confirmed"]
    )
    only_if: Conditions | None = Field(
        None,
        description="Conditions of this meaning; a field has one of these words, or is present.",
        examples=[{"payment.status": ["DONE", "PAID"]}],
    )
    fields: FieldPaths = Field(
        FieldPaths(), description="Paths that replace those of the mapping, or add to them."
    )
    without: TextList = Field(
        (), description="Facts of the mapping that this event lacks.", examples=[["tx_hash"]]
    )
    price_met: bool | None = Field(
        None,
        description="Whether the gateway documents that with this event its invoice is paid in"
        " full. Default: unknown.",
        examples=[True],
    )
    amount_claimed: bool | None = Field(
        None,
        description="Whether the amount is what the gateway charges, not what it received."
        " Default: it was received.",
        examples=[True],
    )


def _rows(value: object) -> object:
    if isinstance(value, str):
        words = [*(each.value for each in EventType), IGNORE]
        if value not in words:
            kind: Literal["enum"] = "enum"
            raise PydanticKnownError(kind, {"expected": ", ".join(map(repr, words))})
        return ({"type": value},)
    return value if isinstance(value, list | tuple) else (EventRow.model_validate(value),)


EventRows = Annotated[
    tuple[EventRow, ...],
    BeforeValidator(
        _rows,
        json_schema_input_type=EventType | Literal["ignore"] | EventRow | tuple[EventRow, ...],
    ),
    Field(min_length=1),
]
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

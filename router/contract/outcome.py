"""Outcomes that a consumer publishes for the platform: on `NAME.outcome`, once per effect."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from msgspec import Struct
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    model_validator,
)

from router.contract.event import event_id
from router.contract.fields import Text, described
from router.contract.identity import payment_key

Fact = StrictStr | StrictInt | StrictBool | None
"""A fact of an outcome. Amounts are strings, never floats."""

Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*\.[a-z][a-z0-9_]*$", max_length=100)]


class OutcomeEvent(BaseModel):
    """One effect: `ledger.posted`, `inventory.committed`, `notification.sent`."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: Annotated[
        UUID,
        described(
            "The same if the record is published again", "2f8c6a55-6f0c-5b7e-8d0a-0d8f2f6a9c01"
        ),
    ]
    type: Annotated[
        Word, described("The consumer and what it did", "ledger.posted", "inventory.committed")
    ]
    account: Annotated[Text, described("The merchant account", "shop-eu")]
    reference: Annotated[Text | None, described("The merchant's order", "A-1")] = None
    provider: Annotated[Text | None, described("The gateway", "blockatm")] = None
    provider_reference: Annotated[
        Text | None, described("The gateway's id of the payment or payout", "8210003616")
    ] = None
    event_id: Annotated[
        UUID | None,
        described(
            "The event that caused it; null if only the passing of time did",
            "5cb2d56f-233b-5534-95af-5f0a6c5c475f",
        ),
    ] = None
    at: Annotated[AwareDatetime, described("Time of the effect", "2026-11-22T10:00:01Z")]
    data: Annotated[
        dict[str, Fact],
        described(
            "Facts of the effect; amounts are text", {"amount": "2000.00", "currency": "USDT"}
        ),
    ] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.reference is None and self.provider_reference is None:
            message = "an outcome needs reference or provider_reference"
            raise ValueError(message)
        return self

    @property
    def key(self) -> bytes:
        """The Kafka key, the same as of the order's or payment's events."""
        return payment_key(
            self.account, self.reference, self.provider or "", self.provider_reference
        )


class OutcomeFacts(Struct, frozen=True, kw_only=True):
    """The facts of an `OutcomeEvent`, in the order of its fields, which nothing validates.

    It is made in a fraction of the time, from an event that was validated.
    """

    id: UUID
    type: str
    account: str
    reference: str | None
    provider: str | None
    provider_reference: str | None
    event_id: UUID | None
    at: datetime
    data: dict[str, str | int | bool | None]

    @property
    def key(self) -> bytes:
        """The Kafka key, like that of an `OutcomeEvent`."""
        return payment_key(
            self.account, self.reference, self.provider or "", self.provider_reference
        )


def outcome_id(word: str, *identity: str) -> UUID:
    """Derive an outcome's id from its subject: the event's id, the order, the message."""
    return event_id("outcome", word, *identity)

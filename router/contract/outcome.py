"""Outcomes that a consumer publishes for the platform: on `NAME.outcome`, once per effect."""

from typing import Annotated, Self
from uuid import UUID

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

from router.contract.event import Text, event_id, payment_key

Fact = StrictStr | StrictInt | StrictBool | None
"""A fact of an outcome. Amounts are strings, never floats."""

Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*\.[a-z][a-z0-9_]*$", max_length=100)]


class OutcomeEvent(BaseModel):
    """One effect: `ledger.posted`, `inventory.committed`, `notification.sent`.

    `event_id` is the event that caused it, None if only the passing of time did. `id`
    stays the same if the record is published again.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: UUID
    type: Word
    account: Text
    reference: Text | None = None
    provider: Text | None = None
    provider_reference: Text | None = None
    event_id: UUID | None = None
    at: AwareDatetime
    data: dict[str, Fact] = Field(default_factory=dict)

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


def outcome_id(word: str, *identity: str) -> UUID:
    """Derive an outcome's id from its subject: the event's id, the order, the message."""
    return event_id("outcome", word, *identity)

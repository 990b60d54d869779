"""What a consumer says back to the platform: on `NAME.outcome`, once per effect."""

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
"""A fact of an outcome. Amounts are strings, as everywhere: no float."""

Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*\.[a-z][a-z0-9_]*$", max_length=100)]


class OutcomeEvent(BaseModel):
    """One effect: `ledger.posted`, `inventory.committed`, `notification.sent`.

    `event_id` names the event it came of, None where it came of time alone.
    `id` is the same however often the record is published.
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
            message = "an outcome names its order or its payment: reference or provider_reference"
            raise ValueError(message)
        return self

    @property
    def key(self) -> bytes:
        """The Kafka key, that of the order's or payment's events."""
        return payment_key(
            self.account, self.reference, self.provider or "", self.provider_reference
        )


def outcome_id(word: str, *identity: str) -> UUID:
    """Derive an outcome's id from what it is about: the event's id, the order, the message."""
    return event_id("outcome", word, *identity)

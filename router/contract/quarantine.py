"""What lies on the quarantine topic: a genuine delivery, whole, and what became of it."""

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from router.contract.event import Raw, Text, Verification, event_id


class Quarantined(BaseModel):
    """A delivery whose signature held and that had no effect.

    It could not be read, was not understood, was about somebody else's money,
    or came too late.

    `reason` is from a closed list (`router.errors`), `detail` says which field
    and what would have been right.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: UUID
    reason: Text
    detail: Text
    provider: Text
    endpoint: Text
    account: Text
    mode: Literal["live", "test"] | None = Field(
        None, description="Mode of the endpoint when it came; null in records of earlier versions"
    )
    signed_at: AwareDatetime | None
    received_at: AwareDatetime
    verification: Verification
    raw: Raw

    @property
    def key(self) -> bytes:
        """The Kafka key: those of one endpoint stay together."""
        return self.endpoint.encode()


class Replayed(BaseModel):
    """An operator had a delivery on quarantine taken in after all.

    Lies on the same topic under the same key, so that whoever reads of the
    delivery reads of this too. `events` are the ids that were published.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    quarantined: UUID
    provider: Text
    endpoint: Text
    account: Text
    events: tuple[UUID, ...]
    at: AwareDatetime
    by: Text

    @property
    def key(self) -> bytes:
        """The Kafka key of the delivery it is about."""
        return self.endpoint.encode()


def quarantine_id(provider: str, account: str, reason: str, body_digest: str) -> UUID:
    """Derive the id: the same body refused for the same reason has the same one."""
    return event_id(provider, account, "quarantine", reason, body_digest)

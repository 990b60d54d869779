"""Records of the quarantine topic: genuine deliveries, and their later replays."""

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from router.contract.event import Raw, Text, Verification, event_id


class Quarantined(BaseModel):
    """A delivery with a valid signature that had no effect.

    It could not be parsed, was not understood, was about another merchant's money, or
    came too late.

    `reason` is from a closed list (`router.errors`); `detail` names the field and the
    values that it may have.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: UUID
    reason: Text
    detail: Text
    provider: Text
    endpoint: Text
    account: Text
    mode: Literal["live", "test"] | None = Field(
        None, description="Mode of the endpoint on arrival; null in records of earlier versions"
    )
    signed_at: AwareDatetime | None
    received_at: AwareDatetime
    verification: Verification
    raw: Raw

    @property
    def key(self) -> bytes:
        """The Kafka key: all deliveries of an endpoint share a partition."""
        return self.endpoint.encode()


class Replayed(BaseModel):
    """Note that an operator replayed a quarantined delivery.

    It is on the same topic under the same key, so that readers of the delivery find it
    too. `events` are the ids of the published events.
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
        """The Kafka key of the replayed delivery."""
        return self.endpoint.encode()


def quarantine_id(provider: str, account: str, reason: str, body_digest: str) -> UUID:
    """Derive the id, which is the same for the same body and reason."""
    return event_id(provider, account, "quarantine", reason, body_digest)

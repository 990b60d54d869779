"""Records of the quarantine topic: genuine deliveries, and their later replays."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from router.contract.event import Raw, Verification, event_id
from router.contract.fields import Text, described


class Quarantined(BaseModel):
    """A delivery with a valid signature that had no effect.

    It could not be parsed, was not understood, was about another merchant's money, or
    came too late.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: Annotated[
        UUID,
        described("The same for the same body and reason", "f3a110f4-b1ff-523f-b9dc-0daafc035651"),
    ]
    reason: Annotated[
        Text, described("Why it had no effect; a word of a closed list", "unknown_status")
    ]
    detail: Annotated[
        Text,
        described(
            "The field, and the values that it may have", "status: expected PENDING, SUCCESS"
        ),
    ]
    provider: Annotated[Text, described("The gateway", "blockatm")]
    endpoint: Annotated[Text, described("The endpoint that received it", "blockatm-main")]
    account: Annotated[Text, described("The merchant account of the endpoint", "shop-eu")]
    mode: Annotated[
        Literal["live", "test"] | None,
        described("Mode of the endpoint on arrival; null: unknown", "live"),
    ] = None
    signed_at: Annotated[
        AwareDatetime | None,
        described("The signed time; null if the gateway signs none", "2026-11-22T09:59:58Z"),
    ]
    received_at: Annotated[
        AwareDatetime, described("Time of arrival at the edge", "2026-11-22T10:00:00.123456Z")
    ]
    verification: Annotated[
        Verification,
        described(
            "How the delivery was verified", {"scheme": "blockatm-v2-raw", "key": "fp:3c1a9d"}
        ),
    ]
    raw: Annotated[
        Raw,
        described(
            "The delivery as received",
            {
                "method": "POST",
                "target": "/webhooks/blockatm-main",
                "headers": {"blockatm-request-time": "1743060268000"},
                "body": '{"id":8210003616,"status":"LOCKED"}',
                "body_encoding": "utf-8",
            },
        ),
    ]

    @property
    def key(self) -> bytes:
        """The Kafka key: all deliveries of an endpoint share a partition."""
        return self.endpoint.encode()


class Replayed(BaseModel):
    """Note that an operator replayed a quarantined delivery.

    It is on the same topic under the same key, so that readers of the delivery find it
    too.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    quarantined: Annotated[
        UUID, described("Id of the delivery", "f3a110f4-b1ff-523f-b9dc-0daafc035651")
    ]
    provider: Annotated[Text, described("The gateway", "blockatm")]
    endpoint: Annotated[Text, described("The endpoint that received it", "blockatm-main")]
    account: Annotated[Text, described("The merchant account of the endpoint", "shop-eu")]
    events: Annotated[
        tuple[UUID, ...],
        described("Ids of the published events", ["5cb2d56f-233b-5534-95af-5f0a6c5c475f"]),
    ]
    at: Annotated[AwareDatetime, described("Time of the replay", "2026-11-22T11:30:00Z")]
    by: Annotated[Text, described("The operator", "ana")]

    @property
    def key(self) -> bytes:
        """The Kafka key of the replayed delivery."""
        return self.endpoint.encode()


def quarantine_id(provider: str, account: str, reason: str, body_digest: str) -> UUID:
    """Derive the id, which is the same for the same body and reason."""
    return event_id(provider, account, "quarantine", reason, body_digest)

"""Records of the topic `refused`: samples of refused deliveries, for operators."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from router.contract.fields import Text, described


class Request(BaseModel):
    """An HTTP request that was not verified."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    method: Annotated[str, described("HTTP method", "POST")]
    target: Annotated[
        str,
        described(
            "Path and query as sent, with `{token}` in place of a URL token",
            "/webhooks/blockatm-main",
        ),
    ]
    headers: Annotated[
        tuple[tuple[str, str], ...],
        described(
            "All headers as name and value, in order, names in lower case",
            [["content-type", "application/json"], ["user-agent", "curl/8.9"]],
        ),
    ]
    body: Annotated[
        str,
        described(
            "The bytes as received: as text if that is shorter, otherwise as base64",
            '{"id":8210003616}',
        ),
    ]
    body_encoding: Annotated[
        Literal["utf-8", "base64"], described("Encoding of `body`", "utf-8", "base64")
    ]


class Refused(BaseModel):
    """A refused delivery to a known endpoint. Evidence, never an event.

    Its sender was not verified: nothing in `raw` may be trusted or applied. The number of
    samples per endpoint and minute is limited, so a missing sample does not prove that
    there was no delivery.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: Annotated[UUID, described("Random", "0f8fad5b-d9cb-469f-a165-70867728950e")]
    reason: Annotated[
        Text, described("Why it was refused; a word of a closed list", "signature_wrong")
    ]
    detail: Annotated[Text, described("The same as a sentence", "none of 2 keys made a signature")]
    provider: Annotated[Text, described("The gateway of the endpoint", "blockatm")]
    endpoint: Annotated[Text, described("The endpoint that was called", "blockatm-main")]
    account: Annotated[Text, described("The merchant account of the endpoint", "shop-eu")]
    source: Annotated[
        Text,
        described("Address of the sender, as resolved through the trusted proxies", "203.0.113.7"),
    ]
    received_at: Annotated[
        AwareDatetime, described("Time of arrival at the edge", "2026-11-22T10:00:00.123456Z")
    ]
    raw: Annotated[
        Request,
        described(
            "The request as received",
            {
                "method": "POST",
                "target": "/webhooks/blockatm-main",
                "headers": [["content-type", "application/json"]],
                "body": '{"id":8210003616}',
                "body_encoding": "utf-8",
            },
        ),
    ]
    masked: Annotated[
        bool,
        described("True if a secret or token in `raw` was replaced, other than in the path", False),
    ]
    truncated: Annotated[
        bool, described("True if `raw.body` has only the beginning of the body", False)
    ]
    body_bytes: Annotated[
        int | None,
        described("Length of the whole body; null if it was refused before its body was read", 17),
    ]
    body_sha256: Annotated[
        str | None,
        described(
            "SHA-256 of the whole body, in hex",
            "a5bee56d09fe73a9c19e46a70ff8d9f6be6752ceb10ed29a484ab6d6968d0a2d",
        ),
    ]

    @property
    def key(self) -> bytes:
        """The Kafka key: all samples of an endpoint share a partition."""
        return self.endpoint.encode()

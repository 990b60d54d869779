"""Records of the topic `refused`: samples of refused deliveries, for operators."""

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from router.contract.event import Text


class Request(BaseModel):
    """An HTTP request that was not verified.

    `target` is path and query as sent, with `{token}` in place of a URL token;
    `headers` has all headers as name and value, in order, names in lower case;
    `body` is the bytes as received, as text if that is the shorter form and as
    base64 otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: str
    body_encoding: Literal["utf-8", "base64"]


class Refused(BaseModel):
    """A refused delivery to a known endpoint. Evidence, never an event.

    Its sender was not verified: nothing in `raw` may be trusted or applied. `id` is
    random. The number of samples per endpoint and minute is limited, so a missing sample
    does not prove that there was no delivery.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: UUID
    reason: Text
    detail: Text
    provider: Text
    endpoint: Text
    account: Text
    source: Text = Field(
        description="Address of the sender, as resolved through the trusted proxies"
    )
    received_at: AwareDatetime
    raw: Request
    masked: bool = Field(
        description="True if a secret or token in `raw` was replaced, other than in the path"
    )
    truncated: bool = Field(description="True if `raw.body` has only the beginning of the body")
    body_bytes: int | None = Field(
        description="Length of the whole body; null if it was refused before its body was read"
    )
    body_sha256: str | None = Field(description="SHA-256 of the whole body, in hex")

    @property
    def key(self) -> bytes:
        """The Kafka key: all samples of an endpoint share a partition."""
        return self.endpoint.encode()

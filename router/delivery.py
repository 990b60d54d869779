"""What arrived, and what may be parsed: two types, so that the checker sees the difference."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from router.contract.event import Raw, Verification
from router.contract.strict_json import JsonValue, parse_object

CODING_HEADER = "content-encoding"


@dataclass(frozen=True)
class Delivery:
    """One HTTP request as received. Nothing in it is known to be true.

    `target` is the raw request target, path and query as sent, bytes as
    Latin-1, with a URL token already replaced by `{token}`; header names are
    lower case, values as sent, in order; `body` is the bytes of the wire.
    """

    endpoint: str
    account: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    received_at: datetime

    def header(self, name: str) -> tuple[str, ...]:
        """Return every value of a header, by its lower-case name."""
        return tuple(value for key, value in self.headers if key == name)


def kept_delivery(raw: Raw, endpoint: str, account: str, received_at: datetime) -> Delivery:
    """Return the delivery that was kept as `raw`, to be verified again."""
    body = base64.b64decode(raw.body) if raw.body_encoding == "base64" else raw.body.encode()
    return Delivery(
        endpoint, account, raw.method, raw.target, tuple(raw.headers.items()), body, received_at
    )


@dataclass(frozen=True)
class VerifiedDelivery:
    """A delivery whose signature held. Only `router.providers._signing.proof` makes one.

    `signed_at` is the time the gateway signed, None where it signs none;
    `signed_headers` are those an auditor needs to verify it again.
    """

    delivery: Delivery
    verification: Verification
    signed_at: datetime | None
    signed_headers: tuple[str, ...]

    def json_object(self) -> Mapping[str, JsonValue]:
        """Parse the body exactly; raises StrictJsonError."""
        return parse_object(self.delivery.body)

    def raw(self) -> Raw:
        """Return what is kept for the auditor."""
        body, encoding = as_text(self.delivery.body)
        # A header that stands twice is kept as HTTP joins it, so that a replay sees both values.
        named = (*self.signed_headers, *((CODING_HEADER,) if self.codings else ()))
        kept = {name: ", ".join(values) for name in named if (values := self.delivery.header(name))}
        return Raw.model_validate(
            {
                "method": self.delivery.method,
                "target": self.delivery.target,
                "headers": kept,
                "body": body,
                "body_encoding": encoding,
            }
        )

    @property
    def codings(self) -> tuple[str, ...]:
        """The content encodings of the body but for `identity`, as the headers say them."""
        given = self.delivery.header(CODING_HEADER)
        return tuple(value for value in given if value.strip().lower() not in {"", "identity"})

    @property
    def digest(self) -> str:
        """SHA-256 of what the gateway said, in hex: of the body, under GET of the query."""
        said = self.delivery.body
        if self.delivery.method == "GET":
            said = self.delivery.target.partition("?")[2].encode("latin-1")
        return hashlib.sha256(said).hexdigest()


def as_text(body: bytes) -> tuple[str, str]:
    """Return bytes as text and its encoding: `utf-8`, or `base64` if that is shorter or safer."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), "base64"
    # A control character takes six bytes in JSON; base64 bounds the growth to a third.
    growth = len(json.dumps(text, ensure_ascii=False)) - len(text)
    if growth > max(len(text) // 3, _READABLE_GROWTH):
        return base64.b64encode(body).decode(), "base64"
    return text, "utf-8"


# Small bodies stay readable whatever they hold.
_READABLE_GROWTH = 4096

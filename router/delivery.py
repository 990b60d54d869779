"""Unverified and verified deliveries: two types, which the type checker keeps apart."""

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
    """One HTTP request as received, not yet verified.

    `target` is the raw request target, path and query as sent, bytes decoded as
    Latin-1, with a URL token already replaced by `{token}`; header names are in
    lower case, values as sent, in order; `body` is the bytes as received.
    """

    endpoint: str
    account: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    received_at: datetime

    def header(self, name: str) -> tuple[str, ...]:
        """Return all values of a header, given its lower-case name."""
        found: tuple[str, ...] = ()
        for key, value in self.headers:
            if key == name:
                found += (value,)
        return found


def kept_delivery(raw: Raw, endpoint: str, account: str, received_at: datetime) -> Delivery:
    """Return the delivery stored as `raw`, to verify it again."""
    body = base64.b64decode(raw.body) if raw.body_encoding == "base64" else raw.body.encode()
    return Delivery(
        endpoint, account, raw.method, raw.target, tuple(raw.headers.items()), body, received_at
    )


@dataclass(frozen=True)
class VerifiedDelivery:
    """A delivery whose signature was verified. Only `router.providers._signing.proof` creates one.

    `signed_at` is the time that the gateway signed, None if it signs none;
    `signed_headers` are the headers needed to verify it again.
    """

    delivery: Delivery
    verification: Verification
    signed_at: datetime | None
    signed_headers: tuple[str, ...]

    def json_object(self) -> Mapping[str, JsonValue]:
        """Parse the body exactly; raises StrictJsonError."""
        return parse_object(self.delivery.body)

    def raw(self) -> Raw:
        """Return the delivery as it is stored, for a replay or an audit."""
        body, encoding = as_text(self.delivery.body)
        # A repeated header is stored joined, as in HTTP, so that a replay sees both values.
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
        """The values of the content-encoding headers, except `identity`."""
        given = self.delivery.header(CODING_HEADER)
        if not given:
            return ()
        return tuple([value for value in given if value.strip().lower() not in {"", "identity"}])

    @property
    def digest(self) -> str:
        """SHA-256 of the message in hex: of the body, or, for GET, of the query."""
        message = self.delivery.body
        if self.delivery.method == "GET":
            message = self.delivery.target.partition("?")[2].encode("latin-1")
        return hashlib.sha256(message).hexdigest()


def as_text(body: bytes) -> tuple[str, str]:
    """Return bytes as text and its encoding: `utf-8`, or `base64` if that is shorter or safer."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), "base64"
    if len(text) * _GROWTH_OF_ANY + _QUOTATION_MARKS <= _READABLE_GROWTH:
        return text, "utf-8"
    # A control character takes six bytes in JSON; base64 bounds the growth to a third.
    growth = len(json.dumps(text, ensure_ascii=False)) - len(text)
    if growth > max(len(text) // 3, _READABLE_GROWTH):
        return base64.b64encode(body).decode(), "base64"
    return text, "utf-8"


# Small bodies stay readable, with any content.
_READABLE_GROWTH = 4096
_GROWTH_OF_ANY = 5
_QUOTATION_MARKS = 2

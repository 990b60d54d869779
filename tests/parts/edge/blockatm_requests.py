"""BlockATM's requests for tests over HTTP, with the gateway's spelling of headers."""

from dataclasses import dataclass, field, replace
from typing import Self

from tests.parts.edge.raw_http import HeaderLine
from tests.parts.providers.blockatm_deliveries import (
    KEY,
    PAYMENT,
    TIME,
    body_of,
    signature,
)

SIGNATURE = "BlockATM-Signature-V2"
REQUEST_TIME = "BlockATM-Request-Time"
EVENT = "BlockATM-Event"
CONTENT_TYPE = ("Content-Type", "application/json")


@dataclass(frozen=True)
class Webhook:
    """A body and the headers it is sent with, in order."""

    body: bytes
    headers: tuple[HeaderLine, ...] = field(default=())

    def with_body(self, body: bytes) -> Self:
        """Change the body without signing it again."""
        return replace(self, body=body)

    def without(self, name: str) -> Self:
        """Remove a header."""
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0] != name))

    def and_also(self, name: str, value: str) -> Self:
        """Add a header, even if it is already there."""
        return replace(self, headers=(*self.headers, (name, value)))

    def changed(self, name: str, value: str) -> Self:
        """Change a header's value in place."""
        headers = tuple((key, value if key == name else old) for key, old in self.headers)
        return replace(self, headers=headers)

    def value(self, name: str) -> str:
        """Return a header's value."""
        return dict(self.headers)[name]


def webhook(
    body: bytes,
    event: str | None = "payment",
    *,
    time: str = TIME,
    secret: bytes = KEY.secret,
    message: bytes | None = None,
) -> Webhook:
    """Sign a body, either its bytes or another form of it."""
    signed = signature((body if message is None else message) + b"&time=" + time.encode(), secret)
    return given(body, signed, event, time=time)


def given(body: bytes, signed: str, event: str | None = "payment", *, time: str = TIME) -> Webhook:
    """Combine a body with a signature made elsewhere."""
    events = () if event is None else ((EVENT, event),)
    return Webhook(body, (CONTENT_TYPE, (SIGNATURE, signed), (REQUEST_TIME, time), *events))


def payment_webhook(**changes: object) -> Webhook:
    """Make a genuine payment with some members changed; those changed to `...` are left out."""
    return webhook(body_of(PAYMENT, **changes))

"""Checks the head of a request to a known endpoint, and makes a delivery of its body."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from router.configuration.addresses import Network, caller, forwarded_for, is_among
from router.delivery import Delivery
from router.edge.gate import Gate
from router.edge.http.bounds import Header
from router.edge.http.request_head import RequestHead
from router.edge.intake import Endpoint
from router.errors import Reason, Unwelcome


@dataclass(frozen=True)
class Limits:
    """Limits of one request, in bytes and seconds.

    `linger_*` limit what is still read after an answer that did not wait for the whole request.
    """

    body_bytes: int
    header_bytes: int
    linger_bytes: int = 64 * 1024
    linger_seconds: float = 2.0


def check_request(
    request: RequestHead, gate: Gate, limits: Limits, proxies: tuple[Network, ...]
) -> None:
    """Raise Unwelcome if a request must be refused before its body is read."""
    _check_caller(request, gate, proxies)
    methods = gate.endpoint.provider.methods
    if request.method not in methods:
        raise Unwelcome(Reason.METHOD, 405, f"expected {', '.join(sorted(methods))}")
    if _head_bytes(request) > limits.header_bytes:
        raise Unwelcome(Reason.HEADERS_TOO_LARGE, 431)
    _check_length(request.headers, limits.body_bytes)


def too_large(limit: int) -> Unwelcome:
    """Return the refusal of a body of more bytes."""
    return Unwelcome(Reason.BODY_TOO_LARGE, 413, f"at most {limit} bytes")


def delivery_of(
    request: RequestHead, endpoint: Endpoint, body: bytes, received_at: datetime
) -> Delivery:
    """Return the request with its body, the token in its target hidden."""
    target = endpoint.target
    if request.query:
        target += "?" + request.query.decode("latin-1")
    return Delivery(
        endpoint=endpoint.name,
        account=endpoint.account,
        method=request.method,
        target=target,
        headers=tuple(
            [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers]
        ),
        body=body,
        received_at=received_at,
    )


def _check_caller(request: RequestHead, gate: Gate, proxies: tuple[Network, ...]) -> None:
    if gate.allow_from is None:
        return
    address = caller(request.peer, forwarded_for(request.headers), proxies)
    if not is_among(address, gate.allow_from):
        detail = f"{address or 'an unknown address'} is not in allow_from"
        raise Unwelcome(Reason.ADDRESS, 403, detail)


def _head_bytes(request: RequestHead) -> int:
    # The target is stored with an event as the headers are, so it counts with them.
    headers = sum([len(name) + len(value) + 4 for name, value in request.headers])
    return headers + len(request.path) + len(request.query)


def _check_length(headers: Sequence[Header], limit: int) -> None:
    for name, value in headers:
        if name == b"content-length":
            digits = value.lstrip(b"0")[:20] or b"0"
            if digits.isdigit() and int(digits) > limit:
                raise too_large(limit)

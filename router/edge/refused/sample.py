"""Samples of refused deliveries: which are stored, and how they are masked and cut to size.

A sample is unverified input. It is masked, cut and encoded as bytes and never
parsed.
"""

import base64
import hashlib
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from router.contract.refused import Refused, Request
from router.delivery import Delivery, as_text
from router.edge.refused.masking import MASK, masked, spellings
from router.errors import Reason, RefusedDelivery

SampleResult = Literal["kept", "limited", "dropped", "failed"]
"""Result of storing a sample, as a label of its metric."""

_CREDENTIALS = re.compile(r"authorization|cookie|token|session|api-?key|passw|secret|credential")
_STATUSES = {400, 401, 403}
_KEPT_ELSEWHERE_OR_WORTHLESS = {Reason.STALE, Reason.FUTURE, Reason.BODY_INCOMPLETE}
_UTF8_LONGEST = 4


@dataclass(frozen=True)
class Attempt:
    """A refused delivery as the edge received it.

    `secrets` are the endpoint's active secrets and its URL token; a sample never
    contains them. Without `body_read`, the delivery was refused before its body
    was read.
    """

    delivery: Delivery
    provider: str
    source: str
    secrets: Sequence[bytes] = field(repr=False)
    body_read: bool


def is_sampled(problem: RefusedDelivery) -> bool:
    """Return whether a refusal qualifies for a sample.

    Unverified, malformed and excluded requests do. Stale deliveries go to
    quarantine, and for a body that is too large, too slow or cut off the log
    line is explanation enough.
    """
    return problem.status in _STATUSES and problem.reason not in _KEPT_ELSEWHERE_OR_WORTHLESS


def sample_of(problem: RefusedDelivery, attempt: Attempt, body_limit: int) -> Refused:
    """Build the sample: masked, its body cut to `body_limit` bytes."""
    delivery = attempt.delivery
    secrets = spellings(attempt.secrets)
    target = _without(delivery.target, secrets)
    headers = tuple(
        (_without(name, secrets), _without(value, secrets)) for name, value in delivery.headers
    )
    # Mask before cutting: the cut could leave the beginning of a secret.
    body = masked(delivery.body, secrets)
    text, encoding = as_text(_cut(body, body_limit))
    read = attempt.body_read
    raw = Request(
        method=delivery.method,
        target=target,
        headers=tuple(
            (name, MASK if _CREDENTIALS.search(name) else value) for name, value in headers
        ),
        body=text,
        body_encoding="base64" if encoding == "base64" else "utf-8",
    )
    return Refused(
        id=uuid.uuid4(),
        reason=problem.reason.value,
        detail=problem.detail,
        provider=attempt.provider,
        endpoint=delivery.endpoint,
        account=delivery.account,
        source=attempt.source,
        received_at=delivery.received_at,
        raw=raw,
        masked=(target, headers, body) != (delivery.target, delivery.headers, delivery.body),
        truncated=len(body) > body_limit,
        body_bytes=len(delivery.body) if read else None,
        body_sha256=hashlib.sha256(delivery.body).hexdigest() if read else None,
    )


def sampled_delivery(refused: Refused) -> Delivery:
    """Return the delivery of a sample, as far as it is stored."""
    raw = refused.raw
    body = base64.b64decode(raw.body) if raw.body_encoding == "base64" else raw.body.encode()
    return Delivery(
        refused.endpoint,
        refused.account,
        raw.method,
        raw.target,
        raw.headers,
        body,
        refused.received_at,
    )


def missing_of(refused: Refused) -> str | None:
    """Return why the signature of a sample cannot be recomputed, None if it can."""
    if refused.body_bytes is None:
        return "the delivery was refused before its body was read"
    if refused.masked:
        return "a secret or token in it was masked"
    if refused.truncated:
        kept = len(sampled_delivery(refused).body)
        return f"only the first {kept} of {refused.body_bytes} bytes of its body were stored"
    return None


def _without(text: str, lowered: Iterable[bytes]) -> str:
    return masked(text.encode("latin-1"), lowered).decode("latin-1")


def _cut(body: bytes, limit: int) -> bytes:
    """Cut a body; if it is UTF-8, between two characters, so that it stays readable."""
    start = body[:limit]
    if len(body) <= limit:
        return start
    for dropped in range(min(_UTF8_LONGEST, len(start) + 1)):
        shorter = start[: len(start) - dropped]
        try:
            shorter.decode()
        except UnicodeDecodeError:
            continue
        return shorter
    return start

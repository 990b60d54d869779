"""Explains the verification of stored deliveries: refused, quarantined, or of an event."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from router.contract.event import Raw
from router.contract.quarantine import Quarantined
from router.contract.refused import Refused
from router.delivery import kept_delivery
from router.edge.intake import Endpoint
from router.edge.refused.masking import MASK
from router.edge.refused.sample import missing_of, sampled_delivery
from router.quarantine.explain import Explanation, Step, explain, explain_incomplete, headers_read


@dataclass(frozen=True)
class KeyedEndpoint:
    """An endpoint with its keys, and the token of its URL."""

    endpoint: Endpoint
    token: str | None = field(repr=False)


def explain_refused(kept: Refused, at: KeyedEndpoint, moment: datetime | None) -> Explanation:
    """Explain a refused delivery as of a moment, None for its arrival."""
    delivery, missing = sampled_delivery(kept), missing_of(kept)
    if missing is None and MASK in headers_read(delivery, at.endpoint):
        missing = "the value of a header that verification needs was masked"
    if missing is None:
        explanation = explain(delivery, at.endpoint, moment or kept.received_at, at.token)
    else:
        explanation = explain_incomplete(delivery, at.endpoint, missing, at.token)
    return replace(explanation, steps=[*_sample_steps(kept, missing), *explanation.steps])


def explain_quarantined(kept: Quarantined, at: KeyedEndpoint) -> Explanation:
    """Explain a delivery on quarantine as of its arrival, with the keys of now."""
    explanation = explain_stored(kept.raw, at, kept.account, kept.received_at)
    first = Step("quarantined", f"{kept.received_at.isoformat()}, {kept.reason}: {kept.detail}")
    return replace(explanation, steps=[first, *explanation.steps])


def explain_stored(raw: Raw, at: KeyedEndpoint, account: str, received_at: datetime) -> Explanation:
    """Explain a genuine delivery as of its arrival, with the keys of now."""
    delivery = kept_delivery(raw, at.endpoint.name, account, received_at)
    return explain(delivery, at.endpoint, received_at, at.token)


def _sample_steps(kept: Refused, missing: str | None) -> Iterator[Step]:
    when = kept.received_at.isoformat()
    yield Step("refused", f"{when} from {kept.source}, {kept.reason}: {kept.detail}")
    if missing is not None and kept.body_bytes is not None:
        yield Step("body", f"{kept.body_bytes} bytes, SHA-256 {kept.body_sha256}")

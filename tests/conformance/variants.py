"""Further endpoints of the providers that are configured, with options their example lacks."""

from collections.abc import Mapping
from typing import Any

_REFUND: Mapping[str, Any] = {
    "without": ["amount"],
    "fields": {"movement": "parts[].id", "movement_amount": "parts[].sum"},
}
_EVENTS: Mapping[str, Any] = {
    "payment.updated": [
        {"type": "payment.confirmed", "only_if": {"state": ["DONE", "CAPTURED"]}},
        {"type": "payment.pending", "only_if": {"state": "OPEN"}},
        {"type": "payment.failed", "only_if": {"state": "FAILED", "final": True}},
        {"type": "ignore", "only_if": {"state": "DRAFT"}},
    ],
    "refund.updated": [
        {**_REFUND, "type": "payment.refunded", "only_if": {"state": "DONE"}},
        {**_REFUND, "type": "payment.refund_failed", "only_if": {"state": "FAILED"}},
    ],
    "dispute.withdrawn": {**_REFUND, "type": "payment.disputed"},
    "dispute.reinstated": {**_REFUND, "type": "payment.dispute_returned"},
    "customer.created": "ignore",
}
_MAPPING: Mapping[str, Any] = {
    "gateway": "acme",
    "events": _EVENTS,
    "only_if": {"merchant": "m1"},
    "test_if": {"live": False},
    "live_if": {"live": True},
    "minor_units": "by currency",
    # As many as the contract has, so that every amount can be written.
    "decimals": {"USDT": 18, "USDC": 18},
    "occurred_at_unit": "rfc2822",
    "fields": {
        "provider_reference": "payment.id",
        "reference": "payment.order",
        "amount": "payment.total.value",
        "currency": "payment.total.code",
        "tx_hash": "transfers[].hash",
        "occurred_at": "payment.at",
    },
}

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "generic_hmac/parts": {
        "signature_header": "Acme-Signature",
        "signature_part": "v1",
        "signed": "{time}.{event}.{body}",
        "time": {"part": "t", "unit": "ms"},
        "mapping": {**_MAPPING, "event_header": "Acme-Event"},
    },
    "generic_hmac/url": {
        "signature_header": "Acme-Signature",
        "signature_prefix": "sha512=",
        "encoding": "base64",
        "algorithm": "sha512",
        "signed": "{url}|{body}|{time}",
        "time": {"header": "Acme-Time", "unit": "us"},
        "mapping": {**_MAPPING, "event": "kind"},
    },
    "standard_webhooks/movements": {"mapping": {**_MAPPING, "event": "type"}},
}
"""Settings by provider and name of the variant; they replace those of the example."""

RELAYED = frozenset({"generic_hmac", "standard_webhooks"})
"""Providers that count a header once if a relay repeated it unchanged."""

"""The ids of the inventory's rows: each follows from what the row is about."""

import json
from uuid import UUID, uuid5

NAMESPACE = UUID("9a3f2b10-7c55-5d6e-8f41-2b6f0c1d7e58")
"""Namespace of the ids of rows. Never change it: every stored row has one."""

REFERENCE = "reference"
ADDRESS = "address"


def stock_id(account: str, sku: str) -> UUID:
    """Return the id of an article of a merchant."""
    return _id("stock", account, sku)


def order_id(account: str, reference: str) -> UUID:
    """Return the id of an order."""
    return _id("order", account, reference)


def clue_id(account: str, kind: str, text: str) -> UUID:
    """Return the id of a reference or an address by which payments are recognized."""
    return _id("clue", account, kind, text)


def payment_id(
    account: str, provider: str, provider_reference: str | None, reference: str | None
) -> UUID:
    """Return the id of a payment: by the gateway's id, else by the order it names."""
    if provider_reference is not None:
        return _id("payment", account, provider, provider_reference)
    return _id("payment of", account, provider, reference)


def lapse_id(order: UUID) -> UUID:
    """Return what stands for the event where a reservation lapses, which it does once."""
    return _id("lapse", str(order))


def _id(*identity: str | None) -> UUID:
    return uuid5(NAMESPACE, json.dumps(identity))

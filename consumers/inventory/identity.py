"""Ids of the inventory's rows, derived from their natural keys."""

from datetime import datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from uuid import UUID, uuid5

NAMESPACE = UUID("9a3f2b10-7c55-5d6e-8f41-2b6f0c1d7e58")
"""Namespace of row ids. Never change it: stored rows have ids derived from it."""

REFERENCE = "reference"
ADDRESS = "address"


def stock_id(account: str, sku: str) -> UUID:
    """Return the id of a merchant's article."""
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
    """Return the id of a payment, from the gateway's id, else from the order it names."""
    if provider_reference is not None:
        return _id("payment", account, provider, provider_reference)
    return _id("payment of", account, provider, reference)


def lapse_id(order: UUID, at: datetime) -> UUID:
    """Return the event id to record when time changes an order: an order may lapse repeatedly."""
    return _id("lapse", str(order), at.isoformat())


# Within a batch each id is needed several times.
@lru_cache(maxsize=8192)
def _id(*identity: str | None) -> UUID:
    # The text of `json.dumps`, in less time; it is part of the id.
    texts = ("null" if each is None else encode_basestring_ascii(each) for each in identity)
    return uuid5(NAMESPACE, f"[{', '.join(texts)}]")

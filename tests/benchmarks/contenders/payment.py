"""The body of the deliveries, as a model of pydantic."""

from decimal import Decimal

from pydantic import BaseModel


class Payment(BaseModel):
    """A payment that the gateway reports."""

    session_id: str
    amount: Decimal
    token: str
    blockchain: str
    from_wallet_address: str
    transaction_hash: str
    txTime: str  # noqa: N815 - the gateway's name
    status: bool

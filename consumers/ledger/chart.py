"""The chart of accounts: where money can be, in the eyes of the ledger.

A ledger account is a merchant account, a provider, a purpose and the network
the money is on. It is written `shop-eu:blockatm:wallet:Ethereum`, or
`shop-eu:blockatm:fees`: only a wallet says its network in its name, so that the
fees of two networks are two accounts of one name, and can be added up without
knowing networks. A colon or per cent sign within a part is
percent-encoded, so that a name is never ambiguous. The currency belongs to each
posting, not to the account.

Signs: a wallet grows by a positive posting. What it grew from (payments) is
negative, what it was spent on (payouts, fees, gas) positive, so that each
transaction sums to zero per currency.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid5

ACCOUNT_NAMESPACE = UUID("b4f0c1d2-7a52-5c0e-8f0d-2f6a0c9be7a1")
"""Namespace of the ids of ledger accounts. Never change it: the journal refers to them."""


class Purpose(StrEnum):
    """What the money of an account is or was for."""

    WALLET = "wallet"
    """What the gateway, or the chain, holds for the merchant."""
    CLAIMED = "claimed"
    """Said to be received, but not seen on chain yet; a wallet once it is."""
    PAYMENTS = "payments"
    """Received for orders (negative: a source)."""
    SUSPENSE = "suspense"
    """Received, but not yet or not at all for the order: partial payments and surpluses."""
    PAYOUTS = "payouts"
    """Paid out."""
    FEES = "fees"
    """Kept by the gateway."""
    GAS = "gas"
    """Paid to the network."""
    REFUNDS = "refunds"
    """Given back to payers."""
    DISPUTES = "disputes"
    """Taken back by payers."""
    RETURNS = "returns"
    """Payouts that came back (negative: a source)."""


@dataclass(frozen=True)
class LedgerAccount:
    """One account of the chart; `network` is None where no event named it."""

    account: str
    provider: str
    purpose: Purpose
    network: str | None = None

    @property
    def name(self) -> str:
        """How the account is written: `shop-eu:blockatm:wallet:Ethereum`."""
        parts = [self.account, self.provider, self.purpose.value]
        if self.purpose is Purpose.WALLET and self.network is not None:
            parts.append(self.network)
        return ":".join(map(_encoded, parts))

    @property
    def id(self) -> UUID:
        """The same for the same account wherever it is computed."""
        if self.purpose is Purpose.WALLET or self.network is None:
            return uuid5(ACCOUNT_NAMESPACE, self.name)
        return uuid5(ACCOUNT_NAMESPACE, f"{self.name}@{_encoded(self.network)}")


def _encoded(part: str) -> str:
    return part.replace("%", "%25").replace(":", "%3A")

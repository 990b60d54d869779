"""The chart of accounts.

A ledger account is a merchant account, a provider, a purpose and the network
the money is on. It is written `shop-eu:blockatm:wallet:Ethereum` or
`shop-eu:blockatm:fees`. Only a wallet has the network in its name: the fees of
two networks are two accounts with the same name, so they can be added up
by name. Colons and percent signs within a part are percent-encoded, so a
name is never ambiguous. The currency belongs to each posting, not to the
account.

Signs: a positive posting increases a wallet. Sources of money (payments) are
negative, uses of money (payouts, fees, gas) are positive, so each transaction
sums to zero per currency.
"""

from enum import StrEnum
from functools import lru_cache
from typing import Final
from uuid import UUID, uuid5

from msgspec import Struct

ACCOUNT_NAMESPACE = UUID("b4f0c1d2-7a52-5c0e-8f0d-2f6a0c9be7a1")
"""Namespace of ledger account ids. Never change it: the journal refers to these ids."""


class Purpose(StrEnum):
    """The purpose of an account's money."""

    WALLET = "wallet"
    """Held for the merchant by the gateway or on chain."""
    CLAIMED = "claimed"
    """Reported as received, but not seen on chain yet; moves to a wallet once it is."""
    PAYMENTS = "payments"
    """Received for orders (negative: a source)."""
    SUSPENSE = "suspense"
    """Received, but not counted for the order: partial payments and surpluses."""
    PAYOUTS = "payouts"
    """Paid out."""
    FEES = "fees"
    """Charged by the gateway."""
    GAS = "gas"
    """Paid to the network."""
    REFUNDS = "refunds"
    """Given back to payers."""
    DISPUTES = "disputes"
    """Taken back by payers."""
    RETURNS = "returns"
    """Payouts that came back (negative: a source)."""
    BANK = "bank"
    """Settled to the merchant's bank account, by a transfer."""
    EXCHANGE = "exchange"
    """Between two currencies: given in one, received in the other, by two transfers."""
    WRITE_OFF = "write_off"
    """Lost for good (negative: a gain), by a transfer."""


OPENED_BY_TRANSFERS: Final = frozenset({Purpose.BANK, Purpose.EXCHANGE, Purpose.WRITE_OFF})
"""Purposes that no event posts to: a transfer may open such an account."""

HOLDINGS: Final = frozenset(
    {
        *(Purpose.WALLET, Purpose.CLAIMED, Purpose.PAYOUTS, Purpose.REFUNDS),
        *(Purpose.DISPUTES, Purpose.BANK),
    }
)
"""Purposes whose balance is not below zero, unless something is missing."""

SOURCES: Final = frozenset({Purpose.PAYMENTS, Purpose.SUSPENSE, Purpose.RETURNS})
"""Purposes whose balance is not above zero, unless something is missing."""

UNASSIGNED: Final = frozenset({Purpose.CLAIMED, Purpose.SUSPENSE})
"""Purposes that money leaves again: their balance tends to zero."""


class LedgerAccount(Struct, frozen=True, cache_hash=True):
    """One account of the chart; `network` is None if no event named it."""

    account: str
    provider: str
    purpose: Purpose
    network: str | None = None

    @property
    def name(self) -> str:
        """The account as text: `shop-eu:blockatm:wallet:Ethereum`."""
        return _name(self)

    @property
    def id(self) -> UUID:
        """The account's id, derived from name and network."""
        if self.purpose is Purpose.WALLET or self.network is None:
            return uuid5(ACCOUNT_NAMESPACE, self.name)
        return uuid5(ACCOUNT_NAMESPACE, f"{self.name}@{_encoded(self.network)}")


@lru_cache(maxsize=4096)
def ledger_account(
    account: str, provider: str, purpose: Purpose, network: str | None
) -> LedgerAccount:
    """Return a ledger account; most events post to a few of them, each made once."""
    return LedgerAccount(account, provider, purpose, network)


@lru_cache(maxsize=4096)
def _name(of: LedgerAccount) -> str:
    parts = [of.account, of.provider, of.purpose.value]
    if of.purpose is Purpose.WALLET and of.network is not None:
        parts.append(of.network)
    return ":".join(map(_encoded, parts))


def _encoded(part: str) -> str:
    return part.replace("%", "%25").replace(":", "%3A")

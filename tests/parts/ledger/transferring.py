"""Books with money in suspense, and transfers between their accounts."""

from typing import Any

from click.testing import Result

from tests.parts.ledger.asked import ask, asked
from tests.parts.ledger.told import told

WALLET = "shop-eu:blockatm:wallet:Ethereum"
PAYMENTS = "shop-eu:blockatm:payments"
SUSPENSE = "shop-eu:blockatm:suspense"
BANK = "shop-eu:blockatm:bank"
EXCHANGE = "shop-eu:blockatm:exchange"

OVERPAID = told(
    "payment.overpaid", "120", expected_amount="100", expected_currency="USDT", reference="A-1"
)
"""Leaves 120 on the wallet, and 20 of them in suspense."""


def transfer(url: str, *arguments: str, reason: str = "kept as a tip") -> Any:  # noqa: ANN401 - JSON
    """Post a transfer and return the output of the command."""
    return asked(url, "transfer", *arguments, "--reason", reason, "--yes")


def refused(url: str, *arguments: str, reason: str = "why not") -> Result:
    """Try to post a transfer that fails."""
    result = ask(url, "transfer", *arguments, "--reason", reason, "--yes")
    assert result.exit_code != 0, result.output
    assert result.stdout == ""
    return result


def amounts(url: str) -> dict[str, str]:
    """Return the balances, by names such as `suspense USDT`."""
    return {
        f"{each['account'].split(':', 2)[2]} {each['currency']}": each["balance"]
        for each in asked(url, "balance")["accounts"]
    }

"""Decimals of each currency, for gateways that count amounts in its minor unit.

National currencies have those of ISO 4217. Coins have those of their protocol, as in
registry.json of github.com/trustwallet/wallet-core. Tokens have those of their contract
(`decimals()`): tether.to ("Supported Protocols") and developers.circle.com ("USDC Contract
Addresses") list the contracts; on BSC they are 0x55d398326f99059fF775485246999027B3197955 (USDT)
and 0x8AC76a51cc950d9822D68b83fE1Ad97B32Cd580d (USDC). A currency that is in neither table is never
guessed: an amount that is wrong by a power of ten is worse than one in quarantine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

OwnDecimals = Mapping[str, int | Mapping[str, int]]
"""Decimals by currency, or by currency and the gateway's word for the network."""

_EVM = ("Ethereum", "Arbitrum", "Optimism", "Base", "Polygon", "Avalanche")

TOKENS: Mapping[str, Mapping[str, int]] = {
    "USDT": {**dict.fromkeys((*_EVM, "TRON", "Solana", "TON"), 6), "BSC": 18},
    "USDC": {**dict.fromkeys((*_EVM, "Solana"), 6), "BSC": 18},
    "EURC": dict.fromkeys(("Ethereum", "Base", "Avalanche", "Solana"), 6),
    "PYUSD": dict.fromkeys(("Ethereum", "Solana"), 6),
    "DAI": dict.fromkeys((*_EVM, "BSC"), 18),
    "BTC": {"Bitcoin": 8},
    "ETH": dict.fromkeys(("Ethereum", "Arbitrum", "Optimism", "Base"), 18),
    "BNB": {"BSC": 18},
    "POL": dict.fromkeys(("Polygon", "Ethereum"), 18),
    "AVAX": {"Avalanche": 18},
    "TRX": {"TRON": 6},
    "SOL": {"Solana": 9},
    "TON": {"TON": 9},
    "LTC": {"Litecoin": 8},
    "BCH": {"Bitcoin Cash": 8},
    "DOGE": {"Dogecoin": 8},
    "DASH": {"Dash": 8},
    "ZEC": {"Zcash": 8},
    "XRP": {"XRP Ledger": 6},
    "XLM": {"Stellar": 7},
    "ADA": {"Cardano": 6},
    "DOT": {"Polkadot": 10},
    "ATOM": {"Cosmos": 6},
    "XMR": {"Monero": 12},
    "XTZ": {"Tezos": 6},
    "ALGO": {"Algorand": 6},
}
"""Decimals of each coin by network, its own or its issuer's first.

They depend on the network: Tether and Circle issue with six, whereas the copies on BSC, which
Binance issues, have eighteen.
"""

# Names and chain ids of networks as gateways write them, in lower case.
_NETWORKS: Mapping[str, str] = {
    **{name.lower(): name for networks in TOKENS.values() for name in networks},
    **dict.fromkeys(("1", "eth", "erc20", "erc-20"), "Ethereum"),
    **dict.fromkeys(("728126428", "trx", "trc20", "trc-20"), "TRON"),
    **dict.fromkeys(("56", "bep20", "bep-20", "binance smart chain", "bnb smart chain"), "BSC"),
    **dict.fromkeys(("137", "matic", "pol"), "Polygon"),
    **dict.fromkeys(("42161", "arb", "arbitrum one"), "Arbitrum"),
    **dict.fromkeys(("10", "op", "op mainnet"), "Optimism"),
    "8453": "Base",
    **dict.fromkeys(("43114", "avax", "avalanche c-chain"), "Avalanche"),
    **dict.fromkeys(("sol", "spl"), "Solana"),
    "btc": "Bitcoin",
}


@dataclass(frozen=True)
class DecimalsTable:
    """Decimals by currency: those of the configuration before those of the tables."""

    own: OwnDecimals = field(default_factory=dict)

    def find(self, currency: str, networks: Sequence[str] | None) -> int | None:
        """Return the decimals of a currency, None if they are unknown.

        `networks` are the names and chain ids of the payment's network, all of which must agree.
        None means that the gateway names no network, so its unit is that of the issuer's contract.
        """
        own = self.own.get(currency)
        if isinstance(own, int):
            return own
        if own is not None:
            return _agreed({name.lower(): digits for name, digits in own.items()}, networks)
        if currency in TOKENS:
            return _of_token(TOKENS[currency], networks)
        return _iso_decimals().get(currency)


def _agreed(decimals: Mapping[str, int], networks: Sequence[str] | None) -> int | None:
    found = {decimals.get(name.lower()) for name in networks or ()}
    return found.pop() if len(found) == 1 else None


def _of_token(decimals: Mapping[str, int], networks: Sequence[str] | None) -> int | None:
    if networks is None:
        return next(iter(decimals.values()))
    known = {alias: decimals[name] for alias, name in _NETWORKS.items() if name in decimals}
    return _agreed(known, networks)


def home_network(currency: str) -> str:
    """Return a network on which this currency is paid; Ethereum if it is unknown."""
    return next(iter(TOKENS.get(currency, ())), "Ethereum")


@cache
def _iso_decimals() -> Mapping[str, int]:
    # It parses a table when it is imported, which only an endpoint with this setting needs.
    import iso4217  # noqa: PLC0415

    # Metals and the like have `N.A.`, the entry of countries without a currency has no code.
    units = {code: str(row["CcyMnrUnts"]) for code, row in iso4217.raw_table.items() if code}
    return {code: int(digits) for code, digits in units.items() if digits.isdecimal()}

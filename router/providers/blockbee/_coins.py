"""BlockBee's tickers: `trc20_usdt` is USDT on TRON, `btc` is BTC on its own chain."""

from router.errors import Reason
from router.providers._reading import refused

_NETWORKS = {
    "erc20": "Ethereum",
    "trc20": "TRON",
    "bep20": "BSC",
    "polygon": "Polygon",
    "arbitrum": "Arbitrum",
    "optimism": "Optimism",
    "base": "Base",
    "avax-c": "Avalanche",
    "sol": "Solana",
    "spl": "Solana",
}
_CHAINS = {
    "btc": "Bitcoin",
    "bch": "Bitcoin Cash",
    "ltc": "Litecoin",
    "doge": "Dogecoin",
    "eth": "Ethereum",
    "trx": "TRON",
    "xmr": "Monero",
    "sol": "Solana",
}
_USUAL = {"USDT": "trc20_usdt", "USDC": "erc20_usdc"}


def currency_and_network(name: str, ticker: str) -> tuple[str, str | None]:
    """Split a ticker; raise NotUnderstood if its prefix names no known network."""
    if ticker.lower() == "test_coin":
        return "TEST_COIN", None
    prefix, separator, token = ticker.lower().partition("_")
    if not separator:
        return ticker.upper(), _CHAINS.get(prefix)
    if prefix not in _NETWORKS or not token:
        detail = f"expected a ticker of one of {', '.join(_NETWORKS)}"
        raise refused(Reason.FIELD_MALFORMED, name, detail)
    return token.upper(), _NETWORKS[prefix]


def ticker_of(currency: str) -> str:
    """Return the usual ticker of a currency."""
    return _USUAL.get(currency.upper(), currency.lower())

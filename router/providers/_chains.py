"""Recognizes test networks, whose tokens are worthless, by chain id and by name.

Chain ids are those of github.com/ethereum-lists/chains, and for TRON those of
developers.tron.network ("Networks"). An id that is in neither table decides
nothing. Kovan's 42 is left out, since a live network has it now.
"""

import re
from functools import lru_cache

_REMEMBERED = 1024
"""Networks whose result is remembered. A gateway has a few dozen."""

_TRON_LIVE = frozenset({"728126428"})
_TRON_TEST = frozenset({"2494104990", "3448148188"})  # Shasta, Nile
_TRON = _TRON_LIVE | _TRON_TEST

_TEST_CHAINS = _TRON_TEST | {
    *("3", "4", "5"),  # Ethereum: Ropsten, Rinkeby, Goerli
    *("17000", "560048", "11155111"),  # Ethereum: Holesky, Hoodi, Sepolia
    *("97", "5611"),  # BSC, opBNB
    *("80001", "80002"),  # Polygon: Mumbai, Amoy
    *("421613", "421614"),  # Arbitrum: Goerli, Sepolia
    *("420", "11155420"),  # Optimism: Goerli, Sepolia
    *("84531", "84532"),  # Base: Goerli, Sepolia
    *("43113", "4002", "10200", "44787"),  # Avalanche Fuji, Fantom, Gnosis Chiado, Celo Alfajores
    *("300", "59141", "534351"),  # Sepolia of zkSync, Linea and Scroll
}
_LIVE_CHAINS = _TRON_LIVE | {
    *("1", "10", "56", "100", "137", "204", "250", "324"),
    *("8453", "42161", "42220", "43114", "59144", "534352"),
}

# An id in hexadecimal, as wallets write it, or with a namespace, as in CAIP-2.
_CHAIN_ID = re.compile(r"(?:eip155:)?(?:0x(?P<hex>[0-9a-f]+)|0*(?P<decimal>[0-9]+))")

# Long names are searched for anywhere in a name (`bscTestnet`), short ones only as words.
_PARTS = re.compile(
    "testnet|devnet|regtest|signet|sepolia|holesky|goerli|ropsten|rinkeby|kovan|mumbai|shasta"
    "|chiado|alfajores"
)
_WORDS = frozenset({"amoy", "chapel", "fuji", "hoodi", "nile"})

_LIVE_NAMES = frozenset(
    {
        *("arbitrum", "avalanche", "base", "bitcoin", "bsc", "ethereum", "optimism", "polygon"),
        *("solana", "tron"),
    }
)


@lru_cache(maxsize=_REMEMBERED)
def on_test_chain(chain_id: str | None, network: str | None) -> bool | None:
    """Return whether chain id or name are those of a test network; None if neither decides.

    A live network's name decides nothing: gateways write `Ethereum` for its test networks too.
    """
    if network is not None and is_test_name(network):
        return True
    number = None if chain_id is None else _in_decimal(chain_id)
    if number is None or _disagree(number, network):
        return None
    if number in _TEST_CHAINS:
        return True
    return False if number in _LIVE_CHAINS else None


def is_test_name(network: str) -> bool:
    """Return whether a network's name is that of a test network."""
    name = network.lower()
    words = re.split(r"[^a-z0-9]+", name)
    return _PARTS.search(name) is not None or not _WORDS.isdisjoint(words)


def is_live_name(network: str) -> bool:
    """Return whether a name is that of a live network, for gateways that name test networks."""
    return network.lower() in _LIVE_NAMES


def _in_decimal(chain_id: str) -> str | None:
    match = _CHAIN_ID.fullmatch(chain_id.lower())
    if match is None:
        return None
    return match["decimal"] or str(int(match["hex"], 16))


def _disagree(chain_id: str, network: str | None) -> bool:
    # Samples of BlockATM have Goerli's 5 with TRON: such an id is not one of that network.
    if network is None:
        return False
    return network.upper().startswith("TRON") is not (chain_id in _TRON)

"""Source address of a request, and whether an allowlist contains it."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_HOST_BITS = 64
_REMEMBERED = 1024
"""Addresses that are remembered: a gateway calls from a few."""

UNKNOWN = "unknown"
"""The source of a request whose connection has no address."""


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read networks, or single addresses, or raise ValueError."""
    return tuple(ip_network(text) for text in texts)


def caller(
    peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]
) -> Address | None:
    """Return the address of the caller, None if it cannot be determined.

    `forwarded` are the values of X-Forwarded-For. A proxy appends the address
    of its caller; the entries before it come from that caller and count only
    while that caller is a trusted proxy.
    """
    address = _address(peer or "")
    named = [part for value in forwarded for part in value.split(",")]
    while named and address is not None and is_among(address, trusted):
        address = _address(named.pop())
    return address


def budget_source(peer: str) -> str:
    """Return the source that a peer counts for: its IPv4 address, or its IPv6 network of 64 bits.

    A host with one IPv6 address can use its whole network. Text that is not an address
    counts as it is.
    """
    address = _address(peer)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) >> _HOST_BITS << _HOST_BITS, _HOST_BITS)))
    return peer if address is None else str(address)


def source_of(
    peer: str | None, headers: Iterable[tuple[bytes, bytes]], trusted: Sequence[Network]
) -> str:
    """Name the source of a request: its address, `unknown` if it has none.

    `headers` are those of an ASGI scope, read only if there are trusted
    proxies. If a trusted proxy wrote something that is not an address, the
    proxy's own address counts: it is the last one known.
    """
    if not trusted:
        return _name_of(peer or "")
    address = caller(peer, forwarded_for(headers), trusted)
    return _name_of(peer or "") if address is None else str(address)


def forwarded_for(headers: Iterable[tuple[bytes, bytes]]) -> Sequence[str]:
    """Return the values of X-Forwarded-For among the headers of an ASGI scope."""
    return [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]


def is_among(address: Address | None, wanted: Sequence[Network]) -> bool:
    """Return whether an address is in one of the networks."""
    return address is not None and any(address in network for network in wanted)


@lru_cache(maxsize=_REMEMBERED)
def _name_of(peer: str) -> str:
    address = _address(peer)
    return UNKNOWN if address is None else str(address)


@lru_cache(maxsize=_REMEMBERED)
def _address(text: str) -> Address | None:
    try:
        found = ip_address(_without_port(text.strip()))
    except ValueError:
        return None
    # A socket for both protocols reports an IPv4 address mapped into IPv6.
    return getattr(found, "ipv4_mapped", None) or found


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text

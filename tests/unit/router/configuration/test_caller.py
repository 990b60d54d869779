"""The address of a caller: the peer's, or the one from a trusted proxy."""

from collections.abc import Iterator

import pytest

from router.configuration.addresses import caller, is_among, networks, source_of

_PROXIES = networks(["10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("10.1.2.3", ["198.51.100.1", "10.9.9.9"], "198.51.100.1"),
        ("10.1.2.3", ["192.0.2.1, 198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["192.0.2.1", "198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["10.4.4.4"], "10.4.4.4"),
        ("10.1.2.3", ["198.51.100.1:4711"], "198.51.100.1"),
        ("fd00::1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        ("::ffff:10.1.2.3", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["unknown"], None),
        ("10.1.2.3", [""], None),
        ("10.1.2.3", ["198.51.100.1, "], None),
        ("10.1.2.3", ["198.51.100.1, x, 10.9.9.9"], None),
        (None, ["198.51.100.1"], None),
        ("/run/edge.sock", ["198.51.100.1"], None),
    ],
)
def test_only_what_a_trusted_proxy_wrote_counts(
    peer: str | None, forwarded: list[str], found: str | None
) -> None:
    address = caller(peer, forwarded, _PROXIES)

    assert (None if address is None else str(address)) == found


def test_without_trusted_proxies_it_is_the_peer() -> None:
    assert str(caller("10.1.2.3", ["198.51.100.1"], ())) == "10.1.2.3"


@pytest.mark.parametrize(
    ("address", "wanted", "is_in"),
    [
        ("203.0.113.7", ["203.0.113.0/24"], True),
        ("203.0.113.7", ["203.0.113.7"], True),
        ("203.0.113.7", ["2001:db8::/32", "203.0.113.8"], False),
        ("2001:db8::1", ["2001:db8::/32"], True),
        (None, ["0.0.0.0/0", "::/0"], False),
    ],
)
def test_address_matches_a_network_or_itself(
    address: str | None, wanted: list[str], *, is_in: bool
) -> None:
    found = caller(address, [], ())

    assert is_among(found, networks(wanted)) is is_in


@pytest.mark.parametrize(
    ("peer", "forwarded", "source"),
    [
        ("203.0.113.7", [b"198.51.100.1"], "203.0.113.7"),
        ("10.1.2.3", [b"198.51.100.1"], "198.51.100.1"),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        ("10.1.2.3", [b"not an address"], "10.1.2.3"),
        ("10.1.2.3", [b"198.51.100.1, \xff"], "10.1.2.3"),
        (None, [b"198.51.100.1"], "unknown"),
        ("/run/edge.sock", [], "unknown"),
    ],
)
def test_the_source_is_the_last_address_that_is_known(
    peer: str | None, forwarded: list[bytes], source: str
) -> None:
    headers = [(b"host", b"edge.test"), *((b"x-forwarded-for", value) for value in forwarded)]

    assert source_of(peer, headers, _PROXIES) == source


def test_without_trusted_proxies_the_source_is_the_peer_and_no_header_is_read() -> None:
    def unread() -> Iterator[tuple[bytes, bytes]]:
        pytest.fail("a header was read")
        yield b"", b""

    assert source_of("203.0.113.7", unread(), ()) == "203.0.113.7"

"""What happened to the shop before its people look: orders, payments, and the usual troubles."""

from collections.abc import Mapping
from typing import Final

from confluent_kafka import Producer

from tests.parts.console import holding, shop
from tests.parts.dev_process import Place
from tests.parts.troubles.writing import SECONDS, quiet
from tests.parts.waiting import until

PAID: Final = "A-100"
SHORT: Final = "A-200"
"""An order that is not shipped: too little was paid."""
UNKNOWN: Final = "A-300"
"""An order whose payment is in quarantine: its gateway sent a status that is not in its mapping."""
OF_US: Final = "B-900"
"""An order of another account."""

SCRIPT: Final = "<script>alert('order')</script>"
IMAGE: Final = '"><img src=x onerror=alert(1)>'
TEMPLATE: Final = "{{7*'7'}}{% include '/etc/passwd' %}"
SHEET: Final = '=HYPERLINK("http://evil.example","pay")'
STATEMENT: Final = "x'; DROP TABLE ledger.entry; --"
HOSTILE: Final = (SCRIPT, IMAGE, TEMPLATE, SHEET, STATEMENT)
"""References of orders that attack a page that shows them."""

HOSTILE_CUSTOMER: Final = "<svg/onload=alert('customer')>"
HOSTILE_HEADER: Final = "<script>alert('header')</script>"

Addresses = Mapping[str, Mapping[str, str]]
"""The addresses of the running system, as its data directory names them."""

DELIVERIES: Final = 4 + len(HOSTILE)
"""Deliveries that are accepted, each a transaction of the ledger."""


def happen(place: Place, port: int, addresses: Addresses) -> None:
    """Do everything that happened, and wait until the consumers have applied it."""
    _orders(place)
    _payments(port)
    _forgeries(port)
    _unreadable(addresses["kafka"]["bootstrap_servers"])
    place.books(transactions=DELIVERIES)
    holding.hold_back(addresses["database"]["url"], port)
    until(lambda: _brake_is_on(place), "the brake of the inventory")


def _orders(place: Place) -> None:
    assert place.quick("inventory", "set", "tea", "100", "--account", shop.EU).returncode == 0
    email = ("--email", "maria@example.com", "--language", "de")
    for order, account in ((PAID, shop.EU), (SHORT, shop.EU), (OF_US, shop.US)):
        said = place.quick(
            *("send", "order", "--order", order, "--account", account),
            *("--line", "tea=2", "--total", "30", *email),
        )
        assert said.returncode == 0, said.stderr


def _payments(port: int) -> None:
    assert shop.pay(port, PAID, "30") == 200
    assert shop.pay(port, SHORT, "20") == 200
    assert shop.pay(port, OF_US, "30", endpoint="atm-us") == 200
    assert shop.pay(port, "C-1", "5", "atm-odd", custNo=HOSTILE_CUSTOMER) == 200
    for order in HOSTILE:
        assert shop.pay(port, order, "7", "atm-odd") == 200, order
    assert shop.acme(port, "settled", UNKNOWN, "30") == 200


def _forgeries(port: int) -> None:
    for name in ("blockatm-signature-v2", "user-agent", "x-forwarded-for"):
        headers = {"content-type": "application/json", name: HOSTILE_HEADER}
        assert shop.post(port, "/webhooks/atm-odd", b'{"orderNo": "A-1"}', headers) == 401
    assert shop.post(port, "/webhooks/%3Cscript%3E", b"{}", {}) == 404


def _unreadable(bootstrap: str) -> None:
    """Write records that cannot be read: dead letters, and a brake of the inventory."""
    producer = Producer({**quiet(bootstrap), "acks": "all"})
    producer.produce("payment", b"\x00\x00\x00\x00\x2aAvro", b"shop-eu|junk", partition=0)
    for number in range(3):
        producer.produce("order", f"junk {number}".encode(), b"shop-eu|junk", partition=0)
    assert producer.flush(SECONDS) == 0


def _brake_is_on(place: Place) -> bool:
    return "has been on since" in place.quick("brake", "show", "inventory").stdout
